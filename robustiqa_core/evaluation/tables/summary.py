"""What a table says: figures of each run, areas under their curves, and paired comparisons with the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from robustiqa_core.evaluation.tables.rows import TableRow
from robustiqa_core.evaluation.tables.runs import ScoreRun, clean_ranges, common_images, runs_of_rows, worst_runs
from robustiqa_core.metrics.comparison import PairedTest, compare_paired
from robustiqa_core.metrics.figures import RobustnessFigures, gain_intervals, rank_intervals, robustness_figures
from robustiqa_core.metrics.robustness import area_under_curve
from robustiqa_core.metrics.scale import MEANING, Convention, Scale, choose_scale
from robustiqa_core.scorer import ScoreRange

AREAS = ("absolute_gain", "relative_gain", "r_score")
"""Figures that have an area under their curve over the strengths."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The figures of one run with 95 % bootstrap intervals by the name of the figure."""

    model: str
    attack: str
    strength: float | None
    figures: RobustnessFigures
    intervals: Mapping[str, tuple[float, float]]

    def to_json(self) -> dict[str, Any]:
        """Return the summary as a JSON object."""
        names = {"model": self.model, "attack": self.attack, "strength": self.strength}
        intervals = {name: {"low": low, "high": high} for name, (low, high) in self.intervals.items()}
        return {**names, **self.figures.to_json(), "intervals": intervals}


@dataclass(frozen=True, slots=True)
class CurveSummary:
    """Areas under the curves of one model and attack over its strengths, by the name of the figure.

    All strengths are taken over the same photos; an area is None where a figure is not defined at a strength.
    """

    model: str
    attack: str
    strengths: tuple[float, ...]
    images: int
    scale: Scale
    areas: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Paired test of how far the scores of a model move, |attacked - clean| of each photo, against its baseline.

    A negative difference means that the model moves less than the baseline. Both are scaled by the convention.
    """

    model: str
    baseline: str
    attack: str
    strength: float | None
    convention: Convention
    test: PairedTest


@dataclass(frozen=True, slots=True)
class Summary:
    """All that a table says under one convention."""

    convention: Convention
    runs: tuple[RunSummary, ...]
    curves: tuple[CurveSummary, ...]
    comparisons: tuple[Comparison, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the summary as a JSON object, with the meaning of the convention in words."""
        return {
            "convention": self.convention,
            "meaning": MEANING[self.convention],
            "runs": [run.to_json() for run in self.runs],
            "curves": [asdict(curve) for curve in self.curves],
            "comparisons": [asdict(comparison) for comparison in self.comparisons],
        }


@dataclass(frozen=True, slots=True)
class Reference:
    """Ranges of scores that the conventions need.

    Args:
        own: range of the clean scores of each model, by name.
        baselines: the model that each is compared with, by name; itself where there is none.
        baseline_ranges: range of the clean scores of each of these, by name.
        fixed: the nominal scale, where it is known.
        photos: range of the clean scores of the photos at hand of each model, by name; `summarise` finds them.
    """

    own: Mapping[str, ScoreRange]
    baselines: Mapping[str, str]
    baseline_ranges: Mapping[str, ScoreRange]
    fixed: ScoreRange | None = None
    photos: Mapping[str, ScoreRange] = field(default_factory=dict)

    def scale(self, convention: Convention, model: str) -> Scale:
        """Return the scale of a model under a convention."""
        baseline = self.baseline_ranges[self.baselines[model]]
        photos = self.photos.get(model)
        return choose_scale(convention, own=self.own[model], baseline=baseline, fixed=self.fixed, photos=photos)


def summarise(
    runs: Sequence[ScoreRun],
    reference: Reference,
    conventions: Sequence[Convention],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[Summary, ...]:
    """Return a summary under each convention.

    Args:
        runs: with those of `worst_runs` where they are wanted.
        reference: the ranges.
        conventions: in the order of the summaries.
        resamples: draws of each bootstrap.
        seed: of the draws.

    Raises:
        ConfigurationError: `fixed` is asked for without a nominal scale.
        InputError: `photos` is asked for, and a model gives all photos the same score.
    """
    if "photos" in conventions:
        reference = replace(reference, photos=clean_ranges(runs))
    # Ranks are the same under every convention, and their intervals are what takes time.
    ranks = [
        rank_intervals(run.clean, run.attacked, mos=run.mos, resamples=resamples, seed=seed)
        if len(run.images) > 1
        else {}
        for run in runs
    ]

    def summary(convention: Convention) -> Summary:
        scales = [reference.scale(convention, run.model) for run in runs]
        summaries = tuple(
            RunSummary(
                run.model,
                run.attack,
                run.strength,
                robustness_figures(run.clean, run.attacked, scale, mos=run.mos),
                gain_intervals(run.clean, run.attacked, scale, resamples=resamples, seed=seed) | ranked,
            )
            for run, scale, ranked in zip(runs, scales, ranks, strict=True)
        )
        comparisons = _comparisons(runs, reference, convention, resamples, seed)
        return Summary(convention, summaries, _curves(runs, reference, convention), comparisons)

    return tuple(summary(convention) for convention in conventions)


def _curves(runs: Sequence[ScoreRun], reference: Reference, convention: Convention) -> tuple[CurveSummary, ...]:
    groups: dict[tuple[str, str], list[tuple[float, ScoreRun]]] = {}
    for run in runs:
        if run.strength is not None:
            groups.setdefault((run.model, run.attack), []).append((run.strength, run))
    curves = []
    for (model, attack), points in groups.items():
        points.sort(key=lambda point: point[0])
        images = common_images([run for _, run in points])
        if len(points) < 2 or not images:
            continue
        scale = reference.scale(convention, model)
        shared = [run.over(images) for _, run in points]
        figures = [robustness_figures(run.clean, run.attacked, scale) for run in shared]
        strengths = tuple(strength for strength, _ in points)
        areas = {name: _area(strengths, [getattr(item, name) for item in figures]) for name in AREAS}
        curves.append(CurveSummary(model, attack, strengths, len(images), scale, areas))
    return tuple(curves)


def _area(strengths: Sequence[float], figures: Sequence[float | None]) -> float | None:
    defined = [figure for figure in figures if figure is not None]
    return area_under_curve(strengths, defined) if len(defined) == len(figures) else None


def _comparisons(
    runs: Sequence[ScoreRun], reference: Reference, convention: Convention, resamples: int, seed: int
) -> tuple[Comparison, ...]:
    by_name = {(run.model, run.attack, run.strength): run for run in runs}
    comparisons = []
    for run in runs:
        baseline = reference.baselines[run.model]
        other = by_name.get((baseline, run.attack, run.strength))
        if other is None or baseline == run.model or not (images := common_images([other, run])):
            continue
        first, second = (
            np.abs(same.attacked - same.clean) / reference.scale(convention, same.model).score_range.width
            for same in (other.over(images), run.over(images))
        )
        test = compare_paired(first, second, resamples=resamples, seed=seed)
        comparisons.append(Comparison(run.model, baseline, run.attack, run.strength, convention, test))
    return tuple(comparisons)


def summarise_rows(
    rows: Sequence[TableRow], reference: Reference, convention: Convention, *, resamples: int = 1000
) -> Summary:
    """Return what rows say under a convention, with the worst of several attacks as a run of its own.

    Args:
        rows: of a table.
        reference: ranges that the conventions need.
        convention: of the scale.
        resamples: bootstrap draws.

    Raises:
        RobustIQAError: as `summarise`.
    """
    runs = runs_of_rows(rows)
    return summarise([*runs, *worst_runs(runs)], reference, [convention], resamples=resamples)[0]


def is_transfer(attack: str) -> bool:
    """Return whether an attack of a table was made on another model than the one that scores its photos.

    Example:
        >>> is_transfer("pgd from dbcnn-baseline"), is_transfer("pgd:steps=5")
        (True, False)
    """
    return " from " in attack


def is_noise(attack: str) -> bool:
    """Return whether it is the random noise that attacks have to beat."""
    return attack.partition(":")[0].partition(" ")[0] == "noise"


def is_worst_case(attack: str) -> bool:
    """Return whether it stands for the attack of several that moves each photo most."""
    return attack.startswith("worst of")


def is_single(attack: str) -> bool:
    """Return whether it is one attack on the model itself: neither the worst of several nor made on another model."""
    return not is_worst_case(attack) and not is_transfer(attack)


def worst_of(summary: Summary, stem: str) -> RunSummary | None:
    """Return the attack in the strength that moves a model most; None where it was not attacked itself."""
    runs = [run for run in summary.runs if run.model == stem and is_single(run.attack)]
    return max(runs, key=lambda run: abs(run.figures.absolute_gain), default=None)
