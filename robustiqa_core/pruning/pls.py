"""Partial least squares with one response, and the importance of each variable."""

import torch
from torch import Tensor

from robustiqa_core.errors import InputError

# Values that differ by less than this share of their size differ by the rounding of single precision only.
_ROUNDING = 1e-6


def standardise(x: Tensor) -> Tensor:
    """Return columns (N, C) less their means, divided by their standard deviations; constant ones become 0."""
    spread = x.amax(0) - x.amin(0)
    constant = spread <= _ROUNDING * x.abs().amax(0)
    centred = x - x.mean(0)
    return torch.where(constant, 0.0, centred / centred.std(0).where(~constant, torch.ones_like(spread)))


def variable_importance(x: Tensor, y: Tensor, *, components: int = 2) -> Tensor:
    """Return the Variable Importance in Projection (C,) of the columns of x for y.

        VIP_j^2 = C sum_a e_a w_ja^2 / sum_a e_a,

    where w_a is the direction of length 1 of component a and e_a the part of y's variation that it explains. The
    squares have the mean 1 (unless all columns are constant, when all are 0); a variable above 1 is more important
    than average. Variables and response are standardised first.

    With one response, NIPALS has nothing to iterate: the direction is X^T r / |X^T r|, with r what is left of y.

    Args:
        x: (N, C), one row a sample; C may be larger than N.
        y: (N,), the response.
        components: directions, at most N - 1.

    Raises:
        InputError: fewer than three samples, or a response that is the same for all.

    Source: S. Wold, M. Sjostrom, L. Eriksson, "PLS-regression: a basic tool of chemometrics", Chemometrics and
    Intelligent Laboratory Systems 58, 2001, sections 3.6 and 4.3.
    """
    if len(y) < 3:
        raise InputError(f"partial least squares needs at least three samples, got {len(y)}; add photos")
    rest, left = standardise(x.double()), standardise(y.double()[:, None])[:, 0]
    if not left.any():
        raise InputError("partial least squares needs a varying response, got a constant; check it")
    weighted, total = torch.zeros_like(rest[0]), 0.0
    for _ in range(min(components, len(y) - 1)):
        direction = rest.mT @ left
        length = torch.linalg.vector_norm(direction)
        # The residual of y is rounding noise, or unrelated to every variable.
        if length <= 1e-9 * len(y):
            break
        direction = direction / length
        latent = rest @ direction
        power = latent @ latent
        slope = left @ latent / power
        explained = float(slope.square() * power)
        weighted += explained * direction.square()
        total += explained
        rest, left = rest - torch.outer(latent, rest.mT @ latent / power), left - slope * latent
    return (x.shape[1] * weighted / total).sqrt() if total else weighted
