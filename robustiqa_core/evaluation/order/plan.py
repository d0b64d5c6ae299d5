"""What a worst-case order is measured with, and on which photos."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from robustiqa_core.checks import Configuration, check_count, check_flag, check_fraction
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.evaluation.tables.rows import versions
from robustiqa_core.images.photo import MAX_SIDE

STRENGTHS = (0.5 / 255, 1 / 255, 2 / 255, 4 / 255, 8 / 255)
"""Of the preset."""


@dataclass(frozen=True, slots=True)
class RankedPhoto:
    """A photo and its MOS; None where there is no MOS, and the clean scores are the reference."""

    path: Path
    mos: float | None = None


@dataclass(frozen=True, slots=True)
class OrderPlan(Configuration):
    """How the order of photos is attacked.

    Args:
        strengths: eps of the attacks, different and rising.
        gradients: of the attack `worst` on each photo, in each strength and direction.
        doublings: how often these may be doubled, until the gains grow by less than `settled`.
        settled: smallest growth of the mean size of the gains in a doubling that counts, as a share.
        both: attack each photo both ways, not against its rank only.
        seed: of the attack.
        batch_size: photos attacked together; no figure depends on it but by rounding.
        max_side: larger photos are reduced to this many pixels.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    strengths: tuple[float, ...] = STRENGTHS
    gradients: int = 100
    doublings: int = 1
    settled: float = 0.02
    both: bool = False
    seed: int = 0
    batch_size: int = 4
    max_side: int = MAX_SIDE

    def __post_init__(self) -> None:
        for eps in self.strengths:
            check_fraction("strengths", eps)
        if not self.strengths or list(self.strengths) != sorted(set(self.strengths)):
            raise ConfigurationError(f"expected different strengths, the smallest first, got {self.strengths}; sort")
        check_count("gradients", self.gradients, low=2)
        check_count("doublings", self.doublings, low=0, high=10)
        check_fraction("settled", self.settled)
        check_flag("both", self.both)
        check_count("seed", self.seed, low=0)
        check_count("batch_size", self.batch_size)
        check_count("max_side", self.max_side)

    def settings(self, model_sha256: str) -> dict[str, Any]:
        """Return what decides the numbers of a row apart from its photo, as a JSON object."""
        decides = asdict(self)
        del decides["batch_size"]
        return {
            **decides,
            "model_sha256": model_sha256,
            "threads": torch.get_num_threads(),
            "versions": dict(versions()),
        }


def spread_evenly(photos: Sequence[RankedPhoto], count: int) -> tuple[RankedPhoto, ...]:
    """Return `count` photos at even ranks of MOS, by name where there is none; all of fewer.

    Of N photos in the order of (MOS, name) those at the places floor((i + 1/2) N / count) are taken.

    Example:
        >>> ten = [RankedPhoto(Path(f"{n}.png"), mos=float(n)) for n in range(10)]
        >>> [photo.mos for photo in spread_evenly(ten, 3)]
        [1.0, 5.0, 8.0]
    """
    check_count("photos", count, low=2)
    ranked = sorted(photos, key=lambda photo: (0.0 if photo.mos is None else photo.mos, photo.path.name))
    if count >= len(ranked):
        return tuple(ranked)
    return tuple(ranked[(2 * place + 1) * len(ranked) // (2 * count)] for place in range(count))
