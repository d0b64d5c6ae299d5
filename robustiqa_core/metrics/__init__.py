"""Figures: agreement with people, robustness, and fidelity of an adversarial image to its clean one."""
