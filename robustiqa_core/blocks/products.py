"""A folded spectral block as a few products of real matrices.

Averaging to cells, the transform, its inverse and the way back to the map are linear and independent of channels: for
a small map they are two matrices. With the kernel between them, a dozen small steps become three products.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

MOST_NUMBERS = 3 * 2**15
"""Of a matrix between a map and its transform: for larger maps a fast transform is the faster one."""


@dataclass(frozen=True, slots=True, eq=False)
class Transforms:
    """The matrices on both sides of a kernel, for maps of P places and a grid of F frequencies (half the spectrum).

    Args:
        enter: (2 F, P), from the places to the real and the imaginary part at each frequency.
        leave: (P, 4 F), from the products of both parts with those of a kernel back to the places.
    """

    enter: Tensor
    leave: Tensor

    def apply(self, kernel: Tensor, values: Tensor) -> Tensor:
        """Return (N, P, m): what a kernel makes of values (N, P, n).

        Args:
            kernel: (F, n, 2 m), from `real_parts`.
            values: a map's places as rows.
        """
        batch, frequencies = len(values), len(kernel)
        parts = (self.enter @ values).reshape(batch, frequencies, 2, -1).transpose(0, 1)
        products = parts.reshape(frequencies, 2 * batch, -1) @ kernel
        products = products.reshape(frequencies, batch, 4, -1).transpose(0, 1)
        return self.leave @ products.reshape(batch, 4 * frequencies, -1)


def real_parts(kernel: Tensor) -> Tensor:
    """Return the matrices (F, m, n) of a kernel as rows with both parts beside each other: (F, n, 2 m), real."""
    return torch.cat((kernel.real.mT, kernel.imag.mT), dim=2).contiguous()


def numbers(size: tuple[int, int], grid: tuple[int, int]) -> int:
    """Return how many numbers the larger matrix of `transforms` has."""
    return 4 * size[0] * size[1] * grid[0] * (grid[1] // 2 + 1)


def transforms(
    size: tuple[int, int],
    grid: tuple[int, int],
    gather: Callable[[Tensor], Tensor],
    spread: Callable[[Tensor], Tensor],
    like: Tensor,
) -> Transforms:
    """Return the matrices for maps of a size; found by transforming a unit impulse at each place and frequency.

    Args:
        size: (height, width) of the maps.
        grid: (height, width) of what is transformed.
        gather: from maps (N, 1, *size) to the grid, (N, 1, *grid); linear; on the CPU in double precision.
        spread: from the grid to maps; likewise.
        like: gives device and dtype.
    """
    # On the CPU: a transform of a lone frequency, which belongs to no real map, is not defined everywhere.
    frequencies = grid[0] * (grid[1] // 2 + 1)
    places = torch.eye(size[0] * size[1], dtype=torch.float64, device="cpu").reshape(-1, 1, *size)
    enter = torch.view_as_real(torch.fft.rfft2(gather(places)).flatten(1)).flatten(1).mT
    parts = torch.eye(2 * frequencies, dtype=torch.float64, device="cpu").reshape(-1, 1, grid[0], grid[1] // 2 + 1, 2)
    maps = spread(torch.fft.irfft2(torch.view_as_complex(parts), s=grid)).flatten(1)
    real, imaginary = maps[0::2], maps[1::2]
    # Real by real, real by imaginary, imaginary by real, imaginary by imaginary.
    leave = torch.stack((real, imaginary, imaginary, -real), dim=1).flatten(0, 1).mT
    return Transforms(enter.to(like).contiguous(), leave.to(like).contiguous())
