"""What a network learns, and the attack that goes along with it while it learns."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from robustiqa_core.attacks.mi_fgsm import accumulate
from robustiqa_core.blocks import folded_blocks
from robustiqa_core.models import QualityModel

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


@dataclass(frozen=True, slots=True, eq=False)
class TrainingTask:
    """What a network learns before any term is added.

    Args:
        network: what learns.
        loss: of images (n, 3, H, W) and targets (n,): the task's own, of the whole batch of all processes.
        span: how far apart the targets of the worst and the best photo of the scale are.
        middle: median of the targets.
        factor: the network's scores times this, plus `shift`, are in the unit of the targets.
        shift: see `factor`.
        progress: finished share of the training, in [0, 1].
        replay: what is left of a batch that is shown several times in a row.
    """

    network: QualityModel
    loss: Callable[[Tensor, Tensor], Tensor]
    span: float = 1.0
    middle: float = 0.5
    factor: float = 1.0
    shift: float = 0.0
    progress: float = 0.0
    replay: Replay = field(default_factory=Replay)

    def in_targets_unit(self, scores: Tensor) -> Tensor:
        """Return scores (N,) of the network in the unit of the targets, float32."""
        return self.factor * scores.float() + self.shift


@contextlib.contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Set eval mode within the `with` block; each module's mode is as before at its end."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextlib.contextmanager
def attackable(network: nn.Module) -> Iterator[None]:
    """Set eval mode and freeze the weights within the `with` block; all is as before at its end."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    network.requires_grad_(False)
    try:
        with eval_mode(network), folded_blocks(network):
            yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
