"""Labelled data sets on the disk: the public ones by name, and any other as a CSV of file, mos, split."""

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from robustiqa_core.errors import InputError
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.datasets import SPLITS, LabelledPhoto, Split

_KONIQ_FOLDERS = ("1024x768", "512x384")
_KONIQ_TABLE = "koniq10k_distributions_sets.csv"
_KONIQ_SPLITS: dict[str, Split] = {"training": "train", "validation": "validation", "test": "test"}


@dataclass(frozen=True, slots=True)
class PublicDataset:
    """A public data set that is read as its authors publish it.

    Args:
        title: name for people.
        read: returns its photos from the folder that it was unpacked or cloned to.
        mos_range: nominal range of the MOS; larger is better.
    """

    title: str
    read: Callable[[Path], tuple[LabelledPhoto, ...]]
    mos_range: ScoreRange


def _rows(table: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the place, such as `scores.csv line 2`, and the cells of each row of a CSV.

    Raises:
        InputError: a column is missing, or the file is no CSV.
    """
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        # What a short row lacks is an empty cell.
        reader = csv.DictReader(lines, restval="")
        found = reader.fieldnames or ()
        if missing := [name for name in columns if name not in found]:
            raise InputError(
                f"{table.name}: expected the columns {', '.join(columns)}, got {', '.join(found)[:200] or 'none'}; "
                f"add {' and '.join(missing)}"
            )
        try:
            yield from ((f"{table.name} line {number}", row) for number, row in enumerate(reader, 2))
        except csv.Error as error:
            raise InputError(f"expected a CSV, got {table.name}, which is none ({error}); give another file") from error


def _mos(text: str, place: str) -> float:
    try:
        mos = float(text)
    except ValueError:
        mos = math.nan
    if not math.isfinite(mos):
        raise InputError(f"{place}: expected a finite number as MOS, got {text!r}; correct the line")
    return mos


def _existing(path: Path, place: str) -> Path:
    if not path.is_file():
        raise InputError(f"{place}: expected a photo at {path}, got no file; check --root")
    return path


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
    photos = tuple(
        LabelledPhoto(_existing(root / row["file"], place), _mos(row["mos"], place), _split(row, place))
        for place, row in _rows(table, ("file", "mos"))
    )
    if not photos:
        raise InputError(f"{table.name}: expected at least one photo, got none; add lines of file, mos, split")
    return photos


def _split(row: dict[str, str], place: str) -> Split:
    name = row.get("split") or "train"
    split = next((known for known in SPLITS if known == name), None)
    if split is None:
        raise InputError(f"{place}: split is one of {', '.join(SPLITS)}, got {name!r}; correct the line")
    return split


def read_biq2021(root: Path) -> tuple[LabelledPhoto, ...]:
    """Return the 12,000 photos of BIQ2021 with its official split of 10,000 and 2,000; MOS in [0, 1].

    Args:
        root: a clone of the data set's public repository, with `Images/` and its two CSV files.

    Raises:
        InputError: a file, a column or a number is missing or wrong.

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
        for place, row in _rows(table, ("Image Name", "MOS")):
            path = on_disk.get(row["Image Name"].lower())
            if path is None:
                raise InputError(f"expected {row['Image Name']} in {folder}, got no such file; clone BIQ2021 again")
            photos.append(LabelledPhoto(path, _mos(row["MOS"], place), split))
    return tuple(photos)


def read_koniq10k(root: Path) -> tuple[LabelledPhoto, ...]:
    """Return the 10,073 photos of KonIQ-10k with its official split of 7,058, 1,000 and 2,015; MOS in [1, 100].

    Args:
        root: folder with `koniq10k_distributions_sets.csv` and the photos in `1024x768/` or, where that is not there,
            `512x384/`, as the two archives unpack.

    Raises:
        InputError: a file, a column or a number is missing or wrong.

    Source: V. Hosu, H. Lin, T. Sziranyi, D. Saupe, "KonIQ-10k: An Ecologically Valid Database for Deep Learning of
    Blind Image Quality Assessment", IEEE Trans. Image Process. 29, 2020; table of its public repository, in which the
    MOS go from 3.9 to 88.4.
    """
    table = root / _KONIQ_TABLE
    if not table.is_file():
        raise InputError(
            f"expected {_KONIQ_TABLE} in {root}, got no such file; take it from the folder metadata of KonIQ-10k's "
            "public repository, and give the folder that has it with --root"
        )
    folder = next((root / name for name in _KONIQ_FOLDERS if (root / name).is_dir()), None)
    if folder is None:
        raise InputError(
            f"expected the photos in {' or '.join(_KONIQ_FOLDERS)} in {root}, got neither folder; "
            "unpack KonIQ-10k's archive of photos there"
        )
    photos = []
    for place, row in _rows(table, ("image_name", "MOS", "set")):
        split = _KONIQ_SPLITS.get(row["set"])
        if split is None:
            raise InputError(
                f"{place}: set is one of {', '.join(_KONIQ_SPLITS)}, got {row['set']!r}; download the table again"
            )
        photos.append(LabelledPhoto(_existing(folder / row["image_name"], place), _mos(row["MOS"], place), split))
    if not photos:
        raise InputError(f"{table}: expected at least one photo, got none; download the table again")
    return tuple(photos)


DATASETS: dict[str, PublicDataset] = {
    "biq2021": PublicDataset("BIQ2021", read_biq2021, ScoreRange(0.0, 1.0)),
    "koniq10k": PublicDataset("KonIQ-10k", read_koniq10k, ScoreRange(1.0, 100.0)),
}
"""Labelled data sets by name."""
