"""Scorers that need no weights, photos on the disk, and a plan for tables."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robustiqa_core.attacks import Attack
from robustiqa_core.evaluation.tables.attack_grid import attack_grid
from robustiqa_core.evaluation.tables.plan import TableModel, TablePlan
from robustiqa_core.scorer import ScoreRange

ATTACKS = attack_grid(["pgd:steps=2", "noise"], [2 / 255, 4 / 255])


class Contrast:
    """score = 0.5 + slope * mean(sign * (image - 0.5) + (image - 0.5)^2), with the signs of a checkerboard.

    Args:
        slope: factor of the score's change.
        hidden: mean brightness above which the score is NaN.
    """

    def __init__(self, slope: float = 5.0, *, hidden: float = 2.0) -> None:
        self.slope = slope
        self.hidden = hidden
        self.calls = 0
        self.score_range = ScoreRange(0.0, slope)

    def __call__(self, images: Tensor) -> Tensor:
        self.calls += 1
        rows, columns = (torch.arange(size) for size in images.shape[-2:])
        signs = 1.0 - 2.0 * ((rows[:, None] + columns[None, :]) % 2)
        values = images - 0.5
        scores = 0.5 + self.slope * (values * signs + values.square()).mean((1, 2, 3))
        return torch.where(images.mean((1, 2, 3)) > self.hidden, torch.nan, scores)


def save_photos(folder: Path, sizes: list[tuple[int, int]]) -> list[Path]:
    """Write a photo of each (width, height), all different, and return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, size in enumerate(sizes):
        pixels = np.random.default_rng(index).integers(30, 200 + 2 * index, (8, 8, 3), dtype=np.uint8)
        paths.append(folder / f"{index:02}.png")
        Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(paths[-1])
    return paths


def plan(
    *scorers: Contrast, attacks: tuple[Attack, ...] = ATTACKS, batch_size: int = 3, transfer: bool = False
) -> TablePlan:
    """Return a plan with models called contrast-0, contrast-1 and so on."""
    models = tuple(TableModel("contrast", str(index), scorer) for index, scorer in enumerate(scorers))
    return TablePlan(models, attacks, batch_size=batch_size, transfer=transfer, command="a test")
