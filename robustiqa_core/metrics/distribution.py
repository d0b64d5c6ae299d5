"""How far the attacked scores lie from the clean ones as sets, whichever photo got which: distances with a sign."""

import math

import numpy as np
import numpy.typing as npt
from scipy import stats

from robustiqa_core.metrics.pairing import paired


def wasserstein_score(clean: npt.ArrayLike, attacked: npt.ArrayLike) -> float:
    """Return the Wasserstein distance of the two sets of scores, with the sign of the mean change.

    The mean distance that scores must move to turn one set into the other; on the scale of the scores. At least
    |`absolute_gain`|, and equal to it where the sorted scores all move the same way.

    Args:
        clean: (N,), scaled.
        attacked: (N,), scaled.

    Source: MSU's robustness benchmark; the sign is that of mean(attacked) - mean(clean), plus where that is 0.

    Example:
        >>> wasserstein_score([0.25, 0.5], [0.5, 0.75])
        0.25
    """
    before, after = paired(clean, attacked, least=1)
    return math.copysign(stats.wasserstein_distance(before, after), np.mean(after - before))


def energy_score(clean: npt.ArrayLike, attacked: npt.ArrayLike) -> float:
    """Return the energy distance of the two sets of scores, with the sign of the mean change.

    sqrt(2 E|X - Y| - E|X - X'| - E|Y - Y'|) over independent draws X, X' of clean and Y, Y' of attacked scores; its
    unit is the square root of that of the scores, so that a scale k times as wide gives sqrt(1 / k) of it.

    Args:
        clean: (N,), scaled.
        attacked: (N,), scaled.

    Source: MSU's robustness benchmark; G. Szekely and M. Rizzo, "Energy statistics", 2013, for the distance.
    """
    before, after = paired(clean, attacked, least=1)
    return math.copysign(stats.energy_distance(before, after), np.mean(after - before))
