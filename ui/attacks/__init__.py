"""Shared by all pages that attack: the recipe of an attack, its job, widgets and texts."""
