"""The verdict on one attack on two models, in plain words. Knows nothing of Streamlit."""

import shlex
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from robustiqa_core.attacks import make_attack, spell_attack
from robustiqa_core.auditing.diagnosis import HardenedFigures, Symptom, diagnose
from robustiqa_core.files import as_word
from robustiqa_core.images.photo import MAX_SIDE
from robustiqa_core.models.card import ModelCard
from robustiqa_core.own_models import OWN
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.verdict import Comparison, Movement, is_derived, judge, known_agreement, rates_as_before
from ui.attacks.batch_job import PhotoOutcome
from ui.attacks.job import Outcome
from ui.attacks.texts import attack_words
from ui.shell.markdown import plain
from ui.shell.model_names import prose_name
from ui.shell.verdicts import SAME, broken, reservation, sentence

HIDDEN = 0.02
"""By how much of a model's range another model's change must beat its own before gradients are called hidden."""
_LEAST_PHOTOS = 4
"""Photos from which the spread of their scores is compared."""
TABLE_HELP = (
    "Scores of the stored PNG files; in brackets the change as a share of the model's own usual range, that of its "
    "scores in training. On the diagonal a model faces the change that was made against it, with full knowledge of it "
    "(white box); off the diagonal, the change made against the other model (transfer)."
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
        words: the attack with its strength and its steps.
        derived: whether each model was made from a baseline, and has to rate photos as that does.
        agreements: SROCC of each with its baseline's scores; None where it is not known, or has none.
        people: what is known of each model's agreement with human scores, on the same data; None where that is nothing.
    """

    names: tuple[str, str]
    ranges: tuple[ScoreRange, ScoreRange]
    clean: tuple[float, float]
    crossed: tuple[tuple[float, float], tuple[float, float]]
    attack: str
    direction: str | None
    target: float | None
    words: str
    derived: tuple[bool, bool]
    agreements: tuple[float | None, float | None]
    people: tuple[float, float] | None = None

    @classmethod
    def of(cls, photo: PhotoOutcome, cards: Sequence[ModelCard]) -> "Duel":
        """Return the figures of a photo that two models were attacked on."""
        first, second = photo.runs
        (aa, ab), (ba, bb) = photo.crossed
        settings = first.report.settings
        one, other = cards
        return cls(
            names=(prose_name(one), prose_name(other)),
            ranges=(one.score_range, other.score_range),
            clean=(first.report.clean_score, second.report.clean_score),
            crossed=((aa, ab), (ba, bb)),
            attack=first.report.attack,
            direction=settings.get("direction"),
            target=settings.get("target"),
            words=attack_words(make_attack(first.report.attack, settings)),
            derived=(is_derived(one), is_derived(other)),
            agreements=(known_agreement(one), known_agreement(other)),
            people=_people(one, other),
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
    """Return what comes first, in a sentence: which model no longer rates photos as before, else how far each moved."""
    return broken_models(duel) or _moves(duel)


def broken_models(duel: Duel) -> str:
    """Return which models no longer rate photos as before, a sentence each; nothing where that is not known of any."""
    lost = [
        broken(name, agreement)
        for name, agreement in zip(duel.names, duel.agreements, strict=True)
        if agreement is not None and rates_as_before(agreement) is False
    ]
    return " ".join(lost)


def conclusion_of_several(duels: Sequence[Duel]) -> str:
    """Return what follows from several photos for the two models: their mean change, and where that ends.

    Args:
        duels: of the same models and attack, one a photo.
    """
    first = duels[0]
    own = [statistics.fmean(duel.reached(each, each) for duel in duels) for each in (0, 1)]
    place = _judged(first.derived, first.agreements, own)
    found = judge(
        Comparison(
            (Movement(first.direction or SAME, before=own[1 - place], after=own[place]),),
            agreement=first.agreements[place],
            derived=first.derived[place],
            spread=_spread(duels, place),
        )
    )
    shares = [statistics.fmean(duel.share(each, each) for duel in duels) for each in (0, 1)]
    parts = [f"On average {_moves_by(first, shares)}"]
    if found.kind != "broken":
        parts.append(sentence(found, name=first.names[place], baseline=first.names[1 - place]))
    return " ".join(filter(None, [*parts, reservation(found)]))


def _spread(duels: Sequence[Duel], place: int) -> float | None:
    """Return how widely a model's clean scores lie beside the other's, in their ranges; None for too few photos."""
    if len(duels) < _LEAST_PHOTOS:
        return None
    spreads = [statistics.pstdev(duel.clean[each] / duel.ranges[each].width for duel in duels) for each in (0, 1)]
    return spreads[place] / spreads[1 - place] if spreads[1 - place] else None


def conclusion(duel: Duel) -> str:
    """Return what follows for the two models, and where that ends."""
    own = [duel.reached(each, each) for each in (0, 1)]
    place = _judged(duel.derived, duel.agreements, own)
    movement = Movement(duel.direction or SAME, before=own[1 - place], after=own[place])
    found = judge(Comparison((movement,), agreement=duel.agreements[place], derived=duel.derived[place]))
    name, other = duel.names[place], duel.names[1 - place]
    if found.kind == "broken":
        people = (
            f" Against human ratings it reaches SROCC {duel.people[place]:.3f}, {other} {duel.people[1 - place]:.3f}."
            if duel.people is not None
            else ""
        )
        return f"{_moves(duel)} {reservation(found)}{people}"
    if found.kind == "too_little":
        return f"{sentence(found, name=name, baseline=other)} Try more strength."
    parts = [
        sentence(found, name=name, baseline=other),
        reservation(found),
        "One photo proves little; try others.",
    ]
    return " ".join(filter(None, parts))


def _moves(duel: Duel) -> str:
    return f"{duel.words}: {_moves_by(duel, [duel.share(each, each) for each in (0, 1)])}"


def _moves_by(duel: Duel, shares: Sequence[float]) -> str:
    return f"{duel.names[0]} moves by {shares[0]:+.0%} of its usual range, {duel.names[1]} by {shares[1]:+.0%}."


def _judged(derived: Sequence[bool], agreements: Sequence[float | None], own: Sequence[float]) -> int:
    """Return which of the two is judged beside the other: one that is broken, else the hardened, else the steadier."""
    for place in (1, 0):
        if rates_as_before(agreements[place]) is False:
            return place
    if derived[0] != derived[1]:
        return 1 if derived[1] else 0
    return 1 if abs(own[1]) <= abs(own[0]) else 0


def transfer_sentence(duel: Duel) -> str:
    """Return how well each change carries over to the other model."""
    if not duel.transfers:
        return "This change does not depend on the model, so both rows hold the same photo."
    parts = [
        f"made against {duel.names[1 - seen]} and shown to {duel.names[seen]}, the change moves the score by "
        f"{duel.share(1 - seen, seen):+.0%} of its usual range, against {duel.share(seen, seen):+.0%} by its own"
        for seen in (1, 0)
    ]
    return f"How changes carry over: {parts[0]}; {parts[1]}."


def warnings(duel: Duel) -> tuple[str, ...]:
    """Return a warning for each model that another model's change moves farther than the attack on itself."""
    if not duel.transfers:
        return ()
    return tuple(
        f"The change made against {duel.names[1 - seen]} moves {duel.names[seen]} farther "
        f"({duel.share(1 - seen, seen):+.0%} of its usual range) than the attack on {duel.names[seen]} itself "
        f"({duel.share(seen, seen):+.0%}). Its gradients are hidden or misleading, so it is less robust than its own "
        "attack suggests. Try more steps, a random start, or Square, which needs no gradient; see also the page "
        "Audit."
        for seen in (0, 1)
        if duel.reached(1 - seen, seen) > max(duel.reached(seen, seen), 0.0) + HIDDEN
    )


def diagnosis(cards: Sequence[ModelCard], duel: Duel) -> tuple[Symptom, ...]:
    """Return the known failures of hardened models that show in the second model beside its baseline."""
    before, after = cards
    if not after.hardening or before.model != after.model or before.hardening:
        return ()
    return diagnose(
        HardenedFigures(
            agreement=duel.agreements[1],
            mos_before=None if duel.people is None else duel.people[0],
            mos_after=None if duel.people is None else duel.people[1],
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


def _people(one: ModelCard, other: ModelCard) -> tuple[float, float] | None:
    """Return the SROCC of both with human scores, on data that both were measured on."""
    known = {item.dataset: item.srocc for item in one.measurements if item.srocc is not None}
    shared = ((known[item.dataset], item.srocc) for item in other.measurements if item.dataset in known)
    return next(((first, second) for first, second in shared if second is not None), None)
