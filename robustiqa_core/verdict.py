"""What follows from how far an attack moves a model and its baseline: the one rule for every page and report.

A model that no longer rates photos as its baseline does is not robust, however little an attack moves it: that is said
first, and nothing else in its favour. The words for a verdict are the caller's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from robustiqa_core.errors import InputError
from robustiqa_core.models.card import ModelCard

LEAST_AGREEMENT = 0.95
"""SROCC with the baseline's scores below which a model no longer rates photos as before."""
LEAST_CHANGE = 0.10
"""Share of the baseline's movement by which another one must differ to count as less or more."""
LEAST_MOVED = 0.02
"""Share of the scale below which an attack moved the baseline too little to compare."""

Kind = Literal["broken", "too_little", "more", "alike", "less_one_way", "less_by_spread", "unconfirmed", "less"]
"""`broken`: no longer rates photos as before. `too_little`: the attack did too little to compare. `more`, `alike`:
moved farther, or as far. `less_one_way`: less in one direction, not in the other. `less_by_spread`: less only because
its scores lie closer together. `unconfirmed`: less, but whether it rates photos as before is not known. `less`: less,
and nothing known speaks against it; the only kind that may be praised."""
_OPPOSITE = {"up": "down", "down": "up"}


@dataclass(frozen=True, slots=True)
class Movement:
    """How far the same attack moves two models in one direction, each attacked as a white box.

    Args:
        direction: `up`, `down`, `away` or `towards`, as attacks have it.
        before: mean change of the baseline's scores, as a share of its scale.
        after: likewise of the model that is judged.

    Raises:
        InputError: a change is not finite.
    """

    direction: str
    before: float
    after: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.before) and math.isfinite(self.after)):
            raise InputError(
                f"expected finite changes of the score, got {self.before} and {self.after}; leave this attack out"
            )


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is known of a model compared with its baseline.

    Args:
        movements: one for each direction that was tried.
        agreement: SROCC of its scores with the baseline's on the same clean photos; None where it was not measured,
            nan where it is undefined, as for a model that gives every photo the same score.
        derived: whether the model was made from the baseline, or hardened, and so has to rate photos as before. A model
            of another origin has nothing to agree with.
        spread: standard deviation of its clean scores as a share of the baseline's on the same photos, in the unit of
            the movements; None where it was not measured.

    Raises:
        InputError: no movement, two of the same direction, or a figure out of its range.
    """

    movements: tuple[Movement, ...]
    agreement: float | None = None
    derived: bool = True
    spread: float | None = None

    def __post_init__(self) -> None:
        directions = [movement.direction for movement in self.movements]
        if not directions or len(set(directions)) != len(directions):
            raise InputError(f"expected one movement per direction and at least one, got {directions}; pass each once")
        if self.agreement is not None and abs(self.agreement) > 1.0 + 1e-9:
            raise InputError(f"agreement is a rank correlation from -1 to 1, got {self.agreement}; recompute it")
        if self.spread is not None and not 0.0 <= self.spread < math.inf:
            raise InputError(f"spread is a ratio of standard deviations, 0 or more, got {self.spread}; leave it out")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a comparison.

    Args:
        kind: see `Kind`.
        comparison: what it follows from.
        ratio: how many times less the model moves than its baseline, in the direction that speaks least for it; below 1
            it moves farther, inf where it does not move.
    """

    kind: Kind
    comparison: Comparison
    ratio: float

    @property
    def is_praise(self) -> bool:
        """Whether it may be said that the model withstands the attack better."""
        return self.kind == "less"

    @property
    def untried(self) -> str | None:
        """The direction that was not tried, where only `up` or only `down` was; a promise ends there."""
        tried = {movement.direction for movement in self.comparison.movements}
        missing = [_OPPOSITE[direction] for direction in tried if direction in _OPPOSITE]
        return next((direction for direction in missing if direction not in tried), None)

    @property
    def less(self) -> tuple[str, ...]:
        """The directions in which the model moves less than its baseline."""
        return tuple(found.direction for found in self.comparison.movements if _moved(found) == "less")


def rates_as_before(agreement: float | None) -> bool | None:
    """Return whether a model still rates photos as its baseline does; None where that was not measured.

    Args:
        agreement: SROCC of its scores with the baseline's; nan where it is undefined, which is no agreement.

    Example:
        >>> rates_as_before(0.958), rates_as_before(0.949), rates_as_before(float("nan")), rates_as_before(None)
        (True, False, False, None)
    """
    # Written so that nan, which compares false with everything, is no agreement.
    return None if agreement is None else agreement >= LEAST_AGREEMENT


def judge(comparison: Comparison) -> Verdict:
    """Return what follows from how far an attack moves a model and its baseline.

    Agreement comes first, then whether the attack did anything, then the directions, then the spread of the scores.

    Example:
        >>> judge(Comparison((Movement("up", 0.6, 0.2),), agreement=0.5)).kind
        'broken'
        >>> judge(Comparison((Movement("up", 0.6, 0.2),), agreement=0.97)).kind
        'less'
        >>> judge(Comparison((Movement("up", 0.6, 0.2), Movement("down", 0.6, 0.6)), agreement=0.97)).kind
        'less_one_way'
    """
    return Verdict(_kind(comparison), comparison, min(_ratio(found) for found in comparison.movements))


def known_agreement(card: ModelCard) -> float | None:
    """Return the SROCC with the baseline's scores that a card gives; None where it gives none.

    Args:
        card: of a hardened model; that of a baseline has none.
    """
    agreement = card.hardening.get("agreement") or {}
    found = agreement.get("srocc")
    if found is None:
        # A card that has the key has measured it: a correlation that is undefined is stored as null.
        return math.nan if "srocc" in agreement else None
    return float(found)


def is_derived(card: ModelCard) -> bool:
    """Return whether a model was made from a baseline, and has to rate photos as that does."""
    return bool(card.hardening) or card.variant != "baseline"


def _kind(comparison: Comparison) -> Kind:
    agrees = rates_as_before(comparison.agreement)
    if agrees is False:
        return "broken"
    moved = [_moved(found) for found in comparison.movements]
    if all(word == "too_little" for word in moved):
        return "too_little"
    if "less" not in moved:
        return "more" if "more" in moved else "alike"
    if any(word in ("more", "alike") for word in moved):
        return "less_one_way"
    if comparison.spread is not None and _as_far_for_its_spread(comparison.movements, comparison.spread):
        return "less_by_spread"
    return "unconfirmed" if comparison.derived and agrees is None else "less"


def _moved(movement: Movement) -> Literal["too_little", "more", "alike", "less"]:
    before, after = abs(movement.before), abs(movement.after)
    if max(before, after) < LEAST_MOVED:
        return "too_little"
    if after >= (1.0 + LEAST_CHANGE) * before:
        return "more"
    return "less" if after <= (1.0 - LEAST_CHANGE) * before else "alike"


def _as_far_for_its_spread(movements: Sequence[Movement], spread: float) -> bool:
    """Return whether a model that moves less does so only by scores that lie closer together than the baseline's."""
    if spread >= 1.0:
        return False
    widened = (
        Movement(found.direction, found.before, found.after / max(spread, 1e-9))
        for found in movements
        if _moved(found) == "less"
    )
    return any(_moved(found) != "less" for found in widened)


def _ratio(movement: Movement) -> float:
    before, after = abs(movement.before), abs(movement.after)
    if after == 0.0:
        return math.inf if before else 1.0
    return before / after
