"""The verdict on a model beside its baseline, in plain words. Knows nothing of Streamlit."""

import math

from robustiqa_core.verdict import LEAST_AGREEMENT, Movement, Verdict

SAME = "same"
"""Instead of a direction, where the change is the same for every model and has none, such as noise."""
WAYS = {
    "up": "pushed up",
    "down": "pushed down",
    "away": "pushed to the farther end of its range",
    "towards": "drawn to the target",
    SAME: "under the same change",
}
"""What an attack in each direction does to a score."""
_MUCH = 100.0
"""Ratio from which a model counts as hardly moved: its exact value says nothing more."""


def sentence(verdict: Verdict, *, name: str, baseline: str) -> str:
    """Return the main finding about a model, in one sentence.

    Args:
        verdict: of the model.
        name: what people call the model, such as `the pruned model`.
        baseline: what people call the model that it stands beside.
    """
    return _capital(_SENTENCES[verdict.kind](verdict, name, baseline))


def reservation(verdict: Verdict) -> str:
    """Return the caveats of a verdict: its limits and what does not follow from it; may be empty."""
    if verdict.kind == "broken":
        return (
            "How far an attack moves such a model says little about robustness: a model that gives every photo the "
            "same score does not move at all."
        )
    if verdict.kind == "unconfirmed":
        return "A model that rates photos differently may move less and still be useless."
    if verdict.kind == "less_by_spread":
        return "Relative to its own spread it moves just as far. That is not robustness."
    if verdict.kind == "less" and verdict.untried is not None:
        return f"It was not {WAYS[verdict.untried]}: a model may withstand attacks in one direction only."
    return ""


def broken(name: str, agreement: float) -> str:
    """Return that a model no longer rates photos as before, with the figure.

    Args:
        name: what people call the model.
        agreement: SROCC with its baseline's scores; nan where it is undefined.

    Example:
        >>> broken("TReS hardened", 0.9497)
        "TReS hardened no longer rates photos as before: its scores agree with its baseline's by SROCC 0.949, \
below 0.95."
    """
    if math.isnan(agreement):
        found = "its agreement with its baseline is undefined, as when all scores are equal"
    else:
        # Truncated, not rounded: a value below the limit must not read as the limit.
        found = (
            f"its scores agree with its baseline's by SROCC {math.floor(1000 * agreement) / 1000:.3f}, "
            f"below {LEAST_AGREEMENT:g}"
        )
    return f"{name} no longer rates photos as before: {found}."


def _broken(verdict: Verdict, name: str, baseline: str) -> str:
    agreement = verdict.comparison.agreement
    return broken(name, math.nan if agreement is None else agreement)


def _too_little(verdict: Verdict, name: str, baseline: str) -> str:
    return f"the attack moves neither {baseline} nor {name} far enough to compare them."


def _more(verdict: Verdict, name: str, baseline: str) -> str:
    farthest = min(verdict.comparison.movements, key=_times_less)
    times = 1.0 / _times_less(farthest) if _times_less(farthest) else math.inf
    far = f"{times:.1f} times as far as" if times < _MUCH else "much farther than"
    return f"{WAYS[farthest.direction]}, {name} moves {far} {baseline}."


def _alike(verdict: Verdict, name: str, baseline: str) -> str:
    return f"{name} moves about as far as {baseline}: neither withstands the attack better."


def _less_one_way(verdict: Verdict, name: str, baseline: str) -> str:
    directions = [found.direction for found in verdict.comparison.movements]
    less = " and ".join(WAYS[direction] for direction in verdict.less)
    others = " and ".join(WAYS[direction] for direction in directions if direction not in verdict.less)
    return f"{name} moves less than {baseline} only in one direction: {less}, but not {others}."


def _less_by_spread(verdict: Verdict, name: str, baseline: str) -> str:
    spread = verdict.comparison.spread or 0.0
    return (
        f"{name} moves less than {baseline} only because its scores lie closer together "
        f"({spread:.2f} of that one's spread)."
    )


def _unconfirmed(verdict: Verdict, name: str, baseline: str) -> str:
    return f"{_held(verdict, name, baseline)}, but whether it rates photos as its baseline does was not measured."


def _less(verdict: Verdict, name: str, baseline: str) -> str:
    return f"{_held(verdict, name, baseline)}."


def _held(verdict: Verdict, name: str, baseline: str) -> str:
    ways = " and ".join(WAYS[direction] for direction in verdict.less)
    if verdict.ratio >= _MUCH:
        return f"{ways}, {name} hardly moves, while {baseline} does"
    return f"{ways}, {name} moves {verdict.ratio:.1f} times less than {baseline}"


def _times_less(movement: Movement) -> float:
    return abs(movement.before) / abs(movement.after) if movement.after else math.inf


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_SENTENCES = {
    "broken": _broken,
    "too_little": _too_little,
    "more": _more,
    "alike": _alike,
    "less_one_way": _less_one_way,
    "less_by_spread": _less_by_spread,
    "unconfirmed": _unconfirmed,
    "less": _less,
}
