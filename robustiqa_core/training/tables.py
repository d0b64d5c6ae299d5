"""Labelled data sets on the disk: the public ones by name, and any other as a CSV of file, mos, split."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from robustiqa_core.csv_tables.mos import MosEntry, is_there, read_mos
from robustiqa_core.csv_tables.reader import Column, read_csv, shown
from robustiqa_core.errors import InputError
from robustiqa_core.images.kinds import ENDINGS
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.datasets import SPLITS, LabelledPhoto, Split
from robustiqa_core.training.live_challenge import demo_root, read_demo, read_livec

_KONIQ_FOLDERS = ("1024x768", "512x384")
_KONIQ_TABLE = "koniq10k_distributions_sets.csv"
_KONIQ_SPLITS: dict[str, Split] = {"training": "train", "validation": "validation", "test": "test"}
_KONIQ_COLUMNS = (Column("image_name"), Column("MOS", kind="number"), Column("set"))
_BIQ_COLUMNS = (Column("Image Name"), Column("MOS", kind="number"))

_SPLIT = Column("split", needed=False, filled=False, others=("set", "subset", "partition"))
_SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True, slots=True)
class PublicDataset:
    """A public data set that is read as its authors publish it.

    Args:
        title: name for people.
        read: returns its photos from the folder that it was unpacked or cloned to.
        mos_range: nominal range of the MOS; larger is better.
        test_only: whether nothing may be trained or chosen on it.
        root: where it lies if it is shipped; None where people give the folder.
    """

    title: str
    read: Callable[[Path], tuple[LabelledPhoto, ...]]
    mos_range: ScoreRange
    test_only: bool = False
    root: Callable[[], Path] | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a table of photos lists.

    Args:
        photos: that are there and have a human score.
        left_out: file, and a sentence with its line, of each of the others.
    """

    photos: tuple[LabelledPhoto, ...]
    left_out: tuple[tuple[str, str], ...]


def list_table(table: Path, root: Path, *, dmos: bool = False) -> Listing:
    """Return the photos of a CSV with the columns file, mos and split, and what cannot be used of it.

    Args:
        table: the CSV, in any form that `csv_tables` reads; `split` is train, validation or test, and train where the
            column is missing.
        root: folder that the file names start from.
        dmos: whether the scores are difference scores, of which smaller is better; their sign is turned.

    Raises:
        InputError: a column is missing, a number or split is wrong, a photo is listed twice, or no photo is left; the
            message names the line.
    """
    found: dict[Path, tuple[LabelledPhoto, str]] = {}
    left_out: list[tuple[str, str]] = []
    for entry in read_mos(table, _SPLIT, dmos=dmos):
        place, split = entry.row.place, _split(entry)
        path = _on_disk(root / entry.file)
        if path is None:
            reason = f"{place}: expected a photo at {root / entry.file}, got no file; check --root"
            left_out.append((entry.file, reason))
        elif path in found:
            raise InputError(
                f"{place}: expected each photo once, got {path.name} as in {found[path][1]}; remove one of the lines"
            )
        elif entry.mos is None:
            left_out.append((entry.file, f"{place}: expected a finite number as mos, got nothing; fill it in"))
        else:
            found[path] = LabelledPhoto(path, entry.mos, split), place
    if not found:
        raise InputError(left_out[0][1])
    return Listing(tuple(photo for photo, _ in found.values()), tuple(left_out))


def read_table(table: Path, root: Path, *, dmos: bool = False) -> tuple[LabelledPhoto, ...]:
    """Return the photos of a CSV with the columns file, mos and split, all that it lists; see `list_table`.

    Raises:
        InputError: also where a photo or its score is missing.
    """
    listing = list_table(table, root, dmos=dmos)
    if listing.left_out:
        raise InputError(listing.left_out[0][1])
    return listing.photos


def _on_disk(path: Path) -> Path | None:
    """Return the file that a table names, perhaps without its ending; None where there is none, or more than one."""
    if is_there(path):
        return path
    found = [file for ending in sorted(ENDINGS) if is_there(file := Path(f"{path}{ending}"))]
    return found[0] if len(found) == 1 else None


def _split(entry: MosEntry) -> Split:
    name = entry.row.texts["split"]
    split = _SPLIT_NAMES.get(name.casefold() or "train")
    if split is None:
        raise InputError(
            f"{entry.row.place}: split is one of {', '.join(SPLITS)}, got {shown(name)!r}; correct the line"
        )
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
    for part, split in splits:
        table = root / f"{part} (Images and MOS).csv"
        if not table.is_file():
            raise InputError(f"expected {table.name} in {root}, got no such file; give a clone of BIQ2021 with --root")
        for row in read_csv(table, _BIQ_COLUMNS).rows(_BIQ_COLUMNS):
            name = row.texts["Image Name"]
            path = on_disk.get(name.lower())
            if path is None:
                raise InputError(f"expected {name} in {folder}, got no such file; clone BIQ2021 again")
            photos.append(LabelledPhoto(path, row.number("MOS"), split))
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
            f"expected {_KONIQ_TABLE} in {root}, got no such file; get it from the folder metadata of KonIQ-10k's "
            "public repository, and pass its folder as --root"
        )
    folder = next((root / name for name in _KONIQ_FOLDERS if (root / name).is_dir()), None)
    if folder is None:
        raise InputError(
            f"expected the photos in {' or '.join(_KONIQ_FOLDERS)} in {root}, got neither folder; "
            "unpack KonIQ-10k's photo archive there"
        )
    photos = []
    for row in read_csv(table, _KONIQ_COLUMNS).rows(_KONIQ_COLUMNS):
        split = _KONIQ_SPLITS.get(row.texts["set"])
        if split is None:
            raise InputError(
                f"{row.place}: set is one of {', '.join(_KONIQ_SPLITS)}, got {shown(row.texts['set'])!r}; "
                "download the table again"
            )
        path = folder / row.texts["image_name"]
        if not is_there(path):
            raise InputError(f"{row.place}: expected a photo at {path}, got no file; check --root")
        photos.append(LabelledPhoto(path, row.number("MOS"), split))
    return tuple(photos)


DATASETS: dict[str, PublicDataset] = {
    "biq2021": PublicDataset("BIQ2021", read_biq2021, ScoreRange(0.0, 1.0)),
    "koniq10k": PublicDataset("KonIQ-10k", read_koniq10k, ScoreRange(1.0, 100.0)),
    "livec": PublicDataset("LIVE Challenge", read_livec, ScoreRange(0.0, 100.0), test_only=True),
    "demo": PublicDataset("LIVE Challenge demonstration photos", read_demo, ScoreRange(0.0, 100.0), root=demo_root),
}
"""Labelled data sets by name."""
