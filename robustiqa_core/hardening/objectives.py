"""What a hardened network is trained to minimise: its task's own loss, and terms that may be added for robustness.

A term is a frozen dataclass whose fields are its settings; adding one is a class in `terms.py` and a line in `TERMS`.
`docs/reference/hardening.md` has the formulas.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from robustiqa_core.attacks.settings import format_fraction, parse_fraction
from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening.against_rank import AgainstRank
from robustiqa_core.hardening.terms import AdversarialTraining, GradientNorm, Term, TrainingTask

CLEAN = "clean"
"""Name of the objective without terms."""

TERMS: dict[str, type[Term]] = {"at": AdversarialTraining, "rank": AgainstRank, "nt": GradientNorm}
"""Everything that can be added to the task's loss, or, as `rank`, takes its place, by name."""

OBJECTIVES = (CLEAN, "at", "rank", "nt", "at+nt")
"""Objectives with their usual settings, as `parse_objective` reads them."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What is minimised: the task's loss of the photos and of what the terms add to them, plus the terms' penalties.

    Args:
        terms: at most one of each kind, in the order of `TERMS`; none: the task's own loss alone.

    Raises:
        ConfigurationError: a kind comes twice, or out of order, or both trainings on attacked photos are asked for.
    """

    terms: tuple[Term, ...] = ()

    def __post_init__(self) -> None:
        kinds = list(TERMS.values())
        places = [kinds.index(type(term)) for term in self.terms]
        if places != sorted(set(places)):
            raise ConfigurationError(
                f"expected each term once, in the order {'+'.join(TERMS)}, got {spell_objective(self)}; reorder them"
            )

        if {AdversarialTraining, AgainstRank} <= {type(term) for term in self.terms}:
            raise ConfigurationError(
                f"expected one training on attacked photos, got at and rank in {spell_objective(self)}; leave one out"
            )

    @property
    def against_rank(self) -> AgainstRank | None:
        """The term whose loss takes the place of the task's, if it is there."""
        return next((term for term in self.terms if isinstance(term, AgainstRank)), None)

    @property
    def needs_pixels(self) -> bool:
        """Whether it looks at photos; what only looks at scores can be trained on kept maps."""
        return bool(self.terms)

    def extended(self, task: TrainingTask, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images with those that the terms make of them, and the targets of all; arguments as in `loss`."""
        more = [term.extend(task, images, targets) for term in self.terms]
        if not more:
            return images, targets
        return torch.cat([images, *(part for part, _ in more)]), torch.cat([targets, *(part for _, part in more)])

    def loss(self, task: TrainingTask, images: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of a batch.

        Args:
            task: what is learnt.
            images: (N, 3, H, W), float, RGB in [0, 1].
            targets: (N,), in the unit that the task is learnt in.
        """
        if self.against_rank is not None:
            loss = self.against_rank.loss(task, images, targets)
        else:
            loss = task.loss(*self.extended(task, images, targets))
        for term in self.terms:
            loss = loss + term.penalty(task, images, targets)
        return loss


_STRENGTHS = ("eps", "step_size", "least", "judged")
"""Settings that people write in 255ths."""
_NUMBER = (parse_fraction, "a number such as 6/255 or 0.001")
_READERS: dict[Any, tuple[Callable[[str], object], str]] = {
    float: _NUMBER,
    float | None: _NUMBER,
    int: (int, "a whole number such as 3"),
    bool: ({"yes": True, "no": False}.__getitem__, "yes or no"),
}
"""How a setting's text is read by its type, and what it is called where it cannot be read."""


def parse_objective(text: str) -> Objective:
    """Return the objective that a text such as `at:eps=6/255,steps=3+nt` describes.

    Raises:
        ConfigurationError: unknown term or setting, or a value that cannot be read or is out of its range.

    Example:
        >>> parse_objective("clean"), parse_objective("nt:weight=0.01")
        (Objective(terms=()), Objective(terms=(GradientNorm(probe=0.01, weight=0.01),)))
    """
    return Objective(() if text == CLEAN else tuple(_parse_term(part) for part in text.split("+")))


def _parse_term(text: str) -> Term:
    name, _, rest = text.partition(":")
    kind = TERMS[check_choice("a term of the objective", name, TERMS)]
    types = {field.name: field.type for field in dataclasses.fields(kind)}
    given: dict[str, Any] = {}
    for key, _, value in (part.partition("=") for part in rest.split(",") if part):
        read, wanted = _READERS[types[check_choice(f"a setting of {name}", key, types)]]
        try:
            given[key] = read(value)
        except (ValueError, KeyError):
            raise ConfigurationError(f"{key} of {name} must be {wanted}, got {value!r}; correct it") from None
    return kind(**given)


def spell_objective(objective: Objective) -> str:
    """Return the text that `parse_objective` reads, with every setting that has a value.

    Example:
        >>> spell_objective(Objective((AdversarialTraining(steps=5),)))
        'at:eps=6/255,steps=5,lowered=no'
    """
    return "+".join(_spell_term(term) for term in objective.terms) or CLEAN


def _spell_term(term: Term) -> str:
    name = next(name for name, kind in TERMS.items() if type(term) is kind)
    values = {field.name: getattr(term, field.name) for field in dataclasses.fields(term)}
    pairs = ",".join(f"{key}={_spell_value(key, value)}" for key, value in values.items() if value is not None)
    return f"{name}:{pairs}"


def _spell_value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return format_fraction(value) if name in _STRENGTHS and isinstance(value, float) else str(value)
