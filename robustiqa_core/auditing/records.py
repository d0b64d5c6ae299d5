"""The records of an audit: measurements, findings, progress and the report."""

import math
from collections.abc import Generator
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, TypeVar

Verdict = Literal["pass", "doubt", "not run"]

T = TypeVar("T")
Work: TypeAlias = Generator[None, None, T]
"""A computation that yields wherever it may be stopped, and returns its result."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number.

    Args:
        name: what it is.
        value: the number; infinite if unbounded.
        unit: such as `%`; empty for a bare number.
        limit: the limit of the verdict in words, such as `at most 5`; empty if informative only.
    """

    name: str
    value: float
    unit: str = ""
    limit: str = ""

    def __str__(self) -> str:
        """Return the figure as a person reads it."""
        words = [self.name, f"{self.value:.3g}", self.unit, f"({self.limit})" if self.limit else ""]
        return " ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class Measured:
    """The return value of a check.

    Args:
        sound: whether the check found no problem with the model or the attack.
        figures: the numbers behind that.
        cost: gain of the attack in use, and the larger one that the check has found, in % of the range; None where
            it has found no larger one.
        meaning: what the outcome means, where that is not what the catalogue says.
    """

    sound: bool
    figures: tuple[Figure, ...]
    cost: tuple[float, float] | None = None
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Args:
        name: key of the check in `CHECKS`.
        question: what was asked, in plain words.
        verdict: `pass`, `doubt`, or `not run` where the check does not apply.
        figures: the numbers behind the verdict.
        meaning: what the verdict means.
        advice: what to do about a doubt, or how to make the check run; empty after a pass.
        cost: of a doubt: gain of the attack in use, and the larger one that was found, in % of the range; None where
            no larger one was.
    """

    name: str
    question: str
    verdict: Verdict
    figures: tuple[Figure, ...]
    meaning: str
    advice: str
    cost: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the finding as a JSON object; an infinite figure is None there."""
        values = asdict(self)
        for figure in values["figures"]:
            figure["value"] = figure["value"] if math.isfinite(figure["value"]) else None
        return values


@dataclass(frozen=True, slots=True)
class AuditStep:
    """The state of an audit at a point where it can be stopped.

    Args:
        check: key of the check that is at work.
        number: its place, from 1.
        checks: how many there are.
        findings: of the checks that have ended.
        gradient_calls: gradients of the model computed so far, each for all photos.
        queries: its evaluations without gradient so far, each for all photos.
    """

    check: str
    number: int
    checks: int
    findings: tuple[Finding, ...]
    gradient_calls: int
    queries: int


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The outcome of an audit.

    Args:
        findings: one of each check, in their order.
        gradient_calls: gradients of the model and the reference, each for all photos.
        queries: their evaluations without gradient, each for all photos.
        seconds: wall time, without what the consumer did between the records.
    """

    findings: tuple[Finding, ...]
    gradient_calls: int
    queries: int
    seconds: float

    @property
    def sound(self) -> bool:
        """Whether no check is in doubt."""
        return all(finding.verdict != "doubt" for finding in self.findings)
