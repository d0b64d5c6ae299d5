"""What every page stands on: navigation, state, caches, charts, words."""
