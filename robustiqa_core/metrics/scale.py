"""On which scale a change of score is measured: whose range is 0 to 1 is a convention, and it decides the verdict."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.metrics.pairing import Array
from robustiqa_core.scorer import ScoreRange

Convention = Literal["own", "photos", "baseline", "fixed"]
CONVENTIONS: tuple[Convention, ...] = ("own", "photos", "baseline", "fixed")
MEANING: dict[Convention, str] = {
    "own": "each model by the range of its own clean scores",
    "photos": "each model by the range of its clean scores of these photos alone",
    "baseline": "every model by the range of the baseline's clean scores",
    "fixed": "every model by the nominal scale of human scores",
}
"""What each convention is, in words."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale that a figure was computed on; it is always shown with the figure.

    Scores s become s' = (s - low) / (high - low); values outside the range stay outside [0, 1].

    Args:
        convention: `own` (the usual one), `photos` (the strictest: a model that gives the photos at hand nearly the
            same score has little to divide by; it depends on how many photos there are), `baseline` (a model that
            merely narrows its scores looks robust on it) or `fixed` (a model that never used the whole scale looks
            robust on it).
        score_range: low and high, in the unit of the scores.

    Raises:
        ConfigurationError: unknown convention.

    Example:
        >>> Scale("fixed", ScoreRange(0.0, 100.0)).apply([20.0, 110.0])
        array([0.2, 1.1])
    """

    convention: Convention
    score_range: ScoreRange

    def __post_init__(self) -> None:
        check_choice("convention", self.convention, CONVENTIONS)

    def apply(self, scores: npt.ArrayLike) -> Array:
        """Return the scores, any shape, on this scale."""
        return (np.asarray(scores, dtype=np.float64) - self.score_range.low) / self.score_range.width


def choose_scale(
    convention: Convention,
    *,
    own: ScoreRange,
    baseline: ScoreRange,
    fixed: ScoreRange | None = None,
    photos: ScoreRange | None = None,
) -> Scale:
    """Return the scale of a model under a convention.

    Args:
        convention: one of `CONVENTIONS`.
        own: range of the model's own clean scores.
        baseline: range of the clean scores of the model that it is compared with.
        fixed: the nominal scale, where it is known; BIQ2021 has 0 to 1.
        photos: range of the model's clean scores of the photos at hand, where they are known.

    Raises:
        ConfigurationError: unknown convention, or `fixed` or `photos` without its range.
    """
    check_choice("convention", convention, CONVENTIONS)
    if convention == "fixed":
        if fixed is None:
            raise ConfigurationError(
                "the convention fixed needs the nominal scale of the scores, got none; give its low and high end"
            )
        return Scale(convention, fixed)
    if convention == "photos":
        if photos is None:
            raise ConfigurationError(
                "the convention photos needs the model's clean scores of the photos at hand, got none; give their range"
            )
        return Scale(convention, photos)
    return Scale(convention, own if convention == "own" else baseline)
