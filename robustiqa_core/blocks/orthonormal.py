"""Matrices with orthonormal columns: made from any weights, and checked."""

from collections.abc import Callable

import torch
from torch import Tensor

from robustiqa_core.errors import NumericalError


def semi_orthogonal(weight: Tensor) -> Tensor:
    """Return matrices (..., m, n), m >= n, with orthonormal columns: Q of weight = QR with a positive diagonal of R.

    Exact for every weight of full rank, and the same for c * weight with any c > 0, so that neither weight decay nor
    the rounding of a stored checkpoint harms it. (`torch.nn.utils.parametrizations.orthogonal` does not serve: its
    Householder form cuts the decayed diagonal to whole numbers, after which the matrix is 0, and its other forms keep
    an orthogonal buffer, which is no longer orthogonal once stored in half precision.)

    Args:
        weight: (..., m, n), real, full rank.

    Raises:
        NumericalError: the result is not orthonormal.
    """
    q, r = torch.linalg.qr(weight)
    # An orthonormal weight is its own Q; without the sign its columns could be turned round.
    signs = torch.where(r.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(q.dtype)
    return check_orthonormal(q * signs.unsqueeze(-2))


def check_orthonormal(matrices: Tensor) -> Tensor:
    """Return matrices (..., m, n) if their columns are orthonormal, else raise.

    Checks |Q^H Q v - v| <= sqrt(machine epsilon) in every entry for one vector v of signs: a wrong entry of any size
    above that shows, for the price of two products with a vector. Values on the `meta` device are not looked at.

    Why at all: batched inverses of matrices of 200 and more are wrong on the CPU after `torch.set_num_threads(n)` with
    n > 1 (MKL builds of torch 2.13 and 2.14), with residuals of 0.2 and no error.

    Raises:
        NumericalError: they are not, or they hold values that are not finite.
    """
    check_isometry(lambda signs: matrices @ signs, lambda moved: matrices.mH @ moved, matrices)
    return matrices


def check_isometry(apply: Callable[[Tensor], Tensor], apply_adjoint: Callable[[Tensor], Tensor], like: Tensor) -> None:
    """Check, as `check_orthonormal`, matrices Q (..., m, n) that are known by their products.

    Args:
        apply: returns Q v (..., m, 1) of v (n, 1).
        apply_adjoint: returns Q^H w (..., n, 1) of w (..., m, 1).
        like: (..., n): gives n, dtype and device.

    Raises:
        NumericalError: Q^H Q v is not v.
    """
    if like.is_meta or like.numel() == 0:
        return
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        signs = torch.randint(0, 2, (like.shape[-1], 1), generator=generator).to(like.device, like.dtype) * 2 - 1
        residual = (apply_adjoint(apply(signs)) - signs).abs().max().item()
    limit = torch.finfo(like.dtype).eps ** 0.5
    # Written so that NaN, which compares false with everything, is refused as well.
    if not residual <= limit:
        raise NumericalError(
            f"expected orthonormal columns within {limit:.1e}, got a residual of {residual:.1e}; if the weights are "
            "finite, do not call torch.set_num_threads (set OMP_NUM_THREADS before the start instead)"
        )
