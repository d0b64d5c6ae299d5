"""What pruning did to a model, in plain words that follow from the figures. Knows nothing of Streamlit."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from robustiqa_core.auditing.diagnosis import HardenedFigures, Symptom, diagnose
from robustiqa_core.metrics.correlation import spell_correlation
from robustiqa_core.pruning import CRITERIA, PruningPlan
from robustiqa_core.verdict import LEAST_AGREEMENT, Comparison, Kind, Movement, judge
from ui.hardening.job import Trial
from ui.hardening.texts import CRITERION_NAMES

SCOPE_NAMES = {"layer": "The same share of each layer", "global": "The least important of all layers"}
_SAID: tuple[Kind, ...] = ("more", "less", "broken")
_FASTER = 0.95
"""Share of the baseline's time below which a model counts as faster: less is within what a clock can tell."""


@dataclass(frozen=True, slots=True)
class Point:
    """The figures of one ratio.

    Args:
        ratio: that was asked for.
        removed: share of the filters that went, after rounding.
        agreement: SROCC with the baseline's scores of held-out crops.
        mos: SROCC with human ratings, before and after; None without a labelled set.
        gain: AbsGain under the short attack.
        baseline_gain: likewise of the model that was pruned.
        transfer_gain: AbsGain under what the attack made for the model that was pruned.
        r_score: under the short attack.
        spread: of the scores before they were stretched, as a share of the baseline's.
        milliseconds: of one crop's score.
        baseline_milliseconds: likewise of the model that was pruned, measured in turns.
    """

    ratio: float
    removed: float
    agreement: float
    mos_before: float | None
    mos: float | None
    gain: float
    baseline_gain: float
    transfer_gain: float
    r_score: float
    spread: float
    milliseconds: float
    baseline_milliseconds: float

    @property
    def time_ratio(self) -> float:
        """Time as a share of that of the model that was pruned."""
        return self.milliseconds / self.baseline_milliseconds

    @property
    def kind(self) -> Kind:
        """What follows from the figures, by the rule that every page goes by."""
        movement = Movement("up", self.baseline_gain, self.gain)
        return judge(Comparison((movement,), agreement=self.agreement)).kind

    @property
    def is_trusted(self) -> bool:
        """Whether the model still rates photos as before."""
        return self.kind != "broken"


def point_of(trial: Trial) -> Point:
    """Return the figures of a trial that was only pruned, and perhaps tuned."""
    return Point(
        ratio=trial.recipe.pruning.ratio,
        removed=trial.removed,
        agreement=trial.agreement,
        mos_before=trial.mos_before,
        mos=trial.mos,
        gain=trial.attacked("hardened"),
        baseline_gain=trial.attacked("baseline"),
        transfer_gain=trial.transfer_gain,
        r_score=trial.attacked("hardened", "r_score"),
        spread=trial.spread,
        milliseconds=1e3 * trial.timing.hardened,
        baseline_milliseconds=1e3 * trial.timing.baseline,
    )


def headline(points: Sequence[Point]) -> str:
    """Return what pruning does to the model in this run; what no longer rates photos as before is said first.

    Such a model says nothing about robustness, however far its scores move.
    """
    pruned = [point for point in points if point.removed]
    sentences = [broken_sentence(points)] if any(not point.is_trusted for point in pruned) else []
    sound = [point for point in pruned if point.is_trusted]
    if sound or not sentences:
        sentences.append(_of_robustness(sound, alone=not sentences))
    return " ".join(sentences)


def broken_sentence(points: Sequence[Point]) -> str:
    """Return at which ratios the model no longer rates photos as before; empty where it always does."""
    pruned = [point for point in points if point.removed]
    broken = [point for point in pruned if not point.is_trusted]
    if not broken:
        return ""
    # Truncated, not rounded: a value below the limit must not read as the limit.
    figures = [math.floor(1000 * point.agreement) / 1000 for point in broken]
    span = f"{min(figures):.3f}" if len(set(figures)) == 1 else f"{min(figures):.3f} to {max(figures):.3f}"
    return (
        f"{_where(broken, pruned).capitalize()} the pruned model no longer rates photos as before: its scores agree "
        f"with the whole model's by SROCC {span}, below {LEAST_AGREEMENT:g}."
    )


def _of_robustness(sound: Sequence[Point], *, alone: bool) -> str:
    """Return what pruning does to robustness where the model still rates photos as before.

    Args:
        sound: the points where it does.
        alone: whether these are all points.
    """
    known = [point for point in sound if point.kind != "too_little"]
    if not known:
        return "The attack moves the scores too little to tell what pruning does to robustness."
    start, more, less = ("In this run p" if alone else "P"), _of_kind(known, "more"), _of_kind(known, "less")
    if more and less:
        return (
            f"{start}runing goes both ways: easier to attack at {_percents(more)}, harder to push up at "
            f"{_percents(less)}."
        )
    if more:
        return f"{start}runing makes the model easier to attack {_where(more, sound)}."
    if less:
        return f"{start}runing makes the model harder to push up {_where(less, sound)}."
    return f"{start}runing leaves robustness about as it was{'' if alone else f' at {_percents(known)}'}."


def findings(points: Sequence[Point]) -> list[str]:
    """Return what the figures say about robustness, agreement and speed, a sentence or two each."""
    pruned = [point for point in points if point.removed]
    if not pruned:
        return ["No filter was pruned at these ratios, so there is nothing to compare. Choose a larger ratio."]
    return [_robustness(pruned), _agreement(pruned), _speed(pruned)]


def symptoms(point: Point) -> tuple[Symptom, ...]:
    """Return the known failures that a point shows; robustness itself is what `findings` speaks of."""
    if not point.removed:
        return ()
    return diagnose(
        HardenedFigures(
            agreement=point.agreement,
            mos_before=point.mos_before,
            mos_after=point.mos,
            gain_after=point.gain,
            transfer_gain=point.transfer_gain,
            spread=point.spread,
            removed=point.removed,
            has_block=False,
        )
    )


def plan_sentence(plan: PruningPlan) -> str:
    """Return what goes and what that saves, in a sentence."""
    if not plan.removed:
        return "No filter is pruned at this ratio."
    saved = {
        name: 1 - getattr(plan.after, name) / getattr(plan.before, name) for name in ("parameters", "multiply_adds")
    }
    return (
        f"{plan.removed:,} of {plan.filters:,} filters are pruned ({_share(plan.removed / plan.filters)}). That saves "
        f"{_share(saved['parameters'])} of the parameters and {_share(saved['multiply_adds'])} of the multiply-adds."
    )


def criterion_help() -> str:
    """Return what each criterion looks at, and where it is from."""
    return "  \n".join(
        f"**{title}**: {CRITERIA[name].title.lower()} ({CRITERIA[name].source})."
        for name, title in CRITERION_NAMES.items()
    )


def points_csv(points: Sequence[Point]) -> bytes:
    """Return the points as a CSV table."""
    file = io.StringIO()
    names = [field.name for field in fields(Point)]
    writer = csv.writer(file)
    writer.writerow(names)
    writer.writerows([getattr(point, name) for name in names] for point in points)
    return file.getvalue().encode()


def _robustness(pruned: Sequence[Point]) -> str:
    worst = max(pruned, key=lambda point: abs(point.gain))
    best = min(pruned, key=lambda point: abs(point.gain))
    after = f"those of the pruned one by {worst.gain:+.3f}"
    if len(pruned) > 1:
        after = (
            f"those of the pruned ones by {best.gain:+.3f} (at {_percents([best])}) to {worst.gain:+.3f} "
            f"(at {_percents([worst])})"
        )
    parts = [
        f"**Robustness.** The attack moves the scores of the whole model by {worst.baseline_gain:+.3f} of their usual "
        f"range on average, and {after}; nearer to 0 is more robust."
    ]
    more, less, lost = (_of_kind(pruned, kind) for kind in _SAID)
    parts += [f"It gains more than before at {_percents(more)}."] if more else []
    parts += [f"It gains less than before at {_percents(less)}; the scores were pushed up only."] if less else []
    if lost:
        parts.append(
            f"At {_percents(lost)} the model no longer rates photos as before, so its gain there says little about "
            "robustness."
        )
    return " ".join(parts)


def _of_kind(points: Sequence[Point], kind: Kind) -> list[Point]:
    return [point for point in points if point.kind == kind]


def _agreement(pruned: Sequence[Point]) -> str:
    sound = [point for point in pruned if point.is_trusted]
    lowest = min(pruned, key=lambda point: point.agreement)
    low = f"The lowest agreement is {spell_correlation(lowest.agreement)}, at {_percents([lowest])}."
    if len(sound) == len(pruned):
        return f"**Agreement.** All pruned models rate photos as before (SROCC of {LEAST_AGREEMENT:g} or more). {low}"
    if sound:
        return f"**Agreement.** Photos are rated as before at {_percents(sound)} only. {low}"
    return f"**Agreement.** No pruned model rates photos as before (SROCC of {LEAST_AGREEMENT:g} or more). {low}"


def _speed(pruned: Sequence[Point]) -> str:
    fastest = min(pruned, key=lambda point: point.time_ratio)
    if fastest.time_ratio > _FASTER:
        return "**Speed.** No pruned model is measurably faster than the whole one."
    return (
        f"**Speed.** At {_percents([fastest])} a score takes {fastest.milliseconds:.1f} ms instead of "
        f"{fastest.baseline_milliseconds:.1f} ms, {fastest.time_ratio:.2f} of the time."
    )


def _where(points: Sequence[Point], pruned: Sequence[Point]) -> str:
    return "at every ratio" if len(points) == len(pruned) and len(points) > 1 else f"at {_percents(points)}"


def _percents(points: Sequence[Point]) -> str:
    """Return the ratios of points, such as `10 %, 20 % and 30 %`."""
    words = [f"{100 * point.ratio:g} %" for point in points]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"
