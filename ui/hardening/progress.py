"""Progress and duration of a hardening, from its known steps. Knows nothing of Streamlit."""

from dataclasses import dataclass

from robustiqa_core.hardening import SHORT_ATTACK, HardeningRecipe, Progressed, Stage
from robustiqa_core.models import ARCHITECTURES, architecture
from robustiqa_core.models.card import ModelCard
from ui.jobs.estimate import Speed

ATTACKED = 8
"""Crops that the baseline and the hardened model are attacked on."""
_CROP_COST, _BACKWARD_COST, _STEP_COST = 0.7, 2.0, 4.0
"""Of making a crop, of a gradient beside the score, and of an optimiser's step; in scores of a crop."""
_HALF_FORWARD, _HALF_STEP = 0.5, 0.75
"""Of a pass and of a step in bfloat16, as shares of those in float32, where the hardware multiplies in it."""

DOING: dict[Stage, str] = {
    "cropping": "Cutting crops from the photos",
    "scoring": "Scoring the crops",
    "mapping": "Computing the maps in front of the block (once)",
    "tuning": "Fine-tuning",
    "measuring": "Measuring",
    "attacking": "Attacking the model before and after",
}


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of work.

    Args:
        stage: its stage.
        steps: their number.
        cost: in scores of a crop.
        ahead: whether `prepare` does it before a place or a ratio is chosen.
    """

    stage: Stage
    steps: int
    cost: float
    ahead: bool = False


def phases_of(recipe: HardeningRecipe, card: ModelCard) -> tuple[Phase, ...]:
    """Return the stretches of a hardening, in their order.

    Args:
        recipe: how.
        card: of the model that is hardened.
    """
    count, held_out = recipe.crops or 0, recipe.validation_crops
    front = front_share(recipe.position, card) if recipe.keeps_maps else 0.0
    steps = count // recipe.batch_size * recipe.epochs
    forward, stepping = (1.0, 1.0) if recipe.precision == "float32" else (_HALF_FORWARD, _HALF_STEP)
    step = stepping * (recipe.batch_size * (1.0 - front) * (1.0 + _BACKWARD_COST) + _STEP_COST)
    taught = count * (forward if recipe.keeps_maps else 1.0)
    answers = (Phase("scoring", count, taught, recipe.keeps_maps),) if recipe.is_distillation else ()
    maps = (Phase("mapping", count, forward * front * count), Phase("mapping", held_out, front * held_out))
    attack = (SHORT_ATTACK.steps + 2) * ATTACKED * (1.0 + _BACKWARD_COST)
    return (
        Phase("cropping", held_out, _CROP_COST * held_out, True),
        Phase("scoring", held_out, held_out, True),
        Phase("cropping", count, _CROP_COST * count, recipe.keeps_maps),
        *answers,
        *(maps if recipe.keeps_maps else ()),
        Phase("tuning", steps, steps * step),
        *(() if recipe.keeps_maps else (Phase("scoring", held_out, held_out),)),
        *(Phase("attacking", SHORT_ATTACK.steps, attack, ahead) for ahead in (True, False)),
    )


def front_share(position: str | None, card: ModelCard) -> float:
    """Return about which share of a model's work lies in front of a block, in [0, 1]; places count the same."""
    if position is None or card.model not in ARCHITECTURES:
        return 0.0
    names = [point.name for point in architecture(card.model).insertion_points(card.settings)]
    return (names.index(position) + 1) / len(names) if position in names else 0.0


def estimate_seconds(recipe: HardeningRecipe, card: ModelCard, speed: Speed, *, prepared: bool = False) -> float:
    """Return how long a hardening takes when nothing of it was kept from an earlier one and nothing else runs.

    Args:
        recipe: how.
        card: of the model that is hardened.
        speed: of the same.
        prepared: whether `prepare` was run for it.
    """
    phases = [phase for phase in phases_of(recipe, card) if not (prepared and phase.ahead)]
    return sum(phase.cost for phase in phases) * speed.query * recipe.crop**2 / 1e6


class ShareDone:
    """Follows the progress of one hardening; the share never shrinks, and jumps where something was kept."""

    def __init__(self, phases: tuple[Phase, ...]) -> None:
        self._phases = phases
        self._current = 0
        self._total = sum(phase.cost for phase in phases)
        self.share = 0.0

    def after(self, record: Progressed) -> float:
        """Return the share of the work that is done, in [0, 1], after a step."""
        for place in range(self._current, len(self._phases)):
            phase = self._phases[place]
            if (phase.stage, phase.steps) == (record.stage, record.total):
                # The last step belongs to its phase: the next record may be of a phase that looks the same.
                self._current = place + (record.done >= record.total)
                before = sum(earlier.cost for earlier in self._phases[:place])
                self.share = max(self.share, (before + phase.cost * record.done / record.total) / self._total)
                break
        return self.share
