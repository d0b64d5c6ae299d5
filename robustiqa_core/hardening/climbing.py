"""An attack in short steps whose gradients come from elsewhere: taken for it, or left over by a training step."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from robustiqa_core.attacks.mi_fgsm import accumulate

MOMENTUM = 0.75
"""Share of the momentum that is kept from step to step. With all of it, as published, five steps hardly turn."""
# A step is at most this share of the strength, so that the weakest attacks have small steps, too.
_SHARE_OF_EPS = 0.25


@dataclass(slots=True, eq=False)
class Climb:
    """Where an attack with momentum is, and how it goes on.

    Args:
        images: (N, 3, H, W), the photos.
        directions: (N,), 1 where the score shall rise, -1 where it shall fall.
        eps: (N, 1, 1, 1), largest change of a pixel value.
        sizes: (N, 1, 1, 1), of a step.
        adversarial: (N, 3, H, W), the point that is reached.
        momentum: (N, 3, H, W).
    """

    images: Tensor
    directions: Tensor
    eps: Tensor
    sizes: Tensor
    adversarial: Tensor
    momentum: Tensor

    def step(self, gradient: Tensor) -> None:
        """Go a step along the momentum after the gradient (N, 3, H, W) of the scores at `adversarial`."""
        self.momentum = accumulate(self.momentum, gradient, decay=MOMENTUM)
        moved = self.adversarial.detach() + self.sizes * self.directions.view(-1, 1, 1, 1) * self.momentum.sign()
        self.adversarial = within(moved, self.images, self.eps)


def begin(images: Tensor, directions: Tensor, eps: Tensor, longest: float) -> Climb:
    """Return the start of an attack, at random within a step of the photos; torch's default generator draws.

    Args:
        images: (N, 3, H, W).
        directions: (N,), 1 or -1.
        eps: (N,), the strength for each.
        longest: step; a quarter of the strength where that is less.
    """
    ball = eps.view(-1, 1, 1, 1)
    sizes = (_SHARE_OF_EPS * ball).clamp(max=longest)
    start = within(images + sizes * (2.0 * torch.rand_like(images) - 1.0), images, ball)
    return Climb(images, directions, ball, sizes, start, torch.zeros_like(images))


def within(moved: Tensor, images: Tensor, eps: Tensor) -> Tensor:
    """Return `moved` within the balls of radius eps (N, 1, 1, 1) round images, and within [0, 1]."""
    return torch.maximum(torch.minimum(moved, images + eps), images - eps).clamp(0.0, 1.0)


class Replay:
    """The attack on a batch that is shown several times in a row; each time the weights' gradient takes it a step on.

    Source: A. Shafahi et al., "Adversarial Training for Free!", NeurIPS 2019, algorithm 1.
    """

    def __init__(self) -> None:
        """Know no batch yet."""
        self._climb: Climb | None = None
        self._left = 0
        self._seen: tuple[Tensor, Tensor] | None = None

    def next(self, start: Callable[[], Climb], times: int) -> Climb:
        """Return the attack as far as it is: the start of one the first of so many times, else one step on.

        Args:
            start: returns an attack on the batch, at its start.
            times: that a batch is shown.
        """
        if self._climb is None or self._seen is None or not self._left:
            self._climb, self._left = start(), times
        else:
            adversarial, scores = self._seen
            if adversarial.grad is not None and scores.grad is not None:
                # The loss of a photo may fall with its score: what is wanted is the gradient of the score.
                signs = scores.grad[-len(adversarial) :].sign().to(adversarial)
                self._climb.step(adversarial.grad * signs.view(-1, 1, 1, 1))
        self._left -= 1
        return self._climb

    def watch(self, adversarial: Tensor, scores: Tensor) -> None:
        """Remember what the gradient will be left in by the next backward pass.

        Args:
            adversarial: (n, 3, H, W), a leaf that needs a gradient.
            scores: (N,), of which the last n are its.
        """
        scores.retain_grad()
        self._seen = adversarial, scores
