"""Auto-PGD: restarts from the best point with half the step size where an image stalls."""

import math
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from robustiqa_core.attacks import objective, projections
from robustiqa_core.attacks.ball import BallAttack
from robustiqa_core.attacks.mi_fgsm import accumulate
from robustiqa_core.attacks.projections import MAX_SEED
from robustiqa_core.attacks.records import Trial
from robustiqa_core.checks import check_count, check_flag, check_fraction
from robustiqa_core.scorer import Scorer

MOMENTUM = 0.75
"""Weight of the new step beside the one before where gradients are not accumulated (alpha in the paper)."""

SUCCESS = 0.75
"""Share of steps that must improve for the step size to be kept (rho in the paper)."""

LONGEST = 0.7 / 255
"""Longest first step by default, where it is long enough."""


@dataclass(frozen=True, slots=True)
class APGD(BallAttack):
    """Auto-PGD on the score, where the objective is the goal's value; each image has a step size of its own.

    At each of its `checkpoints` an image whose value rose in fewer than SUCCESS of the steps since the one before, or
    whose step size and best value have both not changed since then, has its step halved and goes back to its best
    point. Steps follow the accumulated gradient of MI-FGSM, which restarts there; the published ones follow the
    newest gradient and then go on as before by a quarter. On the bundled baselines accumulation
    gained as much or more, on each of the three, in ten and in thirty steps; see docs/notebook/attacks.md.

    Args:
        eps: size of the ball; see `BallAttack` for this, `norm`, `direction` and `target`.
        step_size: size of the first steps in the same unit; None for what `first_step_size` says.
        decay: share of the accumulated gradient that is kept, in [0, 1]; 0 for the published steps.
        steps: gradient steps of all restarts together, so that attacks with equal steps cost the same.
        restarts: number of starts, with equal shares of the steps; all but the first at a random
            point.
        random_start: start at a random point the first time too, instead of the photo.
        seed: of the random points.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: F. Croce and M. Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse
    Parameter-free Attacks", ICML 2020, algorithm 1 and section 3. Accumulated gradients: see `MIFGSM`.
    """

    _: KW_ONLY
    step_size: float | None = None
    decay: float = 0.9
    steps: int = 20
    restarts: int = 1
    random_start: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        BallAttack.__post_init__(self)
        if self.step_size is not None:
            check_fraction("step_size", self.step_size)
        check_fraction("decay", self.decay, zero=True)
        check_count("steps", self.steps)
        check_count("restarts", self.restarts, high=(self.steps + 1) // 2)
        check_flag("random_start", self.random_start)
        check_count("seed", self.seed, low=0, high=MAX_SEED)

    @property
    def first_step_size(self) -> float:
        """`step_size`, or by default eps / 4, and for restarts of fewer than ten steps PGD's 2.5 * eps / steps.

        The published 2 * eps suits classifiers and a hundred steps. On the score of a bundled baseline it gained less
        than PGD in ten or twenty steps, and eps / 4 more than PGD and than any other size. There the score bends
        within one level of 255; a first step is no longer than LONGEST where the border can be reached all the same,
        so that a larger ball hardly ever gains less. See docs/notebook/attacks.md.
        """
        if self.step_size is not None:
            return self.step_size
        steps = self.steps // self.restarts
        # From a random point the farthest one is on the other side.
        reach = 2.5 if self.random_start or self.restarts > 1 else 1.25
        return max(min(self.eps * max(1 / 4, 2.5 / steps), LONGEST), reach * self.eps / steps)

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the start and the point after each step, restart after restart; see `Attack`."""
        ascent = objective.Ascent(self.goal, scorer, images)
        # A restart's first point is a trial, and not a step from the last.
        trials = self.steps + 1
        for number in range(self.restarts):
            start = images
            if number or self.random_start:
                seed = (self.seed + number) % (MAX_SEED + 1)
                start = projections.random_point(images, eps=self.eps, norm=self.norm, seed=seed)
            share = trials // self.restarts + (number < trials % self.restarts)
            yield from self.climb(ascent, images, start, share - 1)

    def climb(self, ascent: objective.Ascent, images: Tensor, start: Tensor, steps: int) -> Iterator[Trial]:
        """Yield `start` and the point after each of the `steps`."""
        checks = checkpoints(steps)
        size = images.new_full((len(images), 1, 1, 1), self.first_step_size)
        rises = halved = torch.zeros_like(size)
        before, adversarial, accumulated = start, start, torch.zeros_like(start)
        for step in range(steps):
            here = _Point(adversarial, *ascent.gradient(adversarial))
            yield Trial(adversarial, here.scores)
            value = _column(ascent.value(here.scores))
            if step == 0:
                best, best_value, last_value, checked_value = here, value, value, value
            rises = rises + (value > last_value)
            best = _choose(value > best_value, here, best)
            last_value, best_value = value, torch.where(value > best_value, value, best_value)
            if step in checks:
                stuck = (rises < SUCCESS * checks[step]) | ((halved == 0) & (best_value == checked_value))
                size = torch.where(stuck, size / 2, size)
                here = _choose(stuck, best, here)
                accumulated = torch.where(stuck, 0.0, accumulated)
                rises, halved, checked_value = torch.zeros_like(rises), stuck.to(size), best_value
            accumulated = accumulate(accumulated, here.gradient, decay=self.decay)
            move = projections.steepest(accumulated, self.norm)
            length = torch.minimum(size, ascent.step_sizes(here.scores, here.gradient, move, math.inf))
            moved = self.project(here.images + length * move, images)
            if step > 0 and self.decay == 0.0:
                drift = MOMENTUM * (moved - here.images) + (1 - MOMENTUM) * (here.images - before)
                moved = self.project(here.images + drift, images)
            before, adversarial = here.images, moved
        yield Trial(adversarial, objective.score(ascent.scorer, adversarial))


def checkpoints(steps: int) -> dict[int, int]:
    """Return the steps at which an attack of `steps` steps looks back, each with the number of steps since the last.

    The first comes after 22 % of the steps, and each later interval is shorter by 3 % of them, down to 6 %.

    Example:
        >>> checkpoints(100)
        {22: 22, 41: 19, 57: 16, 70: 13, 80: 10, 87: 7, 93: 6, 99: 6}
    """
    found: dict[int, int] = {}
    last, share, interval = 0, 22, 22
    while (step := math.ceil(share * steps / 100)) < steps:
        # In a short attack two checkpoints can fall on one step.
        if step > last:
            found[step], last = step - last, step
        interval = max(interval - 3, 6)
        share += interval
    return found


class _Point(NamedTuple):
    """A batch of images with their scores and the gradient of what is climbed."""

    images: Tensor
    scores: Tensor
    gradient: Tensor


def _choose(which: Tensor, first: _Point, second: _Point) -> _Point:
    """Return each image's point from `first` where `which` (N, 1, 1, 1) says so, else from `second`."""
    return _Point(
        torch.where(which, first.images, second.images),
        torch.where(which.flatten(), first.scores, second.scores),
        torch.where(which, first.gradient, second.gradient),
    )


def _column(values: Tensor) -> Tensor:
    """Return values (N,) as (N, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)
