"""Validation of paired lists of scores."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from robustiqa_core.errors import InputError

Array: TypeAlias = npt.NDArray[np.float64]
"""Scores or figures of photos, float64."""


def paired(first: npt.ArrayLike, second: npt.ArrayLike, *, least: int = 2) -> tuple[Array, Array]:
    """Return two paired lists of scores (N,) as float64 arrays.

    Args:
        first: (N,), finite.
        second: (N,), finite, of the same photos in the same order.
        least: smallest N.

    Raises:
        InputError: not two lists of one length, fewer than `least`, or a value that is not finite.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or a.size < least:
        raise InputError(
            f"expected two lists of the same length, at least {least}, got {a.shape} and {b.shape}; pair them"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("expected finite scores, got NaN or infinity; leave those photos out")
    return a, b
