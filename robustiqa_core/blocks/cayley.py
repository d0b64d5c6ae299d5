"""Orthogonal convolution by the Cayley transform at each frequency."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from robustiqa_core.blocks.convolution import LayerCost, adjoint, full_precision
from robustiqa_core.blocks.orthonormal import check_isometry
from robustiqa_core.blocks.spectral import SpectralConvolution, transfer
from robustiqa_core.errors import NumericalError

_BATCHED = 192
"""Side from which on matrices are inverted one by one where several threads compute. After `torch.set_num_threads(n)`
with n > 1, MKL gets batches of 200 and more wrong (torch 2.13 and 2.14), and floods the output with its own errors."""


def inverse_of(matrices: Tensor) -> Tensor:
    """Return the inverses of matrices (..., n, n); for singular ones, values that the later check refuses.

    Raises:
        NumericalError: the library of linear algebra fails on them.
    """
    side = matrices.shape[-1]
    try:
        if side >= _BATCHED and matrices.device.type == "cpu" and torch.get_num_threads() > 1:
            singly = [torch.linalg.inv_ex(matrix).inverse for matrix in matrices.reshape(-1, side, side)]
            return torch.stack(singly).reshape(matrices.shape)
        inverse: Tensor = torch.linalg.inv_ex(matrices).inverse
        return inverse
    except RuntimeError as error:
        if "illegal value" not in str(error):
            raise
        raise NumericalError(
            f"expected the inverses of {matrices.shape[:-2].numel()} matrices of side {side}, got a library "
            "error; do not call torch.set_num_threads (set OMP_NUM_THREADS before the start instead)"
        ) from error


@dataclass(frozen=True, slots=True, eq=False)
class _Factors:
    """Q = [2 M - I; -2 V M] at F frequencies, with M = (I + A)^-1.

    Args:
        inverse: M, (F, n, n).
        below: V, (F, m - n, n); None where m = n.
    """

    inverse: Tensor
    below: Tensor | None

    def matrices(self) -> Tensor:
        """Return Q (F, m, n)."""
        top = 2 * self.inverse - torch.eye(self.inverse.shape[-1], device=self.inverse.device)
        return top if self.below is None else torch.cat((top, -2 * self.below @ self.inverse), dim=1)

    def apply(self, x: Tensor) -> Tensor:
        """Return Q x (F, m, N) of x (F, n, N)."""
        doubled = 2 * self.inverse @ x
        return doubled - x if self.below is None else torch.cat((doubled - x, -self.below @ doubled), dim=1)

    def apply_adjoint(self, y: Tensor) -> Tensor:
        """Return Q^H y (F, n, N) of y (F, m, N)."""
        top, rest = y[:, : self.inverse.shape[-1]], y[:, self.inverse.shape[-1] :]
        gathered = top if self.below is None else top - self.below.mH @ rest
        return 2 * self.inverse.mH @ gathered - top


class Cayley(SpectralConvolution):
    """The Cayley layer: exactly orthogonal, at the cost of one inverse per frequency.

    With the scaled weights at a frequency split into the square top U and the rest V,
    A = U - U^H + V^H V and Q = [(I + A)^-1 (I - A); -2 V (I + A)^-1]. The real part of A is not negative, so that
    I + A can always be inverted, and Q^H Q = I. The weights are scaled to the norm `alpha`, which is trained too.

    Source: A. Trockman and J. Z. Kolter, "Orthogonalizing Convolutional Layers with the Cayley Transform", ICLR 2021,
    section 4. As in the paper: circular, stride 1. Unlike it: any height and width, half of the spectrum, `alpha` (the
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
        """Return the cost of a layer of this shape on a grid of height x width, in single precision."""
        cost = super().cost(channels_in, channels_out, kernel_size, height, width)
        return replace(cost, parameters=cost.parameters + 1)

    @classmethod
    def build_matrices(cls, channels_in: int, channels_out: int) -> int:
        """Return numbers per frequency besides the kernel: V twice, and four squares while inverting."""
        less, more = sorted((channels_in, channels_out))
        return 2 * (more - less) * less + 4 * less**2

    def columns(self, weight: Tensor, height: int, width: int) -> Tensor:
        """Return (F, m, n) with orthonormal columns from a kernel (m, n, k, k), m >= n."""
        return self._factors(weight, height, width).matrices()

    def _factors(self, weight: Tensor, height: int, width: int) -> "_Factors":
        square = weight.shape[1]
        weight = weight * (self.alpha / self.weight.norm())
        top, rest = weight[:square], weight[square:]
        generator = transfer(top - adjoint(top), height, width)
        generator = generator + torch.eye(square, device=weight.device, dtype=generator.dtype)
        if not len(rest):
            return _Factors(inverse_of(generator), None)
        below = transfer(rest, height, width)
        return _Factors(inverse_of(generator + below.mH @ below), below)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels_out, H, W) of x (N, channels_in, H, W).

        A batch is multiplied by the factors of the matrices, which are never formed: of the products with V, as large
        as the kernel, one is left besides those with the batch.
        """
        if self.channels_in == self.channels_out:
            return super().forward(x)
        height, width = x.shape[-2:]
        self._check_memory(height, width)
        with full_precision(self.weight.device):
            narrows = self.channels_in > self.channels_out
            factors = self._factors(adjoint(self.weight) if narrows else self.weight, height, width)
            check_isometry(factors.apply, factors.apply_adjoint, factors.inverse)
        return self._filtered(x, factors.apply_adjoint if narrows else factors.apply)

    @torch.no_grad()
    def start_at_identity(self) -> None:
        """Keep the self-adjoint part of the weights; `alpha` stays their norm."""
        super().start_at_identity()
        self.alpha.copy_(self.weight.norm())
