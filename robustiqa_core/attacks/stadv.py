"""Spatially transformed adversarial images: pixels are moved, not changed."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from functools import partial

import torch
from torch import Tensor

from robustiqa_core.attacks import objective
from robustiqa_core.attacks.directed import DirectedAttack
from robustiqa_core.attacks.records import Trial
from robustiqa_core.attacks.transformation import pull_back, roughness, warp
from robustiqa_core.checks import check_count, check_fraction, check_positive
from robustiqa_core.scorer import Scorer


@dataclass(frozen=True, slots=True)
class StAdv(DirectedAttack):
    """A smooth flow field that moves each pixel by at most `max_flow`.

    It maximises value / width of the score range - smoothness * `roughness` of the flow. Each step is the steepest
    one of equal length for every pixel, a length that falls linearly from `max_flow` to 0; displacements are clipped
    to `max_flow`. The records carry the flow.

    The budget is the displacement, which cannot be read from an image: `iterate` enforces it, and `project` only clips
    images to [0, 1].

    Args:
        max_flow: longest displacement of a pixel, in pixels.
        smoothness: weight of the roughness, from 0 (each pixel moves as it will) to 1.
        steps: gradient steps.
        direction: see `DirectedAttack` for this and `target`.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: C. Xiao et al., "Spatially Transformed Adversarial Examples", ICLR 2018, equations 1 to 4, with the weight
    0.05 from there. The paper has no bound and searches with L-BFGS; the bound here makes results comparable.
    """

    max_flow: float = 1.0
    _: KW_ONLY
    smoothness: float = 0.05
    steps: int = 10

    def __post_init__(self) -> None:
        DirectedAttack.__post_init__(self)
        check_positive("max_flow", self.max_flow)
        check_fraction("smoothness", self.smoothness, zero=True)
        check_count("steps", self.steps)

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the photo and the point after each step; see `Attack`."""
        ascent = objective.Ascent(self.goal, scorer, images)
        adversarial, flow = images, images.new_zeros((len(images), 2, *images.shape[2:]))
        rates = images.new_full((len(images),), self.smoothness)
        for step in range(self.steps):
            scores, gradient = ascent.gradient(adversarial)
            yield Trial(adversarial, scores, flow)
            climb = pull_back(partial(warp, images), flow, gradient / scorer.score_range.width)
            climb = climb - pull_back(roughness, flow, rates)
            length = self.max_flow * (1.0 - step / self.steps)
            flow = _shortened(flow + length * _directions(climb), self.max_flow)
            adversarial = self.project(warp(images, flow), images)
        yield Trial(adversarial, objective.score(scorer, adversarial), flow)

    def project(self, adversarial: Tensor, images: Tensor) -> Tensor:
        """Return `adversarial` within [0, 1]; the displacement is bounded where it is known, in `iterate`."""
        return adversarial.clamp(0.0, 1.0)


def _directions(vectors: Tensor) -> Tensor:
    """Return each pixel's vector (N, 2, H, W) with length 1; 0 where it is 0."""
    # The square of a small number underflows, hence the division by the larger component first.
    tiny = torch.finfo(vectors.dtype).tiny
    scaled = vectors / vectors.abs().amax(1, keepdim=True).clamp_min(tiny)
    return scaled / scaled.square().sum(1, keepdim=True).sqrt().clamp_min(tiny)


def _shortened(flow: Tensor, longest: float) -> Tensor:
    """Return the flow (N, 2, H, W) with each displacement at most `longest`, up to rounding."""
    length = flow.square().sum(1, keepdim=True).sqrt()
    return torch.where(length > longest, flow * (longest / length), flow)
