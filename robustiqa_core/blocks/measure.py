"""The action of a layer, measured through its forward pass."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def response(layer: nn.Module, channels: int, height: int, width: int) -> Tensor:
    """Return the matrices (F, out, in) by which a linear, shift-invariant layer multiplies each frequency of a grid.

    Measured with a unit impulse in each channel, without reading the weights.

    Args:
        layer: maps (N, channels, H, W) to (N, out, H, W), linear and circular, such as those of `ORTHOGONALIZATIONS`.
        channels: of its input.
        height: rows of the grid.
        width: columns of the grid.

    Returns:
        Complex, double precision, on the CPU; F = height * (width // 2 + 1), as in `rfft2`.
    """
    like = next(layer.parameters(), torch.empty(0))
    impulses = torch.zeros(channels, channels, height, width, device=like.device, dtype=like.dtype)
    impulses[torch.arange(channels), torch.arange(channels), 0, 0] = 1
    answers = layer(impulses).cpu().double()
    matrices: Tensor = torch.fft.rfft2(answers).permute(2, 3, 1, 0).flatten(0, 1)
    return matrices


def singular_values(layer: nn.Module, channels: int, height: int, width: int) -> Tensor:
    """Return the singular values (F, min(in, out)) of a layer on a grid, largest first at each frequency.

    Together they are those of the layer's whole matrix (frequencies within the spectrum counting twice). Arguments
    are those of `response`.

    Source: H. Sedghi, V. Gupta, P. M. Long, "The Singular Values of Convolutional Layers", ICLR 2019.
    """
    values: Tensor = torch.linalg.svdvals(response(layer, channels, height, width))
    return values


def orthogonality_error(layer: nn.Module, channels: int, height: int, width: int) -> float:
    """Return the largest |singular value - 1| of a layer on a grid; arguments are those of `response`.

    From the eigenvalues of the products Q^H Q (or Q Q^H where that is smaller), which near 1 is as exact as a singular
    value decomposition and takes a fraction of its time.
    """
    matrices = response(layer, channels, height, width)
    tall = matrices.shape[1] >= matrices.shape[2]
    products = matrices.mH @ matrices if tall else matrices @ matrices.mH
    squares = torch.linalg.eigvalsh(products).clamp_min(0)
    return float((squares.sqrt() - 1).abs().max())
