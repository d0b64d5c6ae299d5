"""Agreement of predicted scores with human ones, or of two lists of scores with each other."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from robustiqa_core.errors import InputError
from robustiqa_core.metrics.pairing import Array, paired

LOGISTIC_PHOTOS = 4
"""Photos that the usual logistic needs: as many as it has parameters."""

_ROUNDING = 1e-12
"""Spread, as a share of the largest value, that is rounding and no difference."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well two lists of scores agree; None is a correlation that is undefined, as where one list is constant.

    Args:
        srocc: Spearman's rank correlation, in [-1, 1].
        plcc: Pearson's correlation, in [-1, 1].
        krocc: Kendall's tau-b, in [-1, 1].
        rmse: root mean squared difference, in the unit of the second list.
    """

    srocc: float | None
    plcc: float | None
    krocc: float | None
    rmse: float


def is_constant(values: Array) -> bool:
    """Return whether all values (N,) are equal, but for rounding in the last bits of float64."""
    return bool(np.ptp(values) <= _ROUNDING * np.abs(values).max())


def agreement(scores: npt.ArrayLike, reference: npt.ArrayLike) -> Agreement:
    """Return all four figures of scores (N,) against a reference (N,), without any mapping."""
    return Agreement(
        srocc=srocc(scores, reference),
        plcc=plcc(scores, reference),
        krocc=krocc(scores, reference),
        rmse=rmse(scores, reference),
    )


def spell_correlation(value: float | None, digits: int = 3, sign: str = "") -> str:
    """Return a correlation as people read it, everywhere in the same words; NaN stands for an undefined one, too.

    Example:
        >>> spell_correlation(0.5), spell_correlation(None)
        ('0.500', 'undefined')
    """
    return "undefined" if value is None or math.isnan(value) else f"{value:{sign}.{digits}f}"


def spell_agreement(srocc: float | None, plcc: float | None) -> str:
    """Return the two figures that are told of most models, with their names."""
    return f"SROCC {spell_correlation(srocc, 4)}, PLCC {spell_correlation(plcc, 4)}"


def srocc(scores: npt.ArrayLike, mos: npt.ArrayLike) -> float | None:
    """Return Spearman's rank correlation of scores (N,) and MOS (N,), in [-1, 1]; None where one of them is constant.

    Example:
        >>> srocc([1, 2, 3], [0.1, 0.4, 0.9])
        1.0
    """
    a, b = paired(scores, mos)
    if is_constant(a) or is_constant(b):
        return None
    return round(float(stats.spearmanr(a, b).statistic), 12)


def srocc_to_choose(scores: npt.ArrayLike, mos: npt.ArrayLike) -> float:
    """Return `srocc` to choose between models by: -1, which no other is below, where it is undefined."""
    found = srocc(scores, mos)
    return -1.0 if found is None else found


def rank_correlations(scores: Array, mos: Array) -> Array:
    """Return `srocc` of each row of scores (K, N) with the same row of MOS (K, N): (K,), NaN where undefined."""
    a, b = (stats.rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2 for values in (scores, mos))
    product = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return np.asarray((a * b).sum(-1) / np.where(product > 0, product, np.nan), dtype=np.float64)


def krocc(scores: npt.ArrayLike, mos: npt.ArrayLike) -> float | None:
    """Return Kendall's tau-b of scores (N,) and MOS (N,), in [-1, 1]; None where one of them is constant."""
    a, b = paired(scores, mos)
    if is_constant(a) or is_constant(b):
        return None
    return float(stats.kendalltau(a, b).statistic)


def logistic(scores: Array, high: float, low: float, middle: float, slope: float) -> Array:
    """Return the 4-parameter logistic (high - low) / (1 + exp(-(s - middle) / |slope|)) + low."""
    return (high - low) * special.expit((scores - middle) / max(abs(slope), 1e-12)) + low


def logistic_parameters(scores: npt.ArrayLike, mos: npt.ArrayLike) -> tuple[float, float, float, float]:
    """Return (high, low, middle, slope) of the `logistic` that maps scores (N,) to MOS (N,) with the least squares.

    Raises:
        InputError: fewer than four photos, or lists that do not pair.

    Source: Video Quality Experts Group, final report on FR-TV phase II, 2003; usual before PLCC and RMSE.
    """
    a, b = paired(scores, mos)
    if a.size < LOGISTIC_PHOTOS:
        raise InputError(f"a logistic with 4 parameters needs at least 4 photos, got {a.size}; add photos")

    def residuals(parameters: Array) -> Array:
        return logistic(a, *parameters) - b

    start = (float(b.max()), float(b.min()), float(a.mean()), float(a.std()) or 1.0)
    # Levenberg and Marquardt's method, as usual for this fit; no covariance is wanted, which small sets do not have.
    fit = optimize.least_squares(residuals, start, method="lm", max_nfev=20_000)
    high, low, middle, slope = (float(value) for value in fit.x)
    return high, low, middle, slope


def fitted_logistic(scores: npt.ArrayLike, mos: npt.ArrayLike) -> tuple[float, float, float, float] | None:
    """Return `logistic_parameters`; None where there are too few photos for them, or all MOS are equal.

    Equal MOS are met by a constant, whatever the scores are: PLCC is undefined then, and an RMSE of 0 says nothing.
    """
    a, b = paired(scores, mos)
    return None if a.size < LOGISTIC_PHOTOS or is_constant(b) else logistic_parameters(a, b)


def fit_logistic(scores: npt.ArrayLike, mos: npt.ArrayLike) -> Array:
    """Return scores (N,) mapped to the MOS scale by their own `logistic_parameters`, with its errors."""
    return logistic(np.asarray(scores, dtype=np.float64), *logistic_parameters(scores, mos))


def plcc(scores: npt.ArrayLike, mos: npt.ArrayLike) -> float | None:
    """Return Pearson's linear correlation of scores (N,) and MOS (N,), in [-1, 1]; None where one of them is constant.

    No mapping is applied; give `fit_logistic(scores, mos)` for the figure after the usual logistic.
    """
    a, b = paired(scores, mos)
    if is_constant(a) or is_constant(b):
        return None
    return float(stats.pearsonr(a, b).statistic)


def rmse(scores: npt.ArrayLike, mos: npt.ArrayLike) -> float:
    """Return the root mean squared difference of scores (N,) and MOS (N,), in the MOS's unit."""
    a, b = paired(scores, mos)
    return float(np.sqrt(np.mean((a - b) ** 2)))
