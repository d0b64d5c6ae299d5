"""What every image-quality model is to the rest of the house."""

import math
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from robustiqa_core.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ScoreRange:
    """The interval that a model's scores span on clean photos of its training set.

    Args:
        low: lowest clean score, in the model's own unit.
        high: highest clean score.

    Example:
        >>> ScoreRange(0.2, 0.8).width
        0.6000000000000001
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ConfigurationError(
                f"a score range needs finite low < high, got {self.low:g} and {self.high:g}; "
                "measure it on the training set"
            )

    @property
    def width(self) -> float:
        """Length of the interval, in the model's own unit."""
        return self.high - self.low

    def scale(self, scores: Tensor) -> Tensor:
        """Map scores (N,) so that `low` becomes 0 and `high` becomes 1; values outside stay outside."""
        return (scores - self.low) / self.width


class Scorer(Protocol):
    """A differentiable no-reference quality model.

    Called with images (N, 3, H, W), float RGB in [0, 1], it returns scores (N,); larger is always better.
    Each image is scored independently of its batch. Normalisation and resizing happen inside, so that an
    attack works on the pixels that a person sees. A linear function in a test is a Scorer too.
    """

    @property
    def score_range(self) -> ScoreRange:
        """Range of the scores on clean photos."""
        ...

    def __call__(self, images: Tensor, /) -> Tensor:
        """Return scores (N,) of images (N, 3, H, W)."""
        ...


@dataclass(frozen=True, slots=True)
class InsertionPoint:
    """A named place in an architecture where a block can be inserted.

    Class data of an architecture: readable before any weight exists.

    Args:
        name: place in words, such as `after_stage5`.
        module: dotted path of the nn.Sequential to whose end a block is added.
        channels: channels of that output.
        stride: pixels of the model's input for one step on that output's grid.
    """

    name: str
    module: str
    channels: int
    stride: int
