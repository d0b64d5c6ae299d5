"""What pages that attack share: the recipe of an attack, its job, its widgets and words."""
