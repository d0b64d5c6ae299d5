"""Texture-aware attack: large changes in busy areas of the photo, almost none in flat ones."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

from torch import Tensor

from robustiqa_core.attacks import objective
from robustiqa_core.attacks.directed import DirectedAttack
from robustiqa_core.attacks.records import Trial
from robustiqa_core.checks import check_count, check_fraction
from robustiqa_core.metrics.ssim import local_variance
from robustiqa_core.scorer import Scorer

FLAT_SHARE = 0.05
"""Share of the strength that a flat area gets: at 8/255 less than one 8-bit level."""

HALF_WAY = 10 / 255
"""Standard deviation under the window at which a pixel gets about half of the strength."""


@dataclass(frozen=True, slots=True)
class TextureAware(DirectedAttack):
    """PGD from the photo within a box for each pixel: `eps` times the photo's `activity` there.

    Args:
        eps: largest change of a value where the photo is busiest, as a fraction of [0, 1]; 8/255 is usual.
        steps: gradient steps of 2.5 / steps of a pixel's own strength, as PGD has them.
        direction: see `DirectedAttack` for this and `target`.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: J. Korhonen and J. You, "Adversarial Attacks against Blind Image Quality Assessment Models", QoEVMA 2022:
    gradient steps weighted with a map of the photo's activity. Their map comes from Sobel edges; ours is `activity`.
    """

    eps: float = 8 / 255
    _: KW_ONLY
    steps: int = 10

    def __post_init__(self) -> None:
        DirectedAttack.__post_init__(self)
        check_fraction("eps", self.eps)
        check_count("steps", self.steps)

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the photo and the point after each step; see `Attack`."""
        ascent = objective.Ascent(self.goal, scorer, images)
        box = self.eps * activity(images)
        adversarial = images
        for _ in range(self.steps):
            scores, gradient = ascent.gradient(adversarial)
            yield Trial(adversarial, scores)
            moved = adversarial + (2.5 / self.steps) * box * gradient.sign()
            adversarial = _within(moved, images, box)
        yield Trial(adversarial, objective.score(scorer, adversarial))

    def project(self, adversarial: Tensor, images: Tensor) -> Tensor:
        """Return `adversarial` within each pixel's box round `images`, and within [0, 1]."""
        return _within(adversarial, images, self.eps * activity(images))


def activity(images: Tensor) -> Tensor:
    """Return the texture activity at each pixel, from FLAT_SHARE (flat) to 1 (busy), shared by all three channels.

    FLAT_SHARE + (1 - FLAT_SHARE) * v / (v + HALF_WAY^2), with v the variance of the grey values under a Gaussian
    window of 11 pixels.

    Args:
        images: (N, 3, H, W), float, [0, 1].

    Returns:
        (N, 1, H, W).

    Source: S. Voloshynovskiy et al., "A Stochastic Approach to Content Adaptive Digital Image Watermarking", IH 1999,
    section 4: the share that stays hidden, 1 - 1 / (1 + theta * variance), with a fixed theta.

    Example:
        >>> import torch
        >>> activity(torch.full((1, 3, 1, 1), 0.5)).item()
        0.05000000074505806
    """
    variance = local_variance(images.mean(1, keepdim=True))
    return FLAT_SHARE + (1.0 - FLAT_SHARE) * variance / (variance + HALF_WAY**2)


def _within(adversarial: Tensor, images: Tensor, box: Tensor) -> Tensor:
    """Return `adversarial` no farther than `box` (N, 1, H, W) from `images`, and within [0, 1]."""
    return adversarial.clamp(images - box, images + box).clamp_(0.0, 1.0)
