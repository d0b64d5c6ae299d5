"""Is one model or attack really different from another on the same photos? Paired tests."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from robustiqa_core.metrics.bootstrap import percentile_interval, resample
from robustiqa_core.metrics.pairing import Array, paired


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Difference of one figure of each photo between two models (or attacks), second minus first.

    The p-values are of this one comparison; of twenty comparisons without any effect, one falls below 0.05.

    Args:
        photos: pairs.
        mean_difference: mean of second - first.
        interval: 95 % bootstrap interval of the mean difference, over photos.
        wilcoxon_p: two-sided p-value of Wilcoxon's signed-rank test, in (0, 1]; 1 where all pairs are equal.
        bootstrap_p: two-sided p-value that the mean difference is 0, from the same draws as the interval.
        rank_biserial: effect size of the signed ranks, in [-1, 1]: the sum of the ranks of the photos where second is
            larger, less that of the others, over the sum of all; 1 means larger on every photo.
    """

    photos: int
    mean_difference: float
    interval: tuple[float, float]
    wilcoxon_p: float
    bootstrap_p: float
    rank_biserial: float


def compare_paired(first: npt.ArrayLike, second: npt.ArrayLike, *, resamples: int = 1000, seed: int = 0) -> PairedTest:
    """Return the paired tests of second - first.

    Args:
        first: a figure of each photo, (N,), such as its absolute change on the baseline.
        second: the same of the other model, photos in the same order.
        resamples: bootstrap draws.
        seed: of the draws.

    Source:
        F. Wilcoxon, "Individual comparisons by ranking methods", 1945, photos without any difference left out;
        D. Kerby, "The simple difference formula", 2014, for the effect size; Efron and Tibshirani, section 16.4, for
        the bootstrap, here by the draws on the other side of 0.

    Example:
        >>> compare_paired([0.5, 0.4, 0.6], [0.2, 0.1, 0.3]).rank_biserial
        -1.0
    """
    a, b = paired(first, second, least=1)
    difference = b - a
    means = resample(lambda rows: rows.mean(-1), difference, resamples=resamples, seed=seed)
    moved = difference[difference != 0]
    return PairedTest(
        photos=difference.size,
        mean_difference=float(difference.mean()),
        interval=percentile_interval(means),
        wilcoxon_p=float(stats.wilcoxon(moved).pvalue) if moved.size else 1.0,
        bootstrap_p=_two_sided(means),
        rank_biserial=_rank_biserial(moved),
    )


def _two_sided(means: Array) -> float:
    """Return twice the smaller share of draws on one side of 0, at most 1; one draw is added, so that it is never 0."""
    side = min(np.count_nonzero(means <= 0), np.count_nonzero(means >= 0))
    return float(min(1.0, 2 * (side + 1) / (means.size + 1)))


def _rank_biserial(moved: Array) -> float:
    """Return (ranks of positive - ranks of negative differences) / all ranks; 0 where there are none."""
    if moved.size == 0:
        return 0.0
    ranks = stats.rankdata(np.abs(moved))
    return float((ranks * np.sign(moved)).sum() / ranks.sum())
