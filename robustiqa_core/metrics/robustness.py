"""How far an attack moved the scores of photos: pure functions of clean and attacked scores.

`clean` and `attacked` are (N,), finite, of the same photos in the same order, and on one scale (`Scale.apply`) unless
it says that the scale does not matter. `docs/reference/metrics.md` explains each figure with an example.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from robustiqa_core.errors import InputError
from robustiqa_core.metrics.correlation import krocc
from robustiqa_core.metrics.pairing import Array, paired

R_EPSILON = 1e-6
"""The epsilon of Zhang et al. and MSU: an attack without effect gives 6 instead of infinity."""
UNMOVED = 1e-3
"""Change on the scale 0 to 1 below which an image counts as unmoved."""


def absolute_gain(clean: npt.ArrayLike, attacked: npt.ArrayLike) -> float:
    """Return the mean change, mean(attacked - clean), signed; the closer to 0, the more robust.

    Example:
        >>> absolute_gain([0.25, 0.5], [0.75, 0.75])
        0.375
    """
    before, after = paired(clean, attacked, least=1)
    return float(np.mean(after - before))


def relative_gains(clean: npt.ArrayLike, attacked: npt.ArrayLike) -> Array:
    """Return (attacked - clean) / (clean + 1) of each image; NaN where clean is -1 or less and it has no meaning."""
    before, after = paired(clean, attacked, least=1)
    return (after - before) / np.where(before > -1, before + 1, np.nan)


def relative_gain(clean: npt.ArrayLike, attacked: npt.ArrayLike) -> float:
    """Return the mean of `relative_gains`: changes of poor photos weigh more; the closer to 0, the more robust."""
    return float(np.mean(relative_gains(clean, attacked)))


def r_values(clean: npt.ArrayLike, attacked: npt.ArrayLike) -> Array:
    """Return log10(max(1 - clean, clean) / (|attacked - clean| + 1e-6)) of each image.

    The farthest that the score could move within the scale over how far it moved, as a power of ten.
    """
    before, after = paired(clean, attacked, least=1)
    return np.log10(np.maximum(1 - before, before) / (np.abs(after - before) + R_EPSILON))


def r_score(clean: npt.ArrayLike, attacked: npt.ArrayLike) -> float:
    """Return the R-score, the mean of `r_values`; larger is more robust.

    An unmoved image contributes up to 6: read it together with `unmoved_share`.

    Source: W. Zhang et al., "Perceptual Attacks of No-Reference Image Quality Models with Human-in-the-Loop",
    NeurIPS 2022, with the epsilon of MSU's robustness benchmark.

    Example:
        >>> round(r_score([0.5, 0.2], [0.55, 0.28]), 4)
        1.0
    """
    return float(np.mean(r_values(clean, attacked)))


def r_score_without_epsilon(clean: npt.ArrayLike, attacked: npt.ArrayLike) -> float:
    """Return mean log10(max(max(attacked) - attacked, clean - min(clean)) / |attacked - clean|).

    A variant in public code, with the extremes of the data in place of the scale's ends: any linear map of the scores
    leaves it as it is. NaN where an image did not move, or was the worst before and the best after the attack.
    """
    before, after = paired(clean, attacked, least=1)
    room = np.maximum(after.max() - after, before - before.min())
    change = np.abs(after - before)
    if not (room.all() and change.all()):
        return float("nan")
    return float(np.mean(np.log10(room / change)))


def unmoved(clean: npt.ArrayLike, attacked: npt.ArrayLike) -> Array:
    """Return 1 for each image that moved by less than 1e-3, else 0."""
    before, after = paired(clean, attacked, least=1)
    return (np.abs(after - before) < UNMOVED).astype(np.float64)


def unmoved_share(clean: npt.ArrayLike, attacked: npt.ArrayLike) -> float:
    """Return the share of images that moved by less than 1e-3; 1 means that the attack did nothing."""
    return float(np.mean(unmoved(clean, attacked)))


def flip_rate(clean: npt.ArrayLike, attacked: npt.ArrayLike) -> float:
    """Return the share of pairs of photos whose order the attack reversed, in [0, 1]; 0.5 is an order by chance.

    Pairs with equal clean scores are left out; a pair with equal scores after the attack counts half. The scale does
    not matter. NaN where all clean scores are equal.

    Example:
        >>> round(flip_rate([1, 2, 3], [1, 3, 2]), 4)
        0.3333
    """
    before, after = paired(clean, attacked)
    tied_before, tied_after = _ties(before), _ties(after)
    if tied_before == 1:
        return float("nan")
    # Kendall's tau-b divides (concordant - discordant) by the mean of both untied counts; here by the clean one.
    # It is undefined where all scores are equal after the attack, and then every pair counts half.
    order = (krocc(before, after) or 0.0) * np.sqrt((1 - tied_after) / (1 - tied_before))
    return float(np.clip((1 - order) / 2, 0, 1))


def _ties(scores: Array) -> float:
    """Return the share of pairs with equal scores."""
    counts = np.unique(scores, return_counts=True)[1].astype(np.float64)
    return float((counts * (counts - 1)).sum() / (scores.size * (scores.size - 1)))


def range_ratio(scores: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return (max - min of `scores`) / (max - min of `reference`); NaN where all of `reference` are equal.

    Below 1 the scores are narrower than the reference. With the clean scores of a hardened model and of its baseline,
    it tells how much of a gain under the convention `baseline` is narrowing.
    """
    a, b = (np.asarray(values, dtype=np.float64) for values in (scores, reference))
    return float(np.ptp(a) / np.ptp(b)) if np.ptp(b) > 0 else float("nan")


def worst_case(clean: npt.ArrayLike, attacked: Sequence[npt.ArrayLike]) -> Array:
    """Return for each image the attacked score that is farthest from the clean one, over several attacks.

    No single attack has a smaller R-score, or a larger mean size of the changes. Farthest is either way, so that the
    signed gain mixes attacks that raise scores with attacks that lower them.

    Args:
        clean: (N,).
        attacked: scores (N,) of each attack, one or more; the first wins where two are equally far.

    Raises:
        InputError: no attack, or lists that do not pair.
    """
    if not attacked:
        raise InputError("expected the scores under at least one attack, got none; attack the images first")
    pairs = [paired(clean, scores, least=1) for scores in attacked]
    after = np.stack([scores for _, scores in pairs])
    farthest = np.abs(after - pairs[0][0]).argmax(axis=0)
    return np.asarray(after[farthest, np.arange(after.shape[1])], dtype=np.float64)


def area_under_curve(strengths: Sequence[float], figures: Sequence[float]) -> float:
    """Return the mean height of a figure over strengths: (1 / (e_K - e_1)) * the area by trapezoids.

    Args:
        strengths: two or more different ones, in any order; they are sorted by number.
        figures: the figure at each.

    Raises:
        InputError: lists that do not pair, fewer than two strengths, or one of them twice.

    Example:
        >>> area_under_curve([8, 2, 4], [0.9, 0.3, 0.5])
        0.6
    """
    x, y = paired(strengths, figures)
    order = np.argsort(x)
    x, y = x[order], y[order]
    if not (np.diff(x) > 0).all():
        raise InputError(f"expected different strengths, got {x.tolist()}; give one figure for each strength")
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))
