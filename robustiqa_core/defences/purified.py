"""A scorer behind a purification of its photos, and the three purifications without random numbers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from robustiqa_core.checks import check_count, check_fraction
from robustiqa_core.defences.wrapped import Wrapped
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.images.degradations import DEGRADATIONS
from robustiqa_core.scorer import Scorer


class Purification(ABC):
    """A configuration that changes photos before a scorer sees them."""

    __slots__ = ()

    makes_gradient_up: ClassVar[bool] = False
    """Whether the backward pass is that of something else."""

    @abstractmethod
    def purify(self, images: Tensor) -> Tensor:
        """Return images (N, 3, H, W) in [0, 1] of the same shape, with a gradient with respect to the given ones."""

    def wrap(self, scorer: Scorer) -> "Purified":
        """Return the scorer behind this defence."""
        return Purified(scorer, self)


class Purified(Wrapped):
    """A scorer that sees each photo after a purification; gradients flow through both."""

    def __init__(self, scorer: Scorer, purification: Purification) -> None:
        """Keep the scorer, which is not copied, and the purification."""
        super().__init__(scorer)
        self.purification = purification
        self.makes_gradient_up = purification.makes_gradient_up

    def forward(self, images: Tensor) -> Tensor:
        """Return scores (N,) of images (N, 3, H, W), RGB in [0, 1]."""
        return self.scorer(self.purification.purify(images))


@dataclass(frozen=True, slots=True)
class JPEG(Purification):
    """Each photo is stored as a JPEG file and read again, by libjpeg and in 8 bits: the true compression.

    Its derivative is 0 almost everywhere and would hide the gradient; the backward pass is that of the identity
    instead, so that attacks go on (backward pass differentiable approximation, BPDA).

    Args:
        quality: libjpeg's, 1 to 95; colour resolution is halved as usual.

    Raises:
        ConfigurationError: another quality.

    Source: A. Athalye et al., "Obfuscated Gradients Give a False Sense of Security", ICML 2018, section 4.1.
    """

    makes_gradient_up: ClassVar[bool] = True

    quality: int = 75

    def __post_init__(self) -> None:
        check_count("quality", self.quality, high=95)

    def purify(self, images: Tensor) -> Tensor:
        """Return images (N, 3, H, W) in [0, 1] after the file."""
        stored = DEGRADATIONS["jpeg"].apply(images, self.quality, torch.Generator())
        # Adding a zero that has the gradient of the identity leaves the stored values as they are, bit by bit.
        return stored + (images - images.detach())


@dataclass(frozen=True, slots=True)
class Resize(Purification):
    """Each photo is reduced with antialiasing and enlarged again, which takes away its finest detail.

    Args:
        scale: of a side, in (0, 1].

    Raises:
        ConfigurationError: another scale.
    """

    scale: float = 0.5

    def __post_init__(self) -> None:
        check_fraction("scale", self.scale)

    def purify(self, images: Tensor) -> Tensor:
        """Return images (N, 3, H, W) in [0, 1] reduced and enlarged, bilinear both ways."""
        height, width = images.shape[-2:]
        small = (max(1, round(self.scale * height)), max(1, round(self.scale * width)))
        reduced = F.interpolate(images, small, mode="bilinear", antialias=True, align_corners=False)
        enlarged = F.interpolate(reduced, (height, width), mode="bilinear", align_corners=False)
        # Rounding can pass 1 by the last bit; a plain clamp would hide the gradient there.
        return enlarged + (enlarged.clamp(0.0, 1.0) - enlarged).detach()


@dataclass(frozen=True, slots=True)
class MedianBlur(Purification):
    """Each value becomes the median of its channel's `size` x `size` neighbours, the photo mirrored at its border.

    The gradient is the true one: it goes to the neighbour that is the median.

    Args:
        size: side of the window in pixels, odd.

    Raises:
        ConfigurationError: another size.
    """

    size: int = 3

    def __post_init__(self) -> None:
        check_count("size", self.size, low=3, high=31)
        if self.size % 2 == 0:
            raise ConfigurationError(f"size must be odd, so that the window has a centre, got {self.size}; change it")

    def purify(self, images: Tensor) -> Tensor:
        """Return images (N, 3, H, W) filtered; H and W must be larger than half the window."""
        reach = self.size // 2
        padded = F.pad(images, (reach, reach, reach, reach), mode="reflect")
        windows = padded.unfold(2, self.size, 1).unfold(3, self.size, 1)
        return windows.flatten(-2).median(dim=-1).values
