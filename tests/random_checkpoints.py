"""Checkpoints of random weights, for the plumbing of the commands."""

from pathlib import Path

import torch

from robustiqa_core.checkpoints.storage import save_checkpoint
from robustiqa_core.models.card import ModelCard, Training
from robustiqa_core.models.linearity import Linearity, LinearitySettings
from robustiqa_core.scorer import ScoreRange


def save_random(
    root: Path,
    *,
    side: int,
    variant: str = "baseline",
    high: float = 0.1,
    seed: int = 0,
    network: Linearity | None = None,
) -> Path:
    """Save a Linearity network under the name of a bundled one, by default of random weights; return `root`."""
    torch.manual_seed(seed)
    card = ModelCard(
        model="linearity",
        variant=variant,
        settings={"short_side": side},
        score_range=ScoreRange(-0.1, high),
        score_unit="none: random weights for tests",
        training=Training("none", 0, "random weights", "none", 0.0, {}),
        measurements=(),
        sha256="",
        licence="MIT",
        limits="For tests.",
        versions={},
    )
    save_checkpoint(network or Linearity(LinearitySettings(short_side=side)).eval(), card, root=root, overwrite=True)
    return root
