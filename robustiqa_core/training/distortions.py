"""Clean photos with a known synthetic distortion: what S-CNN learns from.

Nobody's opinion is needed for them, so that any folder of clean photos will do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from robustiqa_core.errors import InputError
from robustiqa_core.images.degradations import DEGRADATIONS, LEVELS
from robustiqa_core.images.folders import list_folder
from robustiqa_core.images.photo import to_8bit
from robustiqa_core.training.datasets import load_pixels, random_crop, resize_short_side
from robustiqa_core.training.sampling import Sample, combined_seed

_FEWEST_PHOTOS = 20


@dataclass(frozen=True, slots=True)
class Distortion:
    """A class that S-CNN tells from others.

    Args:
        kind: key of `DEGRADATIONS`.
        level: 1 to 5.
    """

    kind: str
    level: int

    def __str__(self) -> str:
        return f"{self.kind} {self.level}"


_KINDS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("jpeg", "jpeg2000", "blur", "noise", "contrast", "pink_noise", "dither"), LEVELS),
    "overexposure": (2, 4),
    "underexposure": (2, 4),
}

PUBLISHED_CLASSES = tuple(Distortion(kind, level) for kind, levels in _KINDS.items() for level in levels)
"""The 39 classes of the paper: seven kinds in five levels, over- and under-exposure in two; the strengths are ours."""


def list_photos(folder: Path) -> tuple[Path, ...]:
    """Return the photos in `folder` and the folders in it, sorted.

    Raises:
        InputError: fewer than 20.
    """
    photos = list_folder(folder, recursive=True).photos
    if len(photos) < _FEWEST_PHOTOS:
        raise InputError(
            f"expected at least {_FEWEST_PHOTOS} photos in {folder}, got {len(photos)}; give a folder of clean photos"
        )
    return photos


class DistortedCrops(Dataset[tuple[Tensor, float]]):
    """Random crops of photos, each with a distortion, as (8-bit pixels, number of the class).

    A photo is distorted before it is cropped, so that the blocks of a codec lie anywhere in the crop.
    """

    def __init__(
        self, paths: Sequence[Path], classes: Sequence[Distortion], *, resize: int, crop: int, seed: int
    ) -> None:
        """Keep the settings; nothing is read.

        Args:
            paths: of clean photos.
            classes: what they are distorted by.
            resize: pixels of the shorter side of what is distorted.
            crop: pixels of a side of the crop, at most `resize`.
            seed: of distortions and crops.
        """
        self.paths, self.classes = tuple(paths), tuple(classes)
        self.resize, self.crop, self.seed = resize, crop, seed

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, sample: Sample) -> tuple[Tensor, float]:
        """Return pixels (3, crop, crop) and the class; both depend on the seed and the sample alone."""
        seed = combined_seed(self.seed, sample.epoch, sample.index + sample.repeat * len(self.paths))
        generator = torch.Generator().manual_seed(seed)
        number = int(torch.randint(len(self.classes), (), generator=generator))
        distortion = self.classes[number]
        pixels = resize_short_side(load_pixels(self.paths[sample.index]), self.resize)
        distorted = DEGRADATIONS[distortion.kind](pixels.float() / 255, distortion.level, seed=seed)
        return random_crop(to_8bit(distorted)[0], self.crop, generator), float(number)
