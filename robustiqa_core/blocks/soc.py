"""Orthogonal convolution by the exponential of a skew convolution."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from robustiqa_core.blocks.convolution import adjoint
from robustiqa_core.blocks.spectral import SpectralConvolution, transfer

# Terms of the series, in groups of four. With matrices scaled to a norm of 1/2 the first term left out is below
# 0.5^13 / 13! = 2e-14, which is enough for double precision too.
_TERMS = 12
_SCALED_NORM = 0.5


def exponential(skew: Tensor) -> Tensor:
    """Return exp(A) of skew-Hermitian matrices A (..., n, n): the series of A / 2^s, truncated, then squared s times.

    `torch.matrix_exp` gives the same, but its gradient works on matrices of twice the size: at 64 channels on 8 x 8 it
    takes ten times as long.

    Source: M. S. Paterson and L. J. Stockmeyer, SIAM J. Comput. 2(1), 1973, for the grouping of the terms.
    """
    second = skew @ skew
    squarings = 0
    if not skew.is_meta:
        # The spectral norm of A is at most the root of the Frobenius norm of A^2.
        norm = second.detach().abs().square().sum((-2, -1)).max().item() ** 0.25
        # A norm that is not finite ends in the check of the result.
        if math.isfinite(norm) and norm > _SCALED_NORM:
            squarings = math.ceil(math.log2(norm / _SCALED_NORM))
    scale = 0.5**squarings
    powers = [torch.eye(skew.shape[-1], dtype=skew.dtype, device=skew.device), skew * scale, second * scale**2]
    powers.append(powers[1] @ powers[2])
    fourth = powers[2] @ powers[2]

    def group(first: int) -> Tensor:
        return sum((powers[i] / math.factorial(first + i) for i in range(1, 4)), powers[0] / math.factorial(first))

    result = group(8) + fourth / math.factorial(_TERMS)
    for first in (4, 0):
        result = group(first) + fourth @ result
    for _ in range(squarings):
        result = result @ result
    return result


class SOC(SpectralConvolution):
    """The skew orthogonal convolution: exp of a skew-adjoint convolution, exactly orthogonal, without inverses.

    The kernel's skew part W - W* (W* being the kernel of the transposed convolution) is skew-Hermitian at each
    frequency, so that its exponential is unitary. With fewer inputs than outputs, zeros are added to the inputs; the
    price is that of the larger number.

    Source: S. Singla and S. Feizi, "Skew Orthogonal Convolutions", ICML 2021. There the truncated series is applied to
    the map, one convolution a term, and the kernel is shrunk until few terms suffice; here it is summed once for the
    grid, to rounding, so that eval mode costs one product a frequency and the kernel needs no bound.
    """

    title = "SOC"
    paper = "Singla and Feizi, Skew Orthogonal Convolutions, ICML 2021"
    guarantee = "orthogonal"

    @classmethod
    def build_matrices(cls, channels_in: int, channels_out: int) -> int:
        """Return numbers per frequency besides the kernel: twelve squares of the larger number of channels."""
        return 12 * max(channels_in, channels_out) ** 2

    def columns(self, weight: Tensor, height: int, width: int) -> Tensor:
        """Return (F, m, n) with orthonormal columns from a kernel (m, n, k, k), m >= n."""
        more, less = weight.shape[:2]
        square = F.pad(weight, (0, 0, 0, 0, 0, more - less))
        return exponential(transfer(square - adjoint(square), height, width))[:, :, :less]
