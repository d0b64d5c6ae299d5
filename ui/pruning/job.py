"""A curve over pruning ratios as a job: one hardening without a block a ratio. Knows nothing of Streamlit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from robustiqa_core.hardening import SHORT_ATTACK, HardeningCache, HardeningRecipe, TuningData
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard
from ui.hardening.job import HardeningStep, Source, Trial, hardening_records
from ui.hardening.progress import ATTACKED
from ui.hardening.recipe import key_of
from ui.hardening.trial_store import TrialStore
from ui.jobs.estimate import Speed
from ui.pruning.recipe import CROPS, HELD_OUT, SIDE, PruningRecipe

_CROP_COST, _TUNING_COST = 0.7, 5.0
"""Of making a crop, and of tuning on one, in scores of a crop."""


@dataclass(frozen=True, slots=True)
class PruningStep:
    """The state of a curve at a point where it can be stopped.

    Args:
        number: of the point that is being measured, from 1.
        points: how many there will be.
        ratio: of this point.
        share: of the curve's work that is done, in [0, 1].
        doing: what it is about to do, in words.
    """

    number: int
    points: int
    ratio: float
    share: float
    doing: str


@dataclass(frozen=True, slots=True, eq=False)
class NewPoint:
    """A point as it was measured.

    Args:
        step: how far the curve is.
        trial: the point.
    """

    step: PruningStep
    trial: Trial


@dataclass(frozen=True, slots=True, eq=False)
class PruningOutcome:
    """The last record.

    Args:
        recipe: what was asked.
        trials: one a ratio, in their order.
    """

    recipe: PruningRecipe
    trials: tuple[Trial, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as a JSON object."""
        return {"points": [trial.to_json() for trial in self.trials], "command": self.recipe.curve_command()}


@dataclass(frozen=True, slots=True, eq=False)
class PruningSource:
    """What a curve starts from.

    Args:
        network: that is pruned, on its device, not folded; not touched.
        card: of the same.
        cache: where crops, scores and results are kept.
        kept: where the points and their networks are kept.
        data: returns what a point is measured, and tuned, on.
    """

    network: QualityModel
    card: ModelCard
    cache: HardeningCache
    kept: TrialStore
    data: Callable[[HardeningRecipe], TuningData]


PruningRecord = PruningStep | NewPoint | PruningOutcome


def pruning_records(recipe: PruningRecipe, source: PruningSource) -> Iterator[PruningRecord]:
    """Yield each step of a curve, each point as soon as it is measured, and the outcome.

    A point that is known, with its network, is not measured again.

    Args:
        recipe: what is asked.
        source: what it starts from.

    Raises:
        RobustIQAError: as `hardening_records`.
    """
    trials: list[Trial] = []
    for number, ratio in enumerate(recipe.ratios):
        step = PruningStep(number + 1, len(recipe.ratios), ratio, number / len(recipe.ratios), "Choosing the filters")
        point = recipe.hardening(ratio)
        key = key_of(point, source.card.sha256)
        trial = source.kept.trial(key) if source.kept.has_network(key) else None
        if trial is None:
            yield step
            begun = Source(source.network, source.card, source.data(point), source.cache)
            for record in hardening_records(point, begun, source.kept.put):
                if isinstance(record, HardeningStep):
                    share = (number + record.share) / len(recipe.ratios)
                    yield replace(step, share=share, doing=record.doing)
                else:
                    trial = record
        if trial is not None:
            trials.append(trial)
            yield NewPoint(replace(step, share=(number + 1) / len(recipe.ratios)), trial)
    yield PruningOutcome(recipe, tuple(trials))


def point_of(record: PruningRecord) -> Trial | None:
    """Return the point that was measured with this record; None where none was."""
    return record.trial if isinstance(record, NewPoint) else None


def estimate_seconds(recipe: PruningRecipe, speed: Speed) -> float:
    """Return how long a curve takes when nothing of it is known and nothing else runs."""
    gradient = speed.gradient / speed.query
    attack = ATTACKED * (SHORT_ATTACK.steps + 1) * gradient
    once = (1 + _CROP_COST) * HELD_OUT + 2 * attack
    each = 2 * HELD_OUT + attack + recipe.epochs * (CROPS * _TUNING_COST + HELD_OUT)
    return (once + len(recipe.ratios) * each) * speed.query * SIDE**2 / 1e6
