"""Spatial frequencies of an image, in cycles per pixel on both axes, so that oblong images need no special case."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

RINGS_PER_CYCLE = 64
"""Rings of a radial profile for one cycle per pixel: photos of any size from 64 px a side have the same rings."""
_MAX_RADIUS = math.sqrt(0.5)


@dataclass(frozen=True, slots=True)
class Band:
    """Frequencies from `low` up to, without, `high`, both in cycles per pixel."""

    name: str
    low: float
    high: float


BANDS: tuple[Band, ...] = (Band("low", 0.0, 1 / 8), Band("mid", 1 / 8, 1 / 4), Band("high", 1 / 4, math.inf))
"""Waves of more than 8 pixels (with the constant), of 4 to 8, and finer ones."""


def frequency_axis(size: int) -> Tensor:
    """Return the frequencies (size,) of an axis in cycles per pixel, float64, ascending, with 0 in the middle.

    A cycle per pixel is not a bin: bin k of an axis of `size` pixels is k / size cycles per pixel.

    Example:
        >>> frequency_axis(4).tolist(), frequency_axis(5).tolist()
        ([-0.5, -0.25, 0.0, 0.25], [-0.4, -0.2, 0.0, 0.2, 0.4])
    """
    return (torch.arange(size, dtype=torch.float64) - size // 2) / size


def frequency_radius(height: int, width: int) -> Tensor:
    """Return the distance (height, width) of each frequency from 0, in cycles per pixel, from 0 to sqrt(0.5)."""
    return torch.hypot(frequency_axis(height).unsqueeze(1), frequency_axis(width))


def rings(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return which ring each frequency is in, (height, width), and the radius (R,) of the rings in cycles per pixel.

    Ring k has the frequencies that are nearer to k / m than to another ring, where m is 64, or the shorter side where
    that is less, as no ring may be thinner than the grid. Ring 0 has the constant alone.
    """
    per_cycle = min(RINGS_PER_CYCLE, height, width)
    nearest = (frequency_radius(height, width) * per_cycle).round().long().clamp_min(1)
    nearest[height // 2, width // 2] = 0
    count = round(_MAX_RADIUS * per_cycle) + 1
    return nearest, torch.arange(count, dtype=torch.float64) / per_cycle
