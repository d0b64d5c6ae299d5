"""Photos with mean opinion scores: tables of them, and batches for training."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from robustiqa_core.errors import InputError
from robustiqa_core.images import read_image, to_8bit

Split: TypeAlias = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """One photo of a data set: its file, its mean opinion score (larger is better) and its split."""

    path: Path
    mos: float
    split: Split


def read_table(table: Path, root: Path) -> tuple[LabelledPhoto, ...]:
    """Return the photos of a CSV with the columns file, mos and split.

    Args:
        table: the CSV; `split` is train, validation or test, and train where the column is missing.
        root: folder that the file names start from.

    Raises:
        InputError: a column, a file or a number is missing or wrong; the message names the line.
    """
    if not table.is_file():
        raise InputError(f"expected a CSV of file, mos, split, got no file at {table}; give its path with --scores")
    with table.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        missing = {"file", "mos"} - set(reader.fieldnames or ())
        if missing:
            raise InputError(
                f"{table.name}: expected the columns file, mos and split, got {', '.join(reader.fieldnames or ())}; "
                f"add {' and '.join(sorted(missing))}"
            )
        photos = tuple(_read_row(row, f"{table.name} line {number}", root) for number, row in enumerate(reader, 2))
    if not photos:
        raise InputError(f"{table.name}: expected at least one photo, got none; add lines of file, mos, split")
    return photos


def _read_row(row: dict[str, str], place: str, root: Path) -> LabelledPhoto:
    try:
        mos = float(row["mos"])
    except ValueError:
        mos = math.nan
    if not math.isfinite(mos):
        raise InputError(f"{place}: expected a finite number as mos, got {row['mos']!r}; correct the line")
    name = row.get("split") or "train"
    split = next((known for known in SPLITS if known == name), None)
    if split is None:
        raise InputError(f"{place}: split is one of {', '.join(SPLITS)}, got {name!r}; correct the line")
    path = root / row["file"]
    if not path.is_file():
        raise InputError(f"{place}: expected a photo at {path}, got no file; check --root")
    return LabelledPhoto(path, mos, split)


def read_biq2021(root: Path) -> tuple[LabelledPhoto, ...]:
    """Return the 12,000 photos of BIQ2021 with its official split of 10,000 and 2,000; MOS in [0, 1].

    Args:
        root: a clone of the data set's public repository, with `Images/` and its two CSV files.

    Source: N. Ahmed and S. Asif, "BIQ2021: a large-scale blind image quality assessment database",
    J. Electron. Imaging 31(5), 053010, 2022.
    """
    folder = root / "Images"
    # One name differs between the CSV and the disk in its ending.
    on_disk = {path.name.lower(): path for path in folder.glob("*")}
    photos: list[LabelledPhoto] = []
    splits: tuple[tuple[str, Split], ...] = (("Train", "train"), ("Test", "test"))
    for name, split in splits:
        table = root / f"{name} (Images and MOS).csv"
        if not table.is_file():
            raise InputError(f"expected {table.name} in {root}, got no such file; give a clone of BIQ2021 with --root")
        with table.open(newline="", encoding="utf-8-sig") as lines:
            for row in csv.DictReader(lines):
                path = on_disk.get(row["Image Name"].lower())
                if path is None:
                    raise InputError(f"expected {row['Image Name']} in {folder}, got no such file; clone BIQ2021 again")
                photos.append(LabelledPhoto(path, float(row["MOS"]), split))
    return tuple(photos)


def select(photos: Sequence[LabelledPhoto], split: Split) -> tuple[LabelledPhoto, ...]:
    """Return the photos of one split; raise InputError where there are fewer than two."""
    chosen = tuple(photo for photo in photos if photo.split == split)
    if len(chosen) < 2:
        raise InputError(f"expected two or more {split} photos, got {len(chosen)}; mark some in the column split")
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


@dataclass(frozen=True, slots=True)
class Sample:
    """What the loader is asked for: the photo's place in the data set and the epoch, which decides the crop."""

    index: int
    epoch: int


class TrainingCrops(Dataset[tuple[Tensor, float]]):
    """Random square crops of photos, mirrored half of the time.

    The crop depends on the seed, the epoch and the photo alone, so that a resumed training sees what an unbroken
    one would have seen.
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
            raise InputError(f"a crop fits into the resized photo: expected crop <= {resize}, got {crop}; lower it")
        self.photos, self.resize, self.crop, self.seed = tuple(photos), resize, crop, seed

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, sample: Sample) -> tuple[Tensor, float]:
        """Return 8-bit pixels (3, crop, crop) and the MOS."""
        photo = self.photos[sample.index]
        pixels = resize_short_side(load_pixels(photo.path), self.resize)[0]
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + sample.epoch) * 1_000_003 + sample.index)
        room = (pixels.shape[1] - self.crop, pixels.shape[2] - self.crop)
        top, left = (int(torch.randint(0, space + 1, (), generator=generator)) for space in room)
        pixels = pixels[:, top : top + self.crop, left : left + self.crop]
        if torch.rand((), generator=generator) < 0.5:
            pixels = pixels.flip(2)
        return pixels.contiguous(), photo.mos


class WholePhotos(Dataset[tuple[Tensor, float]]):
    """Whole photos, for measuring: 8-bit pixels (3, H, W) and the MOS."""

    def __init__(self, photos: Sequence[LabelledPhoto]) -> None:
        self.photos = tuple(photos)

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor, float]:
        photo = self.photos[index]
        return load_pixels(photo.path)[0], photo.mos
