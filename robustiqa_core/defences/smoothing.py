"""Median smoothing: the median score of a photo under normal noise, with bounds that can be certified."""

import math
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from statistics import NormalDist
from typing import Literal

import torch
from scipy.stats import binom
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from robustiqa_core.checks import check_choice, check_count, check_fraction, check_positive
from robustiqa_core.defences.wrapped import Wrapped
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.scorer import Scorer

Gradient = Literal["mean", "median"]
GRADIENTS: tuple[Gradient, ...] = ("mean", "median")

_MAX_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class MedianSmoothing:
    """The score becomes the median of the scores of the photo with `samples` draws of normal noise, clipped to [0, 1].

    The draws are the same for every photo and every call: scores are repeatable, independent of the batch, and an
    attack sees exactly the function that is scored.

    Args:
        sigma: deviation of the noise, as a fraction of [0, 1].
        samples: draws; an odd number has one median.
        gradient: what an attack gets. `mean`: the gradient of the mean score, an average over all draws, which is a
            surrogate and makes the stronger attack (figures: docs/notebook/defences.md). `median`: the true gradient,
            which is that of the one draw whose score is the median.
        seed: of the noise.
        chunk: noisy photos that go through the model at a time. Their activations are computed again in the backward
            pass, so that memory grows with this and not with `samples`.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: P. Chiang et al., "Detection as Regression: Certified Object Detection by Median Smoothing", NeurIPS 2020,
    section 3. The clipping is ours: models take photos in [0, 1], and it counts as the model's first layer.
    """

    sigma: float = 0.05
    _: KW_ONLY
    samples: int = 31
    gradient: Gradient = "mean"
    seed: int = 0
    chunk: int = 16

    def __post_init__(self) -> None:
        check_fraction("sigma", self.sigma)
        check_count("samples", self.samples)
        check_choice("gradient", self.gradient, GRADIENTS)
        check_count("seed", self.seed, low=0, high=_MAX_SEED)
        check_count("chunk", self.chunk)

    def wrap(self, scorer: Scorer) -> "Smoothed":
        """Return the scorer behind this defence."""
        return Smoothed(scorer, self)


class Smoothed(Wrapped):
    """A scorer behind median smoothing; see `MedianSmoothing`."""

    def __init__(self, scorer: Scorer, settings: MedianSmoothing) -> None:
        """Keep the scorer, which is not copied, and the settings."""
        super().__init__(scorer)
        self.settings = settings
        self.makes_gradient_up = settings.gradient == "mean"

    def forward(self, images: Tensor) -> Tensor:
        """Return the median scores (N,) of images (N, 3, H, W), RGB in [0, 1]."""
        scores = self._sample(images, self.settings.samples, self.settings.seed)
        median = scores.quantile(0.5, dim=1)
        if self.settings.gradient == "median":
            return median
        mean = scores.mean(dim=1)
        return median.detach() + (mean - mean.detach())

    @torch.no_grad()
    def certify(
        self, images: Tensor, radius: float, *, samples: int = 1000, confidence: float = 0.999, seed: int = 1
    ) -> tuple[Tensor, Tensor]:
        """Return bounds (N,), (N,) of the smoothed score under every perturbation shorter than `radius`.

        With probability `confidence` over the noise drawn here, each photo by itself, the median over *infinitely
        many* draws stays within the bounds for all perturbations with a Euclidean length below `radius`. They are the
        quantiles Phi(-radius / sigma) and Phi(radius / sigma) of the noisy scores, taken from the order statistics
        that are on the safe side of them with that confidence (half of the doubt on each side). A bound that so few
        samples cannot give is infinite; see `max_radius`. `forward` takes few and fixed draws: it estimates that
        median, and an attack that knows the draws can move it beyond the bounds.

        Args:
            images: (N, 3, H, W), float, RGB in [0, 1].
            radius: Euclidean length of a perturbation over all 3 * H * W values in [0, 1]. An l_inf ball of 4/255 at
                224 x 224 px has corners at a length of 6.1.
            samples: noisy copies to score; more give tighter bounds.
            confidence: in (0, 1).
            seed: of noise that is fresh: the photo must not have been made with it in view.

        Raises:
            ConfigurationError: a value is out of its range, or the seed is the one that `forward` uses.
        """
        check_positive("radius", radius)
        check_count("samples", samples)
        if seed == self.settings.seed:
            raise ConfigurationError(
                f"a certificate needs noise that no attack has seen, got seed {seed}, the seed of the scores; "
                "choose another seed"
            )
        rank = _lower_rank(radius / self.settings.sigma, samples, confidence)
        ordered = self._sample(images, samples, seed).sort(dim=1).values
        if rank == 0:
            return torch.full_like(ordered[:, 0], -math.inf), torch.full_like(ordered[:, 0], math.inf)
        return ordered[:, rank - 1], ordered[:, samples - rank]

    def _sample(self, images: Tensor, samples: int, seed: int) -> Tensor:
        """Return the scores (N, samples) of images with noise, some copies at a time."""
        with_gradient = torch.is_grad_enabled() and images.requires_grad
        parts = []
        for noise in self._noise(images, samples, seed):
            if with_gradient and len(noise) < samples:
                part = checkpoint(self._score, images, noise, use_reentrant=False, preserve_rng_state=False)
            else:
                part = self._score(images, noise)
            parts.append(part)
        return torch.cat(parts, dim=1)

    def _score(self, images: Tensor, noise: Tensor) -> Tensor:
        """Return the scores (N, K) of images with each of the noises (K, 3, H, W)."""
        noisy = (images.unsqueeze(1) + self.settings.sigma * noise).clamp(0.0, 1.0)
        return self.scorer(noisy.flatten(0, 1)).view(len(images), len(noise))

    def _noise(self, images: Tensor, samples: int, seed: int) -> Iterator[Tensor]:
        """Yield the draws (K, 3, H, W), in parts that fit the chunk; drawn on the CPU, the same on every device."""
        generator = torch.Generator("cpu").manual_seed(seed)
        size = max(1, self.settings.chunk // len(images))
        for start in range(0, samples, size):
            # Draw by draw: how many a part has, which depends on the batch, must not matter.
            draws = [torch.randn(images.shape[1:], generator=generator) for _ in range(min(size, samples - start))]
            yield torch.stack(draws).to(images)


def max_radius(sigma: float, *, samples: int = 1000, confidence: float = 0.999) -> float:
    """Return the length up to which so many samples can certify anything; bounds are infinite beyond it.

    The lowest sample is below the quantile p with a probability of 1 - (1 - p)^samples.

    Args:
        sigma: deviation of the noise.
        samples: as for `Smoothed.certify`.
        confidence: as for `Smoothed.certify`.

    Example:
        >>> round(max_radius(0.25), 3)
        0.607
    """
    check_fraction("sigma", sigma)
    smallest = 1.0 - ((1.0 - _check_confidence(confidence)) / 2) ** (1.0 / check_count("samples", samples))
    return max(0.0, -sigma * NormalDist().inv_cdf(smallest))


def _lower_rank(ratio: float, samples: int, confidence: float) -> int:
    """Return the rank, from 1, of the largest ordered sample that is surely enough below the quantile Phi(-ratio).

    Sample number k is below the quantile p if at least k of the samples are: with the probability of a binomial.
    0 where not even the lowest sample is.
    """
    doubt = (1.0 - _check_confidence(confidence)) / 2
    return int(binom.ppf(doubt, samples, NormalDist().cdf(-ratio)))


def _check_confidence(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ConfigurationError(f"confidence must be in (0, 1), got {confidence:g}; 0.999 is usual")
    return confidence
