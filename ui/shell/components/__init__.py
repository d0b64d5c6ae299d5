"""Widgets of our own: one folder each, with its HTML, CSS and JavaScript beside the Python that mounts it."""
