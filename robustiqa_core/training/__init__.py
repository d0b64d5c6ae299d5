"""Training: data sets of photos with human scores, losses, the loop, and the making of a baseline."""
