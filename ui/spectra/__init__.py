"""The page Spectra."""
