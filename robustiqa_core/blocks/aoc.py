"""Orthogonal convolution with an explicit kernel, composed of projections."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustiqa_core.blocks.convolution import LayerCost, SpatialConvolution, adjoint
from robustiqa_core.blocks.orthonormal import semi_orthogonal


def extend(kernel: Tensor, basis: Tensor, axis: int, *, swapped: bool) -> Tensor:
    """Return a kernel one place longer along `axis`: `kernel` after the convolution of two places (P, I - P).

    P = basis basis^T is a projection, so that the pair is orthogonal: P^2 + (I - P)^2 = I and P (I - P) = 0.

    Args:
        kernel: (h, w, m, n).
        basis: (n, r), orthonormal columns.
        axis: 0 for the height, 1 for the width.
        swapped: take (I - P, P).
    """
    projected = (kernel @ basis) @ basis.mT
    first, second = (kernel - projected, projected) if swapped else (projected, kernel - projected)
    # F.pad counts from the last axis.
    before, after = [0] * 8, [0] * 8
    before[2 * (3 - axis)] = 1
    after[2 * (3 - axis) + 1] = 1
    return F.pad(first, after) + F.pad(second, before)


class AOC(SpatialConvolution):
    """The adaptive orthogonal convolution at stride 1: exactly orthogonal, with an ordinary small kernel.

    A k x k kernel is a matrix with orthonormal columns after k - 1 pairs (P, I - P) along each axis, the axes taking
    turns. It is orthogonal on every grid, and costs one build whatever the grid. Every second pair is swapped, so that
    equal projections give the identity.

    Source: Q. Li et al., "Preventing Gradient Attenuation in Lipschitz Constrained Convolutional Networks", NeurIPS
    2019 (the construction); T. Boissin et al., "An Adaptive Orthogonal Convolution Scheme for Efficient and Flexible
    CNN Architectures", ICML 2025 (AOC; with a stride it adds a second kernel, which is not needed here). The columns
    are made orthonormal by QR, not by an iteration, so that there is no state to keep; between different numbers of
    channels the pairs work on the smaller one.
    """

    title = "AOC"
    paper = "Boissin et al., An Adaptive Orthogonal Convolution Scheme, ICML 2025"
    guarantee = "orthogonal"

    def __init__(self, channels_in: int, channels_out: int, kernel_size: int = 3) -> None:
        """Make a layer with random weights."""
        super().__init__(channels_in, channels_out, kernel_size)
        less, more = sorted((channels_in, channels_out))
        self.mixing = nn.Parameter(torch.empty(more, less))
        nn.init.normal_(self.mixing)
        # Without pairs there is nothing to train but the mixing.
        if kernel_size > 1:
            self.projections = nn.Parameter(torch.empty(2 * (kernel_size - 1), less, (less + 1) // 2))
            nn.init.normal_(self.projections)

    @classmethod
    def cost(cls, channels_in: int, channels_out: int, kernel_size: int, height: int, width: int) -> LayerCost:
        """Return the cost of a layer of this shape on a grid of height x width, in single precision."""
        less, more = sorted((channels_in, channels_out))
        projections = 2 * (kernel_size - 1) * less * ((less + 1) // 2)
        kernel = less * more * kernel_size**2
        return cls._spatial_cost(
            (channels_in, channels_out, kernel_size),
            (height, width),
            parameters=less * more + projections,
            build_numbers=7 * kernel + 2 * projections,
        )

    def build(self, height: int, width: int) -> Tensor:
        """Return the kernel (channels_out, channels_in, k, k), the same for every grid."""
        kernel = semi_orthogonal(self.mixing)[None, None]
        if self.kernel_size > 1:
            for index, basis in enumerate(semi_orthogonal(self.projections)):
                kernel = extend(kernel, basis, index % 2, swapped=index % 4 > 1)
        weight = kernel.permute(2, 3, 0, 1)
        return (adjoint(weight) if self.channels_in > self.channels_out else weight).contiguous()

    @torch.no_grad()
    def start_at_identity(self) -> None:
        """Set the matrix to the identity and all projections to the first."""
        nn.init.eye_(self.mixing)
        if self.kernel_size > 1:
            self.projections.copy_(self.projections[:1].clone().expand_as(self.projections))
