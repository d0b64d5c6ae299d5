"""What a hardened network is trained to minimise: its task's own loss, and regularizers that make it robust.

A regularizer is a frozen dataclass whose fields are its settings; adding one is a class in `regularizers.py` and a line
in `REGULARIZERS`. `docs/reference/hardening.md` has the formulas.
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
from robustiqa_core.hardening.regularizers import AdversarialTraining, AgainstRank, GradientNorm, Regularizer
from robustiqa_core.hardening.task import TrainingTask

CLEAN = "clean"
"""Name of the objective without regularizers."""

REGULARIZERS: dict[str, type[Regularizer]] = {"at": AdversarialTraining, "rank": AgainstRank, "nt": GradientNorm}
"""Everything that can be added to the task's loss, or, as `rank`, takes its place, by name."""

OBJECTIVES = (CLEAN, "at", "rank", "nt", "at+nt")
"""Objectives with their usual settings, as `parse_objective` reads them."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What is minimised: the task's loss of the photos and of what the regularizers add to them, plus their penalties.

    Args:
        regularizers: at most one of each kind, in the order of `REGULARIZERS`; none: the task's own loss alone.

    Raises:
        ConfigurationError: a kind comes twice, or out of order, or both trainings on attacked photos are asked for.
    """

    regularizers: tuple[Regularizer, ...] = ()

    def __post_init__(self) -> None:
        kinds = list(REGULARIZERS.values())
        places = [kinds.index(type(regularizer)) for regularizer in self.regularizers]
        if places != sorted(set(places)):
            raise ConfigurationError(
                f"expected each term once, in the order {'+'.join(REGULARIZERS)}, got {spell_objective(self)}; "
                "reorder them"
            )

        if {AdversarialTraining, AgainstRank} <= {type(regularizer) for regularizer in self.regularizers}:
            raise ConfigurationError(
                f"expected one adversarial training term, got at and rank in {spell_objective(self)}; remove one"
            )

    @property
    def against_rank(self) -> AgainstRank | None:
        """The regularizer whose loss takes the place of the task's, if it is there."""
        return next((regularizer for regularizer in self.regularizers if isinstance(regularizer, AgainstRank)), None)

    @property
    def needs_pixels(self) -> bool:
        """Whether it looks at photos; what only looks at scores can be trained on kept maps."""
        return bool(self.regularizers)

    def extended(self, task: TrainingTask, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images with those that the regularizers add, and the targets of all; arguments as in `loss`."""
        more = [regularizer.extend(task, images, targets) for regularizer in self.regularizers]
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
        for regularizer in self.regularizers:
            loss = loss + regularizer.penalty(task, images, targets)
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
        (Objective(regularizers=()), Objective(regularizers=(GradientNorm(probe=0.01, weight=0.01),)))
    """
    return Objective(() if text == CLEAN else tuple(_parse_regularizer(part) for part in text.split("+")))


def _parse_regularizer(text: str) -> Regularizer:
    name, _, rest = text.partition(":")
    kind = REGULARIZERS[check_choice("a term of the objective", name, REGULARIZERS)]
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
    return "+".join(_spell_regularizer(regularizer) for regularizer in objective.regularizers) or CLEAN


def _spell_regularizer(regularizer: Regularizer) -> str:
    name = next(name for name, kind in REGULARIZERS.items() if type(regularizer) is kind)
    values = {field.name: getattr(regularizer, field.name) for field in dataclasses.fields(regularizer)}
    pairs = ",".join(f"{key}={_spell_value(key, value)}" for key, value in values.items() if value is not None)
    return f"{name}:{pairs}"


def _spell_value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return format_fraction(value) if name in _STRENGTHS and isinstance(value, float) else str(value)
