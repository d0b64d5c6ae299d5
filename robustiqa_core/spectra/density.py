"""A spectrum averaged on a coarse raster for drawing, since single frequencies are speckled."""

from dataclasses import dataclass

import torch
from torch import Tensor

from robustiqa_core.errors import InputError
from robustiqa_core.spectra.frequencies import RINGS_PER_CYCLE, frequency_axis


@dataclass(frozen=True, slots=True, eq=False)
class DensityMap:
    """Energy by frequency in square cells, with frequency 0 in the middle cell.

    Args:
        vertical: (h,), frequencies of the cells' middles in cycles per pixel, ascending from -0.5 to 0.5.
        horizontal: (w,), likewise.
        decibels: (h, w), mean energy in the cell over the mean energy of all frequencies, as 10 log10: 0 everywhere
            is white noise. -inf in a cell without energy; NaN everywhere for a perturbation of nothing.
    """

    vertical: Tensor
    horizontal: Tensor
    decibels: Tensor


def density_map(energies: Tensor) -> DensityMap:
    """Return the mean energy in cells of 1/64 cycle per pixel; in larger ones for an image below 128 px.

    Args:
        energies: (H, W), of each frequency, with frequency 0 in the middle, as those of a photo in
            `Spectrum.energies`; at least 8 x 8.

    Raises:
        InputError: fewer frequencies, or not those of one photo.

    Example:
        >>> density_map(torch.ones(8, 8)).decibels.abs().max().item()
        0.0
    """
    if energies.ndim != 2 or min(energies.shape) < 8:
        raise InputError(
            f"expected the energies (H, W) of one photo, at least 8 x 8, got shape {tuple(energies.shape)}; "
            "pass one photo of the batch"
        )
    # A multiple of 4, and half of a side at most: 0 and both ends are middles of cells, and no cell is empty.
    per_cycle = min(RINGS_PER_CYCLE, min(energies.shape) // 2) // 4 * 4
    rows, columns = ((frequency_axis(size) * per_cycle).round().long() + per_cycle // 2 for size in energies.shape)
    side = per_cycle + 1
    cells = (rows[:, None] * side + columns).flatten()
    sums = energies.new_zeros(side * side).index_add_(0, cells, energies.flatten())
    means = (sums / torch.bincount(cells, minlength=side * side)).view(side, side)
    axis = (torch.arange(side, dtype=torch.float64) - per_cycle // 2) / per_cycle
    return DensityMap(axis, axis, 10 * (means / energies.mean()).log10())
