"""The photos of an audit: a few, square and small, so that it ends within two minutes."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from robustiqa_core.checks import MIN_SIDE, check_count
from robustiqa_core.errors import InputError
from robustiqa_core.images.photo import read_image, round_to_8bit
from robustiqa_core.images.photo_file import PhotoFile
from robustiqa_core.images.samples import sample_path
from robustiqa_core.models.preprocessing import fit

SAMPLES = ("mountain_path", "two_dogs_at_a_window", "fig_in_a_red_bowl", "astronaut")
"""Sharp sample photos, which degradations can make worse."""
SIDE = 224


def read_photos(paths: Sequence[PhotoFile | Path] = (), *, side: int = SIDE) -> Tensor:
    """Return photos (N, 3, side, side), reduced to the side and cropped to their middle, in whole grey levels.

    Args:
        paths: photo files; without any, four of the sample photos.
        side: of the square in pixels. Photos are not enlarged.

    Raises:
        InputError: a file is not a photo, or smaller than the side.
        ConfigurationError: a side that no model accepts.
    """
    check_count("side", side, low=MIN_SIDE, high=2048)
    squares = []
    for path in paths or [sample_path(name) for name in SAMPLES]:
        images = read_image(path).images
        height, width = images.shape[-2:]
        if min(height, width) < side:
            raise InputError(
                f"expected photos of at least {side} x {side} px, got {width} x {height} in {path.name}; "
                "choose a smaller side"
            )
        fitted = fit(images, side)
        top, left = (fitted.shape[2] - side) // 2, (fitted.shape[3] - side) // 2
        squares.append(fitted[..., top : top + side, left : left + side])
    return round_to_8bit(torch.cat(squares))
