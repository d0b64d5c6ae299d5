"""The page Block placement."""
