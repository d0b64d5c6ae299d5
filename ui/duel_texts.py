"""What follows from one attack on two models, in plain words. Knows nothing of Streamlit."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from robustiqa_core.attacks import spell_attack
from robustiqa_core.files import as_word
from robustiqa_core.images import MAX_SIDE
from robustiqa_core.models.card import ModelCard
from robustiqa_core.own_models import OWN
from robustiqa_core.scorer import ScoreRange
from ui.attack_job import Outcome
from ui.diagnosis import HardenedFigures, Symptom, diagnose
from ui.lab_job import PhotoOutcome
from ui.markdown import plain
from ui.model_texts import model_name

HARDLY = 0.01
"""Share of a model's range below which its score hardly moved."""
ALIKE = 1.1
"""Two changes whose ratio is below this count as equally large."""
HIDDEN = 0.02
"""By how much of a model's range another model's change must beat its own before gradients are called hidden."""
TABLE_HELP = (
    "Scores of the stored PNG files; in brackets the change as a share of the range of scores that the model itself "
    "gave in training. On the diagonal a model faces the change that was made against it, with full knowledge of it "
    "(white box). Beside it stands the other model's change (transfer)."
)


@dataclass(frozen=True, slots=True)
class Duel:
    """The figures of one photo, attacked on two models with the same settings.

    Args:
        names: of the models.
        ranges: scores of each model on ordinary photos.
        clean: score of the clean photo by each model.
        crossed: `crossed[i][j]` is what model j gives to the photo made against model i.
        attack: key of `ATTACKS`.
        direction: where the score was to go; None for an attack without a goal.
        target: the wanted score for the direction `towards`.
    """

    names: tuple[str, str]
    ranges: tuple[ScoreRange, ScoreRange]
    clean: tuple[float, float]
    crossed: tuple[tuple[float, float], tuple[float, float]]
    attack: str
    direction: str | None
    target: float | None

    @classmethod
    def of(cls, photo: PhotoOutcome, cards: Sequence[ModelCard]) -> "Duel":
        """Return the figures of a photo that two models were attacked on."""
        first, second = photo.runs
        (aa, ab), (ba, bb) = photo.crossed
        settings = first.report.settings
        return cls(
            names=(_name(cards[0]), _name(cards[1])),
            ranges=(cards[0].score_range, cards[1].score_range),
            clean=(first.report.clean_score, second.report.clean_score),
            crossed=((aa, ab), (ba, bb)),
            attack=first.report.attack,
            direction=settings.get("direction"),
            target=settings.get("target"),
        )

    def share(self, made: int, seen: int) -> float:
        """Return how far model `seen` moves by the change made against model `made`, in units of its own range."""
        return (self.crossed[made][seen] - self.clean[seen]) / self.ranges[seen].width

    def reached(self, made: int, seen: int) -> float:
        """Return how far that is in the direction that was wanted, in the same unit; negative if it is the wrong way.

        `away` has a way of its own for each model: that of the attack on the model itself.
        """
        if self.target is not None:
            before, after = (abs(score - self.target) for score in (self.clean[seen], self.crossed[made][seen]))
            return (before - after) / self.ranges[seen].width
        share = self.share(made, seen)
        if self.direction is None:
            return abs(share)
        upwards = self.share(seen, seen) >= 0 if self.direction == "away" else self.direction == "up"
        return share if upwards else -share

    @property
    def transfers(self) -> bool:
        """Whether the two changes differ: noise and universal changes are the same for every model."""
        return self.direction is not None


def headline(duel: Duel) -> str:
    """Return how far each model moved, in one sentence."""
    first, second = duel.share(0, 0), duel.share(1, 1)
    cause = "The same noise" if duel.attack == "noise" else "The same attack"
    return f"{cause} moves {duel.names[0]} by {first:+.0%} of its range, {duel.names[1]} by {second:+.0%}."


def conclusion(duel: Duel) -> str:
    """Return which of the two held better on this photo."""
    own = (duel.reached(0, 0), duel.reached(1, 1))
    if max(own) < HARDLY:
        return "Neither of them moved by a hundredth of its range in the wanted direction. Try more strength."
    weaker = 0 if own[0] >= own[1] else 1
    steady, low = duel.names[1 - weaker], max(own[1 - weaker], 0.0)
    if low < HARDLY:
        return f"{steady} hardly moved: on this photo it withstands this attack. One photo is no proof; try others."
    ratio = own[weaker] / low
    if ratio < ALIKE:
        return "Both moved about as far: on this photo neither is more robust than the other."
    return (
        f"{steady} moved {ratio:.1f} times less: on this photo it withstands this attack better. "
        "One photo is no proof; try others."
    )


def transfer_sentence(duel: Duel) -> str:
    """Return how well each change carries over to the other model."""
    if not duel.transfers:
        return "This change does not depend on the model, so both rows hold the same photo."
    parts = [
        f"made against {duel.names[1 - seen]} and shown to {duel.names[seen]}, the change moves the score by "
        f"{duel.share(1 - seen, seen):+.0%} of its range, against {duel.share(seen, seen):+.0%} by its own"
        for seen in (1, 0)
    ]
    return f"How changes carry over: {parts[0]}; {parts[1]}."


def warnings(duel: Duel) -> tuple[str, ...]:
    """Return a warning for each model that another model's change moves farther than the attack on itself."""
    if not duel.transfers:
        return ()
    return tuple(
        f"The change made against {duel.names[1 - seen]} moves {duel.names[seen]} farther "
        f"({duel.share(1 - seen, seen):+.0%} of its range) than the attack on {duel.names[seen]} itself "
        f"({duel.share(seen, seen):+.0%}). Its gradients are hidden or lead astray, so it is less robust than its own "
        "attack makes it look. Try more steps, a random start, or Square, which needs no gradient; the page Audit "
        "tells more."
        for seen in (0, 1)
        if duel.reached(1 - seen, seen) > max(duel.reached(seen, seen), 0.0) + HIDDEN
    )


def diagnosis(cards: Sequence[ModelCard], duel: Duel) -> tuple[Symptom, ...]:
    """Return the known failures of hardened models that show in the second model beside its baseline."""
    before, after = cards
    if not after.hardening or before.model != after.model or before.hardening:
        return ()
    known = {item.dataset: item.srocc for item in before.measurements}
    shared = next((item for item in after.measurements if item.dataset in known), None)
    return diagnose(
        HardenedFigures(
            agreement=after.hardening.get("agreement", {}).get("srocc"),
            mos_before=None if shared is None else known[shared.dataset],
            mos_after=None if shared is None else shared.srocc,
            gain_before=duel.share(0, 0),
            gain_after=duel.share(1, 1),
            spread=after.hardening.get("spread"),
        )
    )


def table(duel: Duel) -> str:
    """Return the scores as a markdown table: rows say whose change it is, columns who gives the score."""
    names = [plain(name) for name in duel.names]
    rows = [
        ["The photo", *(f"scored by {name}" for name in names)],
        ["---", "---:", "---:"],
        ["clean", *(f"{score:.3f}" for score in duel.clean)],
    ]
    for made in (0, 1):
        cells = [f"{duel.crossed[made][seen]:.3f} ({duel.share(made, seen):+.0%})" for seen in (0, 1)]
        cells[made] = f"**{cells[made]}**"
        rows.append([f"changed against {names[made]}", *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def command(runs: Sequence[Outcome]) -> str:
    """Return the command line that gives all scores of the table."""
    recipe = runs[0].recipe
    words = ["robustiqa", "evaluate", as_word(recipe.photo.place)]
    for run in runs:
        model, variant = run.recipe.model, run.recipe.variant
        words += ["--model", model if variant == OWN else f"{model}-{variant}"]
    words += ["--attack", spell_attack(recipe.attack), "--transfer"]
    words += ["--max-side", str(recipe.photo.max_side)] if recipe.photo.max_side < MAX_SIDE else []
    return shlex.join([*words, "--device", runs[0].report.device, "--out", "table.csv"])


def _name(card: ModelCard) -> str:
    return f"{model_name(card)} {card.variant}"
