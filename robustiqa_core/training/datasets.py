"""Photos with mean opinion scores, and what training and measuring see of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torch.utils.data import Dataset

from robustiqa_core.errors import InputError
from robustiqa_core.images.photo import read_image, to_8bit
from robustiqa_core.training.sampling import Sample, SizedSample, combined_seed

Split: TypeAlias = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """One photo of a data set: its file, its mean opinion score (larger is better) and its split."""

    path: Path
    mos: float
    split: Split


def select(photos: Sequence[LabelledPhoto], split: Split) -> tuple[LabelledPhoto, ...]:
    """Return the photos of one split; raise InputError where there are fewer than two."""
    chosen = tuple(photo for photo in photos if photo.split == split)
    if len(chosen) < 2:
        raise InputError(f"expected at least two {split} photos, got {len(chosen)}; mark some in the column split")
    return chosen


def load_pixels(path: Path) -> Tensor:
    """Return the photo at `path` as (1, 3, H, W), 8-bit."""
    return to_8bit(read_image(path).images)


def resize_short_side(pixels: Tensor, side: int) -> Tensor:
    """Return 8-bit pixels (1, 3, h, w) scaled, up or down, so that the shorter side has `side` pixels."""
    height, width = pixels.shape[-2:]
    shorter = min(height, width)
    if shorter == side:
        return pixels
    size = (round(height * side / shorter), round(width * side / shorter))
    return F.interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)


def random_crop(pixels: Tensor, side: int, generator: Generator) -> Tensor:
    """Return a square of `side` pixels of pixels (C, H, W), at a random place, mirrored half of the time."""
    room = (pixels.shape[1] - side, pixels.shape[2] - side)
    top, left = (int(torch.randint(0, space + 1, (), generator=generator)) for space in room)
    pixels = pixels[:, top : top + side, left : left + side]
    if torch.rand((), generator=generator) < 0.5:
        pixels = pixels.flip(2)
    return pixels.contiguous()


# Measured on the 530 photos of BIQ2021's part ss01 in which the watermark stands out: it lies in the rows 460 to 486
# and the columns 0 to 66 of 512. A margin takes in what JPEG compression made of its edges.
_CORNER_TOP, _CORNER_WIDTH = 0.89, 0.14


def mask_corner(pixels: Tensor) -> Tensor:
    """Return photos (..., H, W) whose lower left corner shows the mirror image of what is to its right.

    The corner, 14 % of the width and 11 % of the height, is where many photos of BIQ2021's part ss01 carry a phone's
    watermark. A mirror image keeps the noise, blur and texture of the photo, which a plain patch would not.

    Args:
        pixels: any type, at least 8 px a side.

    Example:
        >>> mask_corner(torch.arange(9.0).repeat(9, 1))[-1].tolist()
        [3.0, 2.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    """
    height, width = pixels.shape[-2:]
    top, side = math.floor(_CORNER_TOP * height), math.ceil(_CORNER_WIDTH * width)
    masked = pixels.clone()
    masked[..., top:, :side] = pixels[..., top:, side : 2 * side].flip(-1)
    return masked


class TrainingCrops(Dataset[tuple[Tensor, float]]):
    """Random square crops of photos, mirrored half of the time.

    The crop depends on the seed and the sample alone, so that a resumed training sees what an unbroken one would have
    seen.
    """

    def __init__(self, photos: Sequence[LabelledPhoto], *, resize: int, crop: int, seed: int) -> None:
        """Keep the settings; nothing is read.

        Args:
            photos: where the photos lie.
            resize: pixels of the shorter side before cropping.
            crop: pixels of a side of the crop, at most `resize`.
            seed: of the random crops.
        """
        if crop > resize:
            raise InputError(f"a crop must fit into the resized photo: expected crop <= {resize}, got {crop}; lower it")
        self.photos, self.resize, self.crop, self.seed = tuple(photos), resize, crop, seed

    def __len__(self) -> int:
        return len(self.photos)

    def side(self, sample: Sample) -> int:
        """Return the pixels of the shorter side of a sample's photo before cropping."""
        return self.resize

    def crop_side(self, sample: Sample) -> int:
        """Return the pixels of a side of a sample's crop."""
        return sample.crop if isinstance(sample, SizedSample) else self.crop

    def __getitem__(self, sample: Sample) -> tuple[Tensor, float]:
        """Return 8-bit pixels (3, side, side), with the `crop_side`, and the MOS."""
        photo = self.photos[sample.index]
        pixels = resize_short_side(load_pixels(photo.path), self.side(sample))[0]
        place = sample.index + sample.repeat * len(self.photos)
        generator = torch.Generator().manual_seed(combined_seed(self.seed, sample.epoch, place))
        return random_crop(pixels, self.crop_side(sample), generator), photo.mos


class WholePhotos(Dataset[tuple[Tensor, float]]):
    """Whole photos, for measuring: 8-bit pixels (3, H, W) and the MOS."""

    def __init__(self, photos: Sequence[LabelledPhoto], *, mask_corner: bool = False) -> None:
        """Keep the settings; nothing is read.

        Args:
            photos: where the photos lie.
            mask_corner: whether the lower left corner is covered; see `mask_corner`.
        """
        self.photos, self.masked = tuple(photos), mask_corner

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor, float]:
        photo = self.photos[index]
        pixels = load_pixels(photo.path)[0]
        return (mask_corner(pixels) if self.masked else pixels), photo.mos
