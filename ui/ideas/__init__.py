"""The page of ideas behind attacks and blocks."""
