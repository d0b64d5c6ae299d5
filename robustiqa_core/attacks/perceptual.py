"""Perceptually constrained attack: the score changes as much as it can while SSIM to the photo stays above a bound."""

import math
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

import torch
from torch import Tensor

from robustiqa_core.attacks import objective
from robustiqa_core.attacks.directed import DirectedAttack
from robustiqa_core.attacks.records import Trial
from robustiqa_core.checks import check_count, check_fraction
from robustiqa_core.metrics.ssim import SSIM_C2, Ray, in_float64, local_variance, smoothed
from robustiqa_core.scorer import Scorer

HALVINGS = 12
"""Bisections of the scale of a perturbation; the loss is at most 1 in 4000 of the perturbation."""

_ROUNDING = 1e-6
"""Margin above the bound for a projected image, so that rounding to float32 does not violate it."""


@dataclass(frozen=True, slots=True)
class Perceptual(DirectedAttack):
    """Steps of equal SSIM cost for each value, and a global scale that meets the bound exactly.

    The Lagrangian of the problem, score - weight * (1 - SSIM), is climbed to second order: near the photo, 1 - SSIM is
    the mean of m * change^2, with m the sensitivity of each value, about 1 / (2 * variance round it + C2). A step
    moves every value along the sign of the score's gradient, by as much as costs the same, 1 / sqrt(m): much in
    texture, little in a clear sky. The weight is never computed: bisection scales the perturbation so that SSIM is
    `min_ssim`.

    Args:
        min_ssim: smallest SSIM to the photo, as `metrics.fidelity.ssim` has it; 1 allows nothing.
        steps: gradient steps, whose length falls evenly to 0.
        direction: see `DirectedAttack` for this and `target`.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: W. Zhang et al., "Perceptual Attacks of No-Reference Image Quality Models with Human-in-the-Loop",
    NeurIPS 2022, section 3: the Lagrangian with SSIM as one of its measures. There the weight is varied and people
    choose the strongest image that looks as before; here a bound replaces them. Values at the border, which
    lie in few SSIM windows, are treated like the others.
    """

    min_ssim: float = 0.99
    _: KW_ONLY
    steps: int = 10

    def __post_init__(self) -> None:
        DirectedAttack.__post_init__(self)
        check_fraction("min_ssim", self.min_ssim)
        check_count("steps", self.steps)

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the photo and the point after each step; see `Attack`."""
        ascent = objective.Ascent(self.goal, scorer, images)
        adversarial, costs = images, _equal_costs(images) * math.sqrt(1.0 - self.min_ssim)
        for step in range(self.steps):
            scores, gradient = ascent.gradient(adversarial)
            yield Trial(adversarial, scores)
            # Twice the length that meets the bound from the photo, so that a later step can turn round.
            length = 2.0 * (1.0 - step / self.steps)
            adversarial = self.project(adversarial + length * costs * gradient.sign(), images)
        yield Trial(adversarial, objective.score(scorer, adversarial))

    def project(self, adversarial: Tensor, images: Tensor) -> Tensor:
        """Return `adversarial` within [0, 1], its perturbation scaled down until SSIM is at least `min_ssim`."""
        adversarial = adversarial.clamp(0.0, 1.0)
        photo = in_float64(images)
        ray = Ray(photo, in_float64(adversarial) - photo)
        low = photo.new_zeros(len(photo))
        high = torch.ones_like(low)
        kept = ray.at(high) >= self.min_ssim
        for _ in range(HALVINGS):
            middle = (low + high) / 2.0
            within = ray.at(middle) >= self.min_ssim + _ROUNDING
            low, high = torch.where(within, middle, low), torch.where(within, high, middle)
        shares = torch.where(kept, torch.ones_like(low), low).to(images.device, images.dtype)
        # lerp with a weight of exactly 1 returns its second argument bit by bit, and of 0 its first.
        return torch.lerp(images, adversarial, shares.view(-1, 1, 1, 1)).clamp_(0.0, 1.0)


def _equal_costs(images: Tensor) -> Tensor:
    """Return changes (N, 3, H, W) that lower SSIM by 1 in all, to second order, and by the same for each value."""
    sensitivity = smoothed(1.0 / (2.0 * local_variance(in_float64(images)) + SSIM_C2))
    return sensitivity.rsqrt().to(images.device, images.dtype)
