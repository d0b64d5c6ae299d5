"""Orthogonal convolution by the Cayley transform at each frequency."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from robustiqa_core.blocks.convolution import LayerCost, adjoint
from robustiqa_core.blocks.spectral import SpectralConvolution, transfer


def inverse_of(matrices: Tensor) -> Tensor:
    """Return the inverses of matrices (..., n, n); of what has none, values that the check of the result refuses."""
    inverse: Tensor = torch.linalg.inv_ex(matrices).inverse
    return inverse


class Cayley(SpectralConvolution):
    """The Cayley layer: exactly orthogonal, at the price of one inverse per frequency.

    With the scaled weights at a frequency split into the square top U and the rest V,
    A = U - U^H + V^H V and Q = [(I + A)^-1 (I - A); -2 V (I + A)^-1]. The real part of A is not negative, so that
    I + A can always be inverted, and Q^H Q = I. The weights are scaled to the norm `alpha`, which is trained too.

    Source: A. Trockman and J. Z. Kolter, "Orthogonalizing Convolutional Layers with the Cayley Transform", ICLR 2021,
    section 4. As there: circular, stride 1. Other than there: any height and width, half of the spectrum, `alpha` (the
    norm of the weights, not of their transform) exists from the start, and U - U^H is formed before the transform, so
    that a self-adjoint kernel gives the identity to the last bit.
    """

    title = "Cayley"
    paper = "Trockman and Kolter, Orthogonalizing Convolutional Layers with the Cayley Transform, ICLR 2021"
    guarantee = "orthogonal"

    def __init__(self, channels_in: int, channels_out: int, kernel_size: int = 3) -> None:
        """Make a layer with random weights."""
        super().__init__(channels_in, channels_out, kernel_size)
        self.alpha = nn.Parameter(self.weight.detach().norm())

    @classmethod
    def cost(cls, channels_in: int, channels_out: int, kernel_size: int, height: int, width: int) -> LayerCost:
        """Return what a layer of this shape costs on a grid of height x width, in single precision."""
        cost = super().cost(channels_in, channels_out, kernel_size, height, width)
        return replace(cost, parameters=cost.parameters + 1)

    @classmethod
    def build_matrices(cls, channels_in: int, channels_out: int) -> int:
        """Return numbers per frequency besides the kernel: V twice, and four squares while inverting."""
        less, more = sorted((channels_in, channels_out))
        return 2 * (more - less) * less + 4 * less**2

    def columns(self, weight: Tensor, height: int, width: int) -> Tensor:
        """Return (F, m, n) with orthonormal columns from a kernel (m, n, k, k), m >= n."""
        square = weight.shape[1]
        weight = weight * (self.alpha / self.weight.norm())
        top, rest = weight[:square], weight[square:]
        generator = transfer(top - adjoint(top), height, width)
        identity = torch.eye(square, device=weight.device, dtype=generator.dtype)
        if not len(rest):
            square_q: Tensor = 2 * inverse_of(identity + generator) - identity
            return square_q
        below = transfer(rest, height, width)
        inverse = inverse_of(identity + generator + below.mH @ below)
        return torch.cat((2 * inverse - identity, -2 * below @ inverse), dim=1)

    @torch.no_grad()
    def start_at_identity(self) -> None:
        """Keep the self-adjoint part of the weights; `alpha` stays their norm."""
        super().start_at_identity()
        self.alpha.copy_(self.weight.norm())
