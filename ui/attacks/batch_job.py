"""A batch of attacks as a job: every photo, one or two models, and how each model scores the other's change.

Knows nothing of Streamlit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from robustiqa_core.attacks import AttackResult, AttackStep
from robustiqa_core.attacks.objective import score
from robustiqa_core.images.photo import Photo
from robustiqa_core.scorer import Scorer
from ui.attacks.batch_recipe import BatchRecipe
from ui.attacks.job import CurvePoint, Outcome, Start, attack_results, curve_point, outcome_of


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A record of one of the attacks.

    Args:
        run: which one, as `BatchRecipe.runs` counts them.
        record: the photo before the attack, or a step.
    """

    run: int
    record: Start | AttackStep


@dataclass(frozen=True, slots=True)
class PhotoOutcome:
    """One photo, attacked.

    Args:
        runs: one for each model.
        curves: the steps of each run.
        crossed: `crossed[i][j]` is what model j gives to the stored photo that was made against model i.
    """

    runs: tuple[Outcome, ...]
    curves: tuple[tuple[CurvePoint, ...], ...]
    crossed: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The last record.

    Args:
        recipe: what was run.
        photos: one for each photo of the recipe.
    """

    recipe: BatchRecipe
    photos: tuple[PhotoOutcome, ...]

    @property
    def first(self) -> Outcome:
        """The first attack."""
        return self.photos[0].runs[0]


def batch_records(
    recipe: BatchRecipe, scorers: Sequence[Scorer], photos: Sequence[Photo], device: torch.device
) -> Iterator[RunRecord | BatchOutcome]:
    """Yield the records of all attacks, and the outcome.

    Args:
        recipe: what to run.
        scorers: the recipe's models, on `device`.
        photos: the recipe's photos.
        device: where to run.

    Raises:
        RobustIQAError: as `attacks.run`.
    """
    recipes, count = recipe.runs(), len(scorers)
    done: list[PhotoOutcome] = []
    for place, photo in enumerate(photos):
        outcomes: list[Outcome] = []
        stored: list[Tensor] = []
        curves: list[tuple[CurvePoint, ...]] = []
        for number, scorer in enumerate(scorers):
            run, points = place * count + number, []
            for record in attack_results(recipes[run], scorer, photo, device):
                if isinstance(record, AttackResult):
                    outcomes.append(outcome_of(recipes[run], photo, record))
                    stored.append(record.rounded)
                else:
                    points.append(curve_point(record))
                    yield RunRecord(run, record)
            curves.append(tuple(point for point in points if point is not None))
        done.append(PhotoOutcome(tuple(outcomes), tuple(curves), _crossed(outcomes, stored, scorers)))
    yield BatchOutcome(recipe, tuple(done))


def batch_point(record: RunRecord | BatchOutcome) -> CurvePoint | None:
    """Return what the curve shows of a record; None for the outcome, which adds no point."""
    if isinstance(record, BatchOutcome):
        return None
    point = curve_point(record.record)
    return None if point is None else replace(point, run=record.run)


def _crossed(
    outcomes: Sequence[Outcome], stored: Sequence[Tensor], scorers: Sequence[Scorer]
) -> tuple[tuple[float, ...], ...]:
    """Return what each model gives to each attacked photo as it is stored; its own is known already."""
    return tuple(
        tuple(
            outcome.report.rounded_score if number == own else float(score(scorer, images))
            for number, scorer in enumerate(scorers)
        )
        for own, (outcome, images) in enumerate(zip(outcomes, stored, strict=True))
    )
