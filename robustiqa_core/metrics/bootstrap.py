"""Confidence intervals by resampling photos."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from robustiqa_core.checks import check_count, check_fraction
from robustiqa_core.errors import InputError
from robustiqa_core.metrics.pairing import Array

_ROWS = 64
"""Draws held in memory at once."""


def resample(
    statistic: Callable[..., npt.ArrayLike], *samples: npt.ArrayLike, resamples: int = 1000, seed: int = 0
) -> Array:
    """Return the values of a statistic over photos drawn with replacement; all values of a photo are drawn together.

    Args:
        statistic: of as many arrays (draws, N) as there are samples; gives (draws,) or (draws, figures).
        samples: each (N,), of the same photos in the same order.
        resamples: number of draws.
        seed: of the draws.

    Returns:
        (resamples,) or (resamples, figures).

    Raises:
        InputError: samples of different length, or empty ones.

    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, section 6.
    """
    check_count("resamples", resamples)
    arrays = [np.asarray(sample, dtype=np.float64) for sample in samples]
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1 or arrays[0].ndim != 1 or arrays[0].size == 0:
        raise InputError(f"expected samples of equal, non-zero length, got the shapes {sorted(shapes)}; pair them")
    draws = _draws(arrays[0].size, resamples, seed)
    return np.concatenate([np.asarray(statistic(*(array[draw] for array in arrays))) for draw in draws])


def percentile_interval(values: npt.ArrayLike, *, level: float = 0.95) -> tuple[float, float]:
    """Return the middle `level` of resampled values (resamples,), without those that are NaN, as (low, high).

    Args:
        values: of `resample`.
        level: confidence level, in (0, 1].

    Source: Efron and Tibshirani, section 13.3.
    """
    check_fraction("level", level)
    draws = np.asarray(values, dtype=np.float64)
    low, high = np.quantile(draws[~np.isnan(draws)], [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_interval(
    statistic: Callable[..., float | None],
    *samples: npt.ArrayLike,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Return the percentile interval of a statistic over photos drawn with replacement.

    Args:
        statistic: of as many arrays (N,) as there are samples, such as scores and MOS; None where it is undefined, as
            on draws of one photo only, which are then left out.
        samples: each (N,), of the same photos in the same order.
        resamples: number of draws.
        level: confidence level, in (0, 1].
        seed: of the draws.

    Returns:
        (low, high); None where the statistic is undefined for all photos together.
    """
    if statistic(*(np.asarray(sample, dtype=np.float64) for sample in samples)) is None:
        return None

    def each(*rows: Array) -> list[float]:
        values = (statistic(*row) for row in zip(*rows, strict=True))
        return [math.nan if value is None else value for value in values]

    return percentile_interval(resample(each, *samples, resamples=resamples, seed=seed), level=level)


def _draws(size: int, resamples: int, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield places (rows, size) to draw photos from, `resamples` rows in all."""
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, _ROWS):
        yield generator.integers(0, size, (min(_ROWS, resamples - start), size))
