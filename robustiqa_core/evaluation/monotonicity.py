"""Does a score fall when a photo gets worse? Photos in five steps of a degradation, and how a model orders them."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from robustiqa_core.attacks.objective import score
from robustiqa_core.checks import check_choice
from robustiqa_core.errors import InputError
from robustiqa_core.images.degradations import DEGRADATIONS, LEVELS
from robustiqa_core.images.photo import Photo, round_to_8bit
from robustiqa_core.images.samples import SamplePhoto, list_samples
from robustiqa_core.metrics.correlation import krocc
from robustiqa_core.scorer import Scorer

SERIES_KINDS = ("blur", "noise", "jpeg", "contrast")
"""Degradations that nobody doubts, keys of `DEGRADATIONS`."""
ORDERED_TAU = 0.8
"""Kendall's tau from which a series counts as ordered: of its 15 pairs, at most one stands the wrong way round."""


@dataclass(frozen=True, slots=True)
class Series:
    """The scores of one photo that gets worse step by step.

    Args:
        photo: its name.
        kind: of degradation, a key of `DEGRADATIONS`.
        scores: of the photo as it is, and at the levels 1 to 5.
    """

    photo: str
    kind: str
    scores: tuple[float, ...]

    @property
    def tau(self) -> float:
        """Kendall's tau-b between falling score and rising level: 1 where each step lowers it, 0 where none does.

        Scores that do not move at all follow the level not at all, so that 0 is right and nothing is undefined.
        """
        return round(krocc([-level for level in range(len(self.scores))], self.scores) or 0.0, 12)

    @property
    def ordered(self) -> bool:
        """Whether tau is at least `ORDERED_TAU`."""
        return self.tau >= ORDERED_TAU


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """How well a model orders all photos under one kind of degradation.

    Args:
        kind: a key of `DEGRADATIONS`.
        photos: number of photos.
        ordered: number of them whose series is ordered.
        mean_tau: mean of Kendall's tau over the photos.
    """

    kind: str
    photos: int
    ordered: int
    mean_tau: float


def clean_samples() -> tuple[SamplePhoto, ...]:
    """Return the sample photos without those that were made poor on purpose, as their table says."""
    return tuple(sample for sample in list_samples() if "blurred" not in sample.changes)


def run_series(
    scorer: Scorer, photos: Iterable[Photo], kinds: Sequence[str] = SERIES_KINDS, *, device: torch.device
) -> Iterator[Series]:
    """Yield the series of each photo under each kind of degradation, the photo's kinds one after the other.

    What is scored is what an 8-bit file would hold.

    Args:
        scorer: the model, on `device`.
        photos: read one after the other.
        kinds: keys of `DEGRADATIONS`.
        device: where to compute.

    Raises:
        ConfigurationError: at the first step, for an unknown kind.
    """
    for kind in kinds:
        check_choice("kind", kind, DEGRADATIONS)
    for photo in photos:
        images = photo.images.to(device)
        clean = _score(scorer, images)
        for kind in kinds:
            degraded = (round_to_8bit(DEGRADATIONS[kind](images, level)) for level in LEVELS)
            yield Series(photo.name, kind, (clean, *(_score(scorer, version) for version in degraded)))


def summarise(series: Sequence[Series]) -> tuple[SeriesSummary, ...]:
    """Return one summary for each kind, in the order in which they come.

    Raises:
        InputError: there are no series.
    """
    if not series:
        raise InputError("expected at least one series, got none; give photos and kinds of degradation")
    groups: dict[str, list[Series]] = {}
    for one in series:
        groups.setdefault(one.kind, []).append(one)
    return tuple(
        SeriesSummary(kind, len(group), sum(one.ordered for one in group), statistics.fmean(one.tau for one in group))
        for kind, group in groups.items()
    )


def _score(scorer: Scorer, images: Tensor) -> float:
    return float(score(scorer, images))
