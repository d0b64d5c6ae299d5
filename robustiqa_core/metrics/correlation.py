"""Agreement of predicted scores with human ones."""

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from robustiqa_core.errors import InputError

Array = npt.NDArray[np.float64]


def _pair(scores: npt.ArrayLike, mos: npt.ArrayLike) -> tuple[Array, Array]:
    a, b = np.asarray(scores, dtype=np.float64), np.asarray(mos, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or a.size < 2:
        raise InputError(f"expected two lists of the same length, 2 or more, got {a.shape} and {b.shape}; pair them")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("expected finite scores, got NaN or infinity; leave those photos out")
    return a, b


def srocc(scores: npt.ArrayLike, mos: npt.ArrayLike) -> float:
    """Return Spearman's rank correlation of scores (N,) and MOS (N,), in [-1, 1]; 0 where one of them is constant.

    Example:
        >>> srocc([1, 2, 3], [0.1, 0.4, 0.9])
        1.0
    """
    a, b = _pair(scores, mos)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return round(float(stats.spearmanr(a, b).statistic), 12)


def krocc(scores: npt.ArrayLike, mos: npt.ArrayLike) -> float:
    """Return Kendall's tau-b of scores (N,) and MOS (N,), in [-1, 1]; 0 where one of them is constant."""
    a, b = _pair(scores, mos)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(stats.kendalltau(a, b).statistic)


def logistic(scores: Array, high: float, low: float, middle: float, slope: float) -> Array:
    """Return the 4-parameter logistic (high - low) / (1 + exp(-(s - middle) / |slope|)) + low."""
    return (high - low) * special.expit((scores - middle) / max(abs(slope), 1e-12)) + low


def fit_logistic(scores: npt.ArrayLike, mos: npt.ArrayLike) -> Array:
    """Return scores (N,) mapped to the MOS scale by the least-squares 4-parameter logistic.

    Raises:
        InputError: fewer than four photos, or lists that do not pair.

    Source: Video Quality Experts Group, final report on FR-TV phase II, 2003; usual before PLCC and RMSE.
    """
    a, b = _pair(scores, mos)
    if a.size < 4:
        raise InputError(f"a logistic with 4 parameters needs 4 or more photos, got {a.size}; add photos")

    def residuals(parameters: Array) -> Array:
        return logistic(a, *parameters) - b

    start = (float(b.max()), float(b.min()), float(a.mean()), float(a.std()) or 1.0)
    # Levenberg and Marquardt's method, as usual for this fit; no covariance is wanted, which small sets do not have.
    fit = optimize.least_squares(residuals, start, method="lm", max_nfev=20_000)
    return logistic(a, *fit.x)


def plcc(scores: npt.ArrayLike, mos: npt.ArrayLike) -> float:
    """Return Pearson's linear correlation of scores (N,) and MOS (N,), in [-1, 1]; 0 where one of them is constant.

    No mapping is applied; give `fit_logistic(scores, mos)` for the figure after the usual logistic.
    """
    a, b = _pair(scores, mos)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(stats.pearsonr(a, b).statistic)


def rmse(scores: npt.ArrayLike, mos: npt.ArrayLike) -> float:
    """Return the root mean squared difference of scores (N,) and MOS (N,), in the MOS's unit."""
    a, b = _pair(scores, mos)
    return float(np.sqrt(np.mean((a - b) ** 2)))
