"""What an audit says, in plain words. Knows nothing of Streamlit."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from robustiqa_core.auditing import CHECKS, Figure, Finding, Verdict


@dataclass(frozen=True, slots=True)
class VerdictText:
    """How a verdict is shown: never by its colour alone.

    Args:
        word: short.
        icon: a Material symbol whose shape differs from the others'.
        colour: one of Streamlit's.
    """

    word: str
    icon: str
    colour: str


VERDICTS: dict[Verdict, VerdictText] = {
    "pass": VerdictText("Pass", ":material/check_circle:", "green"),
    "doubt": VerdictText("In doubt", ":material/warning:", "orange"),
    "not run": VerdictText("Not run", ":material/do_not_disturb_on:", "gray"),
}

GROUPS: dict[str, tuple[str, ...]] = {
    "The gradient, which attacks follow": ("gradient", "finite differences", "reach"),
    "The score of a photo": ("repeat", "batch", "same path", "resolution"),
    "The scale of the scores": ("score range", "degradations", "squeezed scores"),
    "The attack does what it claims": ("canary", "best point", "budget"),
    "The attack is strong enough": (
        "order",
        "larger budget",
        "more steps",
        "twice the steps",
        "no bounds",
        "black box",
        "transfer",
        "worst case",
    ),
}
"""Checks by what they are about, for the eye; they run in the order of `CHECKS`."""

_ABOUT_THE_ATTACK = frozenset({"canary", "best point", "budget", "more steps", "twice the steps", "worst case"})
_ABOUT_THE_SCALE = frozenset({"score range", "degradations", "squeezed scores"})


_SMALLEST = 1e-3
"""Size of a figure below which its digits tell nothing: no limit is as small, but one that is met by 0 alone."""


def groups() -> dict[str, tuple[str, ...]]:
    """Return the checks that there are, by group; those without one come last."""
    known = {name for names in GROUPS.values() for name in names}
    listed = {title: tuple(name for name in names if name in CHECKS) for title, names in GROUPS.items()}
    return {**listed, "More": tuple(name for name in CHECKS if name not in known)}


def summary(findings: Sequence[Finding]) -> str:
    """Return how the checks ended, in one sentence: the doubts first, with what they cost all together."""
    counts = Counter(finding.verdict for finding in findings)
    if not counts["doubt"]:
        told = f"No doubt: {counts['pass']} of {len(findings)} checks pass"
    else:
        told = f"In doubt: {counts['doubt']} of {len(findings)} checks"
        known = list(costs(findings).values())
        if known:
            gain = cost_text((min(used for used, _ in known), max(found for _, found in known)))
            told += f" (a gain of {gain} of the range)"
    return told + (f"; {counts['not run']} not run." if counts["not run"] else ".")


def costs(findings: Sequence[Finding]) -> dict[str, tuple[float, float]]:
    """Return of each doubt that has found a larger gain: the attack's gain and that one, in % of the range."""
    return {finding.name: finding.cost for finding in findings if finding.verdict == "doubt" and finding.cost}


def cost_text(cost: tuple[float, float]) -> str:
    """Return a gain of the attack and a larger one.

    Example:
        >>> cost_text((22.71, 26.3))
        '22.7 % to 26.3 %'
    """
    return f"{cost[0]:.1f} % to {cost[1]:.1f} %"


def conclusion(findings: Sequence[Finding]) -> str:
    """Return what that means for relying on the attack's figures."""
    doubts = {finding.name for finding in findings if finding.verdict == "doubt"}
    if not doubts:
        return (
            "No check found a reason to doubt the figures of this attack on this model. That does not prove "
            "robustness; it rules out the usual mistakes."
        )
    parts = []
    if doubts - _ABOUT_THE_ATTACK - _ABOUT_THE_SCALE:
        parts.append("Some attacks stop early on this model: its figures may be too good.")
    if doubts & _ABOUT_THE_ATTACK:
        parts.append("The attack is weaker than it could be: its figures make the model look better than it is.")
    if doubts & _ABOUT_THE_SCALE:
        parts.append("The scale is in doubt: figures cannot be compared with those of another model.")
    if found := costs(findings):
        told = "; ".join(f"{name}, {cost_text(cost)}" for name, cost in found.items())
        parts.append(f"Cost of each doubt, as the attack's gain and the larger gain found: {told}.")
    return " ".join(parts) + " The checks in doubt say what to do."


def figure_text(figure: Figure) -> str:
    """Return the value of a figure with its unit.

    Example:
        >>> figure_text(Figure("gap", 0.00432, "%", "at most 5")), figure_text(Figure("gap", 12345.6, "% of it"))
        ('0.00432 %', '12,346 % of it')
        >>> figure_text(Figure("gap", 2.9e-12, "%"))
        'below 0.001 %'
    """
    if not math.isfinite(figure.value):
        return "unbounded"
    if 0 < abs(figure.value) < _SMALLEST:
        return f"below {_SMALLEST:g} {figure.unit}".strip()
    number = f"{figure.value:,.0f}" if abs(figure.value) >= 1000 else f"{figure.value:.3g}"
    return f"{number} {figure.unit}".strip()
