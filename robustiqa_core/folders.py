"""Where the product looks for what it ships and for what people add to it."""

import os
from pathlib import Path

CHECKPOINTS_VARIABLE = "ROBUSTIQA_CHECKPOINTS"
"""Environment variable that names another folder of checkpoints."""


def checkpoints_root() -> Path:
    """Return the folder of checkpoints: the environment's, else `checkpoints/` next to the package."""
    named = os.environ.get(CHECKPOINTS_VARIABLE)
    return Path(named) if named else Path(__file__).parents[1] / "checkpoints"


def lists_root() -> Path:
    """Return the folder of the lists of photos that figures in the documentation were measured on."""
    return Path(__file__).resolve().parents[1] / "assets" / "lists"


def livec_root() -> Path:
    """Return the folder of the photos of LIVE Challenge that are shipped, with their human scores."""
    return Path(__file__).resolve().parents[1] / "assets" / "livec"


def perturbations_root() -> Path:
    """Return the folder of universal perturbations, within that of the checkpoints."""
    return checkpoints_root() / "perturbations"
