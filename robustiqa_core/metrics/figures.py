"""All robustness figures of one model under one attack of one strength, on one scale."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from robustiqa_core.errors import InputError
from robustiqa_core.metrics import robustness
from robustiqa_core.metrics.bootstrap import percentile_interval, resample
from robustiqa_core.metrics.correlation import (
    LOGISTIC_PHOTOS,
    Agreement,
    agreement,
    fitted_logistic,
    logistic,
    rank_correlations,
)
from robustiqa_core.metrics.distribution import energy_score, wasserstein_score
from robustiqa_core.metrics.pairing import Array, paired
from robustiqa_core.metrics.scale import Scale

Effect = Literal["moved", "partly", "nothing"]
PARTLY, NOTHING = 0.05, 0.5
"""Shares of unmoved images from which an attack worked in part only, or did nothing."""


@dataclass(frozen=True, slots=True)
class RobustnessFigures:
    """The figures of one model under one attack of one strength.

    None stands for a figure that is not defined on these scores. `docs/reference/metrics.md` explains each.

    Args:
        scale: whose range is 0 to 1 in all figures but the rank correlations, `flip_rate`, `range_ratio`,
            `r_score_without_epsilon` and the agreement with MOS.
        images: number of photos.
        absolute_gain: mean change, signed; 0 is robust.
        relative_gain: mean of change / (clean + 1), signed; 0 is robust.
        r_score: mean log10 of the possible over the actual change; larger is more robust.
        r_score_without_epsilon: variant in public code; larger is more robust.
        wasserstein: Wasserstein distance of clean and attacked scores, with the sign of the mean change.
        energy: energy distance, likewise.
        flip_rate: share of pairs whose order was reversed; smaller is more robust.
        clean_range: max - min of the clean scores on this scale; far below 1 the model hardly uses the scale.
        range_ratio: (max - min) of the attacked over that of the clean scores.
        unmoved_share: share of images that moved by less than 1e-3; near 1 the attack did nothing.
        mos_images: number of photos with a human score, which the agreement with MOS is over.
        attacked_clean: agreement of the attacked with the clean scores; its RMSE is on the scale.
        mos_clean: agreement of the clean scores with MOS; PLCC and RMSE after the usual logistic.
        mos_attacked: agreement of the attacked scores with MOS, by the logistic of the clean ones.
    """

    scale: Scale
    images: int
    absolute_gain: float
    relative_gain: float | None
    r_score: float
    r_score_without_epsilon: float | None
    wasserstein: float
    energy: float
    flip_rate: float | None
    clean_range: float
    range_ratio: float | None
    unmoved_share: float
    mos_images: int
    attacked_clean: Agreement | None
    mos_clean: Agreement | None
    mos_attacked: Agreement | None

    @property
    def effect(self) -> Effect:
        """Whether the attack `moved` the scores; else the figures say nothing about robustness (`nothing`), or little.

        With `partly`, 5 % of the images or more did not move, and each adds up to 6 to the R-score's mean.
        """
        if self.unmoved_share >= NOTHING:
            return "nothing"
        return "partly" if self.unmoved_share >= PARTLY else "moved"

    def to_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object, with `effect`."""
        return {**asdict(self), "effect": self.effect}


def robustness_figures(
    clean: npt.ArrayLike, attacked: npt.ArrayLike, scale: Scale, *, mos: npt.ArrayLike | None = None
) -> RobustnessFigures:
    """Return all figures of clean and attacked scores.

    Args:
        clean: scores (N,) in the model's own unit, one photo or more.
        attacked: scores (N,) of the same photos under the attack.
        scale: the convention and its range.
        mos: human scores (N,) of the same photos, larger is better, NaN where it is not known; four different ones or
            more, else they are not used.

    Raises:
        InputError: lists that do not pair, or a value that is not finite.
    """
    raw = paired(clean, attacked, least=1)
    before, after = (scale.apply(scores) for scores in raw)
    several = before.size >= 2
    known, human = _known_mos(mos, before.size)
    mos_clean, mos_attacked = _human_agreement(raw[0][known], raw[1][known], human)
    return RobustnessFigures(
        scale=scale,
        images=before.size,
        absolute_gain=robustness.absolute_gain(before, after),
        relative_gain=_defined(robustness.relative_gain(before, after)),
        r_score=robustness.r_score(before, after),
        r_score_without_epsilon=_defined(robustness.r_score_without_epsilon(before, after)),
        wasserstein=wasserstein_score(before, after),
        energy=energy_score(before, after),
        flip_rate=_defined(robustness.flip_rate(before, after)) if several else None,
        clean_range=float(np.ptp(before)),
        range_ratio=_defined(robustness.range_ratio(after, before)),
        unmoved_share=robustness.unmoved_share(before, after),
        mos_images=human.size,
        attacked_clean=agreement(after, before) if several else None,
        mos_clean=mos_clean,
        mos_attacked=mos_attacked,
    )


def gain_intervals(
    clean: npt.ArrayLike, attacked: npt.ArrayLike, scale: Scale, *, resamples: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Return 95 % bootstrap intervals, over photos, of the figures that are means over photos.

    Args:
        clean: as for `robustness_figures`.
        attacked: likewise.
        scale: likewise; its range is taken as known.
        resamples: number of draws.
        seed: of the draws.

    Returns:
        (low, high) by name: `absolute_gain`, `relative_gain` where it is defined, `r_score`, `unmoved_share`.
    """
    before, after = (scale.apply(scores) for scores in paired(clean, attacked, least=1))
    of_each = {
        "absolute_gain": after - before,
        "relative_gain": robustness.relative_gains(before, after),
        "r_score": robustness.r_values(before, after),
        "unmoved_share": robustness.unmoved(before, after),
    }
    of_each = {name: values for name, values in of_each.items() if np.isfinite(values).all()}

    def means(*rows: Array) -> Array:
        return np.stack([values.mean(-1) for values in rows], axis=-1)

    draws = resample(means, *of_each.values(), resamples=resamples, seed=seed)
    return {name: percentile_interval(draws[:, place]) for place, name in enumerate(of_each)}


def rank_intervals(
    clean: npt.ArrayLike,
    attacked: npt.ArrayLike,
    *,
    mos: npt.ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Return 95 % bootstrap intervals, over photos, of the rank correlations; they are the same on every scale.

    Args:
        clean: as for `robustness_figures`, two photos or more.
        attacked: likewise.
        mos: likewise.
        resamples: number of draws.
        seed: of the draws.

    Returns:
        (low, high) by name: `attacked_clean.srocc`, and with MOS `mos_clean.srocc` and `mos_attacked.srocc`; without
        those that are undefined, as where all scores are equal.
    """
    before, after = paired(clean, attacked)
    pairs = {"attacked_clean.srocc": (before, after)}
    known, human = _known_mos(mos, before.size)
    if human.size:
        pairs |= {"mos_clean.srocc": (before[known], human), "mos_attacked.srocc": (after[known], human)}
    intervals = {}
    for name, (first, second) in pairs.items():
        # The draws are the same for all pairs of one length, so that what belongs to a photo is drawn together.
        if np.isfinite(rank_correlations(first[None], second[None])).all():
            draws = resample(rank_correlations, first, second, resamples=resamples, seed=seed)
            if np.isfinite(draws).any():
                intervals[name] = percentile_interval(draws)
    return intervals


def _known_mos(mos: npt.ArrayLike | None, images: int) -> tuple[npt.NDArray[np.bool_], Array]:
    """Return which of the photos have a human score (N,), and these scores."""
    human = np.full(images, np.nan) if mos is None else np.asarray(mos, dtype=np.float64)
    if human.shape != (images,) or np.isinf(human).any():
        raise InputError(f"expected {images} human scores, finite or NaN, got {human.shape}; correct the list")
    known = ~np.isnan(human)
    return known, human[known]


def _human_agreement(before: Array, after: Array, human: Array) -> tuple[Agreement | None, Agreement | None]:
    """Return the agreement with MOS before and after the attack, both by the logistic of the clean scores.

    Whoever uses a model has fitted its mapping on clean photos; refitting it would repair a part of the damage.
    """
    parameters = fitted_logistic(before, human) if human.size >= LOGISTIC_PHOTOS else None
    if parameters is None:
        return None, None

    def mapped(scores: Array) -> Agreement:
        raw, fitted = agreement(scores, human), agreement(logistic(scores, *parameters), human)
        return Agreement(srocc=raw.srocc, plcc=fitted.plcc, krocc=raw.krocc, rmse=fitted.rmse)

    return mapped(before), mapped(after)


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None
