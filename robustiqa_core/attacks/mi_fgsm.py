"""Momentum iterative FGSM: steps along the accumulated gradient, which transfer better between models."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

import torch
from torch import Tensor

from robustiqa_core.attacks import objective, projections
from robustiqa_core.attacks.ball import BallAttack
from robustiqa_core.attacks.records import Trial
from robustiqa_core.checks import check_count, check_fraction
from robustiqa_core.scorer import Scorer


@dataclass(frozen=True, slots=True)
class MIFGSM(BallAttack):
    """Steps along g <- decay * g + gradient / mean |gradient|, from the photo itself.

    Args:
        eps: size of the ball; see `BallAttack` for this, `norm`, `direction` and `target`.
        step_size: size of a step in the same unit; None for eps / steps, as published.
        steps: gradient steps; 10 is usual.
        decay: share of the accumulated gradient that is kept, in [0, 1]; 0 is PGD from the photo.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: Y. Dong et al., "Boosting Adversarial Attacks with Momentum", CVPR 2018, algorithm 1 (l_inf) and
    section 3.3 (l_2).
    """

    _: KW_ONLY
    step_size: float | None = None
    steps: int = 10
    decay: float = 1.0

    def __post_init__(self) -> None:
        BallAttack.__post_init__(self)
        if self.step_size is not None:
            check_fraction("step_size", self.step_size)
        check_count("steps", self.steps)
        check_fraction("decay", self.decay, zero=True)

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the photo and the point after each step; see `Attack`."""
        size = self.eps / self.steps if self.step_size is None else self.step_size
        adversarial, momentum = images, torch.zeros_like(images)
        ascent = objective.Ascent(self.goal, scorer, images)
        for _ in range(self.steps):
            scores, gradient = ascent.gradient(adversarial)
            yield Trial(adversarial, scores)
            momentum = accumulate(momentum, gradient, decay=self.decay)
            move = projections.steepest(momentum, self.norm)
            sizes = ascent.step_sizes(scores, gradient, move, size)
            adversarial = self.project(adversarial + sizes * move, images)
        yield Trial(adversarial, objective.score(scorer, adversarial))


def accumulate(momentum: Tensor, gradient: Tensor, *, decay: float) -> Tensor:
    """Return decay * momentum + gradient / mean |gradient| (N, 3, H, W), the mean being each image's own.

    Args:
        momentum: (N, 3, H, W), of the steps before; zeros at first.
        gradient: (N, 3, H, W), float; where it is 0 nothing is added.
        decay: share of the momentum that is kept.
    """
    # Row by row, so that an image gets the same bits alone and in a batch.
    mean = gradient.abs().mean(3, keepdim=True).mean((1, 2), keepdim=True)
    return decay * momentum + gradient / mean.clamp_min(torch.finfo(mean.dtype).tiny)
