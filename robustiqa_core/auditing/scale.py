"""Checks of the scores: do they use their scale, rank photos as people do, and are they merely compressed?"""

import math

from robustiqa_core.auditing.evidence import SERIES, Evidence
from robustiqa_core.auditing.records import Figure, Measured, Work
from robustiqa_core.metrics.correlation import srocc_to_choose


def score_range(evidence: Evidence) -> Work[Measured]:
    """Measure whether clean scores lie in the stated range, and how much of it degradations make use of."""
    series = yield from evidence.series(evidence.scorer)
    stated = evidence.scorer.score_range
    outside = 100 * float((stated.scale(series[0]) - 0.5).abs().max() - 0.5)
    used = 100 * float(series.max() - series.min()) / stated.width
    return Measured(
        outside <= 10 and used >= 20,
        (
            Figure("clean scores outside the stated range", max(outside, 0.0), "% of it", "at most 10"),
            Figure("range that clean and degraded photos use", used, "% of it", "20 or more"),
        ),
    )


def degradations(evidence: Evidence) -> Work[Measured]:
    """Measure how many degraded photos score below their clean one, and the agreement with the reference."""
    series = yield from evidence.series(evidence.scorer)
    below = 100 * float((series[1:] < series[0]).double().mean())
    figures = [Figure(f"photos that score less after {', '.join(SERIES)}", below, "%", "75 or more")]
    agreement = 1.0
    if evidence.reference is not None:
        other = yield from evidence.series(evidence.reference)
        agreement = srocc_to_choose(series.flatten().numpy(), other.flatten().numpy())
        figures.append(Figure("rank agreement with the reference (SROCC)", agreement, "", "0.7 or more"))
    return Measured(below >= 75 and agreement >= 0.7, tuple(figures))


def contraction(evidence: Evidence) -> Work[Measured]:
    """Measure whether the gain falls below the reference's in the model's own scale, too.

    The own scale of each model is the deviation of its scores over clean and degraded photos, so that a stated range
    that is wrong does not matter. A model that merely compresses its scores loses gain on the reference's scale but not
    on its own.
    """
    model, reference = evidence.scorer, evidence.compared
    spreads, moved = [], []
    for each in (model, reference):
        spreads.append(float((yield from evidence.series(each)).std()))
        result = (yield from evidence.attack(on=each)).result
        moved.append(float((result.adversarial_scores - result.clean_scores).abs().mean()))
    spread, gain = _ratio(*spreads), _ratio(*moved)
    by_spread = _ratio(gain, spread)
    return Measured(
        gain >= 0.9 or by_spread <= 0.9,
        (
            Figure("AbsGain in the own range", moved[0] / model.score_range.width),
            Figure("in the reference's range", moved[0] / reference.score_range.width),
            Figure("of the reference", moved[1] / reference.score_range.width),
            Figure("spread of the scores, of the reference's", 100 * spread, "%"),
            Figure("gain, of the reference's", 100 * gain, "%"),
            Figure("the same by each model's spread", 100 * by_spread, "%", "at most 90 where the gain is"),
        ),
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.inf
