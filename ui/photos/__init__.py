"""The choice of photos: one, or a set."""
