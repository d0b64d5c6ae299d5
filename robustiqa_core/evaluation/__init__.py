"""Figures of attacks, of agreement with people, of monotonicity; tables over photos, models, attacks, strengths."""
