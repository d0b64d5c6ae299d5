"""The evidence shared by the checks of an audit: the model, the photos, and each attack's result, computed once."""

import copy
import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from robustiqa_core.attacks import ATTACKS, Attack, AttackResult, Goal, make_attack, projections, run
from robustiqa_core.attacks.apgd import APGD
from robustiqa_core.attacks.ball import BallAttack
from robustiqa_core.attacks.counting import CountingScorer
from robustiqa_core.attacks.objective import score, score_gradient
from robustiqa_core.attacks.projections import MAX_SEED
from robustiqa_core.auditing.records import Work
from robustiqa_core.checks import Configuration, check_count, check_images
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.images.degradations import DEGRADATIONS
from robustiqa_core.scorer import Scorer

SERIES = ("blur", "noise", "jpeg", "contrast")
"""Degradations that every quality model must punish."""
SERIES_LEVELS = (3, 5)

BLACK_BOXES = ("square", "nes")
"""Attacks that need no gradient; the first available one is used."""


@dataclass(frozen=True, slots=True)
class AuditPlan(Configuration):
    """The attack and the budgets of an audit.

    Args:
        attack: the attack in use, whose results the audit is to trust or to doubt.
        queries: budget of a black-box attack.
        seed: of random directions, of noise and of the black-box attack.

    Raises:
        ConfigurationError: an attack that has no goal, or a value out of its range.
    """

    attack: Attack = dataclasses.field(default_factory=lambda: APGD(steps=40))
    queries: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        check_count("queries", self.queries, low=60)
        check_count("seed", self.seed, low=0, high=MAX_SEED - 100)
        _ = self.goal

    @property
    def goal(self) -> Goal:
        """Where the attack in use wants the scores to go."""
        if self.attack.goal is None:
            raise ConfigurationError(
                f"expected an attack with a direction, got {type(self.attack).__name__}, which has none; "
                "choose another, such as pgd"
            )
        return self.attack.goal


@dataclass(frozen=True, slots=True)
class Attacked:
    """An attack that was run to its end.

    Args:
        result: what it ended with.
        path: (steps + 1, N), the scores of all that it tried.
    """

    result: AttackResult
    path: Tensor


class Evidence:
    """The model under audit with what was measured so far."""

    def __init__(self, scorer: Scorer, images: Tensor, plan: AuditPlan, reference: Scorer | None = None) -> None:
        """Keep what the checks need.

        Args:
            scorer: the model, in evaluation mode.
            images: (N, 3, H, W), float, RGB in [0, 1], a few photos.
            plan: the attack in use and the budgets.
            reference: a model to compare with, such as the baseline.

        Raises:
            InputError: the images are invalid, or a model is in training mode.
        """
        check_images(images)
        for model in (scorer, reference):
            _check_mode(model)
        self.scorer = CountingScorer(scorer)
        self.reference = None if reference is None else CountingScorer(reference)
        self.images = images.detach().clone()
        self.plan = plan
        self._attacked: dict[tuple[Attack, CountingScorer], Attacked] = {}
        self._series: dict[CountingScorer, Tensor] = {}

    @property
    def gradient_calls(self) -> int:
        """Gradients computed so far, of both models."""
        return self.scorer.gradient_calls + (self.reference.gradient_calls if self.reference else 0)

    @property
    def queries(self) -> int:
        """Evaluations without gradient so far, of both models."""
        return self.scorer.queries + (self.reference.queries if self.reference else 0)

    @cached_property
    def has_gradient(self) -> bool:
        """Whether the scores can be differentiated at all."""
        try:
            score_gradient(self.scorer, self.images[:1])
        except InputError:
            return False
        return True

    @property
    def has_stand_in(self) -> bool:
        """Whether the model declares that its gradient is not the score's own, as behind JPEG."""
        return bool(getattr(self.scorer.scorer, "gradient_is_stand_in", False))

    @property
    def can_attack(self) -> bool:
        """Whether the attack in use can run on the model: it needs no gradient, or there is one."""
        blind = tuple(ATTACKS[name] for name in BLACK_BOXES if name in ATTACKS)
        return isinstance(self.plan.attack, blind) or self.has_gradient

    @cached_property
    def clean_scores(self) -> Tensor:
        """Scores (N,) of the photos."""
        return score(self.scorer, self.images)

    @cached_property
    def precise(self) -> tuple[Scorer, Tensor]:
        """The model and the photos in double precision, where available.

        The photos lose a little contrast, so that both neighbours of each value are within [0, 1], and move at random
        by half a grey level, since some functions have their kinks where values are equal.
        """
        inner = 0.02 + 0.96 * self.images
        images = projections.random_point(inner, eps=0.5 / 255, norm="linf", seed=self.plan.seed)
        if images.device.type == "mps":  # has no double precision
            return self.scorer, images
        model = self.scorer.scorer
        double = copy.deepcopy(model).double() if isinstance(model, nn.Module) else model
        try:
            scores = score(double, images.double())
        except RuntimeError:  # torch's, for a model that insists on float32 somewhere inside
            return self.scorer, images
        return (CountingScorer(double), images.double()) if scores.dtype == torch.float64 else (self.scorer, images)

    def near(self) -> Tensor:
        """Return a random point within 8/255 of each photo, off the grid of 8-bit values."""
        return projections.random_point(self.images, eps=8 / 255, norm="linf", seed=self.plan.seed)

    def signs(self, count: int) -> Tensor:
        """Return random directions (count, 3, H, W) of values -1 and 1, as `precise` photos."""
        generator = torch.Generator().manual_seed(self.plan.seed)
        drawn = torch.randint(2, (count, *self.images.shape[1:]), generator=generator)
        return drawn.mul(2).sub(1).to(self.precise[1])

    def gains(self, scores: Tensor) -> Tensor:
        """Return how far scores (..., N) are beyond the clean ones in the attack's sense, as a share of the range."""
        clean, goal = self.clean_scores, self.plan.goal
        gained = goal.value(scores, clean, self.scorer) - goal.value(clean, clean, self.scorer)
        return gained.cpu().double() / self.scorer.score_range.width

    def attack(self, attack: Attack | None = None, *, on: CountingScorer | None = None) -> Work[Attacked]:
        """Run an attack to its end, once; later calls return what the first one found.

        Args:
            attack: by default the one in use.
            on: the model to attack, by default the one under audit.
        """
        key = (attack or self.plan.attack, on or self.scorer)
        if key not in self._attacked:
            path: list[Tensor] = []
            for record in run(*key, self.images):
                if isinstance(record, AttackResult):
                    self._attacked[key] = Attacked(record, torch.stack(path))
                else:
                    path.append(record.scores)
                yield
        return self._attacked[key]

    def series(self, model: CountingScorer) -> Work[Tensor]:
        """Return scores (1 + K, N) of the photos and of K degraded versions of them."""
        if model not in self._series:
            scores = [score(model, self.images)]
            for name in SERIES:
                for level in SERIES_LEVELS:
                    scores.append(score(model, DEGRADATIONS[name](self.images, level)))
                    yield
            self._series[model] = torch.stack(scores).cpu().double()
        return self._series[model]

    @property
    def in_ball(self) -> bool:
        """Whether the attack in use works within a norm ball."""
        return isinstance(self.plan.attack, BallAttack)

    @property
    def ball(self) -> BallAttack:
        """The attack in use, which works within a norm ball.

        Raises:
            ConfigurationError: it does not.
        """
        if not isinstance(self.plan.attack, BallAttack):
            raise ConfigurationError(
                f"expected an attack within a norm ball, got {type(self.plan.attack).__name__}; use one such as pgd"
            )
        return self.plan.attack

    @property
    def compared(self) -> CountingScorer:
        """The reference.

        Raises:
            ConfigurationError: there is none.
        """
        if self.reference is None:
            raise ConfigurationError("expected a reference model to compare with, got none; name one")
        return self.reference

    def sibling(self, name: str, **settings: object) -> Attack:
        """Return the attack called `name` with the budget and goal of the one in use, and `settings` that it has."""
        ball, known = self.ball, {field.name for field in dataclasses.fields(ATTACKS[name])}
        shared = {"eps": ball.eps, "norm": ball.norm, "direction": ball.direction, "target": ball.target}
        return make_attack(name, {key: value for key, value in (shared | settings).items() if key in known})

    def changed(self, **settings: Any) -> Attack:
        """Return the attack in use with other settings."""
        return dataclasses.replace(self.plan.attack, **settings)

    def rescaled(self, factor: float) -> Attack:
        """Return the attack in use with `factor` times its eps, at most 1, and a given step size in proportion."""
        step_size = getattr(self.plan.attack, "step_size", None)
        steps = {} if step_size is None else {"step_size": min(1.0, factor * step_size)}
        return self.changed(eps=min(1.0, factor * self.ball.eps), **steps)


def _check_mode(model: object) -> None:
    if isinstance(model, nn.Module) and model.training:
        raise InputError("expected models in evaluation mode, got one in training mode; call its eval() first")
