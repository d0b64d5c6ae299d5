"""Confidence intervals by resampling photos."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from robustiqa_core.checks import check_count, check_fraction


def bootstrap_interval(
    statistic: Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], float],
    scores: npt.ArrayLike,
    mos: npt.ArrayLike,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the percentile interval of a statistic of pairs, over photos drawn with replacement.

    Args:
        statistic: of scores (N,) and MOS (N,).
        scores: (N,).
        mos: (N,).
        resamples: number of draws.
        level: probability that the interval stands for, in (0, 1].
        seed: of the draws.

    Returns:
        (low, high).

    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3.
    """
    check_count("resamples", resamples)
    check_fraction("level", level)
    a, b = np.asarray(scores, dtype=np.float64), np.asarray(mos, dtype=np.float64)
    generator = np.random.default_rng(seed)
    draws = (generator.integers(0, a.size, a.size) for _ in range(resamples))
    values = [statistic(a[draw], b[draw]) for draw in draws]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
