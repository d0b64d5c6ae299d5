"""What Block placement and Pruning share: recipes, jobs and words of a hardening."""
