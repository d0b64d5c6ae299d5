"""The objective of an attack, and the only place that computes gradients."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.scorer import Scorer

Direction = Literal["up", "down", "away", "towards"]
_TINY = 1e-30

DIRECTIONS: tuple[Direction, ...] = ("up", "down", "away", "towards")


@dataclass(frozen=True, slots=True)
class Goal:
    """Where an attack wants the score of each photo to go.

    `up` raises it and `down` lowers it; `away` moves it towards the end of the score range that is farther from the
    clean score; `towards` brings it to `target`.

    Args:
        direction: one of `DIRECTIONS`.
        target: the wanted score, in the model's own unit; for `towards` only.

    Raises:
        ConfigurationError: unknown direction, or a target that is missing, superfluous or not finite.
    """

    direction: Direction = "up"
    target: float | None = None

    def __post_init__(self) -> None:
        check_choice("direction", self.direction, DIRECTIONS)
        if (self.direction == "towards") != (self.target is not None):
            raise ConfigurationError(
                f"expected a target score with direction towards, and with no other, got direction {self.direction} "
                f"{'without' if self.target is None else 'with'} one; set both or neither"
            )
        if self.target is not None and not math.isfinite(self.target):
            raise ConfigurationError(f"target must be a finite score, got {self.target:g}; change it")

    def signs(self, scores: Tensor, clean_scores: Tensor, scorer: Scorer) -> Tensor:
        """Return the factors (N,) of the scores' gradients: 1 to raise, -1 to lower, 0 where the target is met.

        Args:
            scores: (N,), of the images as they are now.
            clean_scores: (N,), of the photos.
            scorer: whose score range `away` needs; no other direction reads it.

        Example:
            >>> scores, clean = torch.tensor([0.3, 0.9]), torch.tensor([0.2, 0.8])
            >>> Goal("towards", 0.5).signs(scores, clean, lambda images: images.mean((1, 2, 3)))
            tensor([ 1., -1.])
        """
        if self.target is not None:
            return (self.target - scores).sign()
        if self.direction == "away":
            ends = scorer.score_range
            below = clean_scores <= (ends.low + ends.high) / 2
            return torch.where(below, torch.ones_like(scores), -torch.ones_like(scores))
        return torch.full_like(scores, 1.0 if self.direction == "up" else -1.0)

    def value(self, scores: Tensor, clean_scores: Tensor, scorer: Scorer) -> Tensor:
        """Return what the attack maximises (N,), of scores (N,): the signed score, or minus the distance to `target`.

        NaN where a score is NaN. Arguments are those of `signs`.
        """
        if self.target is not None:
            return -(scores - self.target).abs()
        return scores * self.signs(scores, clean_scores, scorer)


@torch.no_grad()
def score(scorer: Scorer, images: Tensor) -> Tensor:
    """Return scores (N,) of images (N, 3, H, W), without gradient."""
    return scorer(images)


# Leaving inference mode and switching gradients on: an attack works whatever mode its caller is in.
@torch.inference_mode(False)
@torch.enable_grad()
def score_gradient(scorer: Scorer, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return scores (N,) and the gradient (N, 3, H, W) of each image's own score with respect to that image.

    A score is NaN if its gradient is not finite, so that a model that hides its gradient is not taken for a robust
    one: the sign of NaN is 0, and an attack would not move.

    `torch.autograd.grad` of the sum of the scores, since images are scored independently. Neither the images nor the
    parameters of the scorer are touched, so that any number of threads can attack one model.

    Args:
        scorer: the model.
        images: (N, 3, H, W), float, [0, 1].

    Raises:
        InputError: the scores cannot be differentiated with respect to the images.
    """
    # Tensors made in inference mode must be copied before they can be differentiated.
    leaf = (images.clone() if images.is_inference() else images.detach()).requires_grad_()
    scores = scorer(leaf)
    gradient: Tensor | None = None
    if scores.requires_grad:
        (gradient,) = torch.autograd.grad(scores.sum(), leaf, allow_unused=True)
    if gradient is None:
        raise InputError(
            "expected scores that can be differentiated with respect to the images, got scores without gradient; "
            "remove detach(), no_grad() or rounding from the scorer, or use an attack that needs no gradient, such as "
            "square, nes or noise"
        )
    zero_or_nan = 0.0 * gradient.sum((1, 2, 3), dtype=scores.dtype)
    return scores.detach() + zero_or_nan, gradient


class Ascent:
    """The goal of one attack on one batch, as a function to be climbed."""

    def __init__(self, goal: Goal, scorer: Scorer, images: Tensor) -> None:
        """Store the references of the goal; score the photos if it depends on their clean scores.

        Args:
            goal: where the scores should go.
            scorer: the model.
            images: (N, 3, H, W), the clean photos.
        """
        self.goal, self.scorer = goal, scorer
        # No other direction reads the clean scores.
        self.clean_scores = score(scorer, images) if goal.direction == "away" else images.new_zeros(len(images))

    def gradient(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (N,) and the gradient (N, 3, H, W) of `value`; see `score_gradient`."""
        scores, gradient = score_gradient(self.scorer, images)
        signs = self.goal.signs(scores, self.clean_scores, self.scorer)
        return scores, gradient * signs.view(-1, 1, 1, 1)

    def step_sizes(self, scores: Tensor, gradient: Tensor, move: Tensor, longest: float) -> Tensor:
        """Return how far to go along `move`, (N, 1, 1, 1): `longest`, or less where that would pass the target.

        How far the target is away is judged by the slope: a linear score reaches it exactly.

        Args:
            scores: (N,), from `gradient`.
            gradient: (N, 3, H, W), from `gradient`.
            move: (N, 3, H, W), along which the score climbs.
            longest: the usual step.
        """
        sizes = torch.full_like(scores, longest)
        if self.goal.target is not None:
            # In two sums: one over all would depend in its last digits on the other photos of the batch.
            slope = (gradient * move).sum(3).sum((1, 2))
            sizes = torch.minimum(sizes, (self.goal.target - scores).abs() / slope.clamp_min(_TINY))
        return sizes.view(-1, 1, 1, 1)

    def value(self, scores: Tensor) -> Tensor:
        """Return the objective (N,) at scores (N,); larger is better for the attacker."""
        return self.goal.value(scores, self.clean_scores, self.scorer)
