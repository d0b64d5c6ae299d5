"""The range of a model's own clean scores: on which photos it is measured, and what a card says of it."""

import hashlib
import math
from collections.abc import Sequence

import torch

from robustiqa_core.errors import NumericalError
from robustiqa_core.models.card import RangeSource
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.datasets import LabelledPhoto

RANGE_PHOTOS = 2000
"""Training photos that score ranges, and the baselines' mapping to the MOS scale, are measured on."""


def range_photos(learning: Sequence[LabelledPhoto], seed: int = 0) -> tuple[LabelledPhoto, ...]:
    """Return the training photos that a score range is measured on: 2,000 drawn at random, or all of fewer.

    Args:
        learning: the training photos, without the validation photos.
        seed: of the draw; that of the baselines is 0, so that all models are measured on the same photos.
    """
    order = torch.randperm(len(learning), generator=torch.Generator().manual_seed(seed)).tolist()
    return tuple(learning[index] for index in order[:RANGE_PHOTOS])


def range_of(scores: Sequence[float]) -> ScoreRange:
    """Return the lowest and highest of some scores.

    Raises:
        NumericalError: they are all the same, or not all are numbers.
    """
    if not all(map(math.isfinite, scores)) or min(scores) == max(scores):
        raise NumericalError(
            f"expected scores that differ from photo to photo, got {len(scores)} from {min(scores):g} to "
            f"{max(scores):g}; the model is broken"
        )
    return ScoreRange(min(scores), max(scores))


def measured_source(photos: Sequence[LabelledPhoto], *, title: str, seed: int, command: str) -> RangeSource:
    """Return what a card says of a range that was measured on `photos`.

    Args:
        photos: those of `range_photos`.
        title: name of their data set and split, for people.
        seed: of the draw.
        command: that repeats the measurement.
    """
    return RangeSource("measured", len(photos), f"{title}, drawn with seed {seed}", command, photos_sha256(photos))


def photos_sha256(photos: Sequence[LabelledPhoto]) -> str:
    """Return a digest of photos, whose order does not matter: of the names and bytes of their files."""
    lines = sorted(f"{photo.path.name} {hashlib.sha256(photo.path.read_bytes()).hexdigest()}" for photo in photos)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
