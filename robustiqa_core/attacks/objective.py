"""What an attack maximises, the score or its negative, and the one place that takes gradients."""

from typing import Literal

import torch
from torch import Tensor

from robustiqa_core.errors import InputError
from robustiqa_core.scorer import Scorer

Direction = Literal["up", "down"]
DIRECTIONS: tuple[Direction, ...] = ("up", "down")
SIGNS: dict[Direction, float] = {"up": 1.0, "down": -1.0}
"""Factor of the score in the objective."""


def improves(scores: Tensor, best_scores: Tensor, direction: Direction) -> Tensor:
    """Return booleans (N,): whether each score is farther in `direction` than the best so far; never for NaN."""
    return scores > best_scores if direction == "up" else scores < best_scores


@torch.no_grad()
def score(scorer: Scorer, images: Tensor) -> Tensor:
    """Return scores (N,) of images (N, 3, H, W), without gradient."""
    return scorer(images)


# Leaving inference mode and switching gradients on: an attack works whatever mode its caller is in.
@torch.inference_mode(False)
@torch.enable_grad()
def score_gradient(scorer: Scorer, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return scores (N,) and the gradient (N, 3, H, W) of each image's own score with respect to that image.

    A score is NaN if its gradient is not finite, so that nobody takes a model that hides its gradient for a robust
    one: the sign of NaN is 0, and an attack would stand still.

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
            "remove detach(), no_grad() or rounding from the scorer, or use an attack that needs no gradient"
        )
    zero_or_nan = 0.0 * gradient.sum((1, 2, 3), dtype=scores.dtype)
    return scores.detach() + zero_or_nan, gradient
