"""LIVE In the Wild Image Quality Challenge: a test across data sets, and 100 of its photos that are shipped."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from robustiqa_core.csv_tables.reader import Column, CsvTable, read_csv
from robustiqa_core.errors import InputError
from robustiqa_core.folders import livec_root
from robustiqa_core.training.datasets import LabelledPhoto, Split

TRAINING_PHOTOS = 7
"""First photos of the lists, on which the people of the study were trained."""

_NAMES, _MOS = "AllImages_release", "AllMOS_release"
_SHIPPED = (Column("file"), Column("mos", kind="number"), Column("official_name"), Column("split"))
_PART = (Column("file"), Column("mos", kind="number"), Column("official_name"))
_SPLITS: dict[str, Split] = {"train": "train", "test": "test"}


def demo_root() -> Path:
    """Return the folder of the photos that are shipped."""
    return livec_root()


def read_demo(root: Path) -> tuple[LabelledPhoto, ...]:
    """Return the shipped photos of LIVE Challenge with their split; people may tune on them. MOS in [0, 100].

    Args:
        root: folder with `scores.csv` and the photos.

    Raises:
        InputError: the table or a photo is missing.
    """
    photos = []
    for row in _shipped_table(root).rows(_SHIPPED):
        split = _SPLITS.get(row.texts["split"])
        path = root / row.texts["file"]
        if split is None or not path.is_file():
            raise InputError(
                f"{row.place}: expected a photo at {path} of split train or test, got none; clone the repository again"
            )
        photos.append(LabelledPhoto(path, row.number("mos"), split))
    return tuple(photos)


def shipped_names() -> frozenset[str]:
    """Return the names, without ending, that the shipped photos have in the data set."""
    return frozenset(Path(row.texts["official_name"]).stem for row in _shipped_table(livec_root()).rows(_SHIPPED))


def _shipped_table(root: Path) -> CsvTable:
    table = root / "scores.csv"
    if not table.is_file():
        raise InputError(
            f"expected {table.name} in {root}, got no such file; omit --root, or clone the repository again"
        )
    return read_csv(table, _SHIPPED)


def read_livec(root: Path) -> tuple[LabelledPhoto, ...]:
    """Return the photos of LIVE Challenge, all as test photos; MOS in [0, 100].

    The first seven, on which people were trained, are left out, and so are those that are shipped here and that people
    may tune on (`shipped_names`).

    Args:
        root: as its authors publish it, with `Images/`, `Data/AllImages_release.mat` and `Data/AllMOS_release.mat`;
            or a folder with a part of it in `images/` and a `scores.csv` of file, mos and official_name.

    Raises:
        InputError: a file is missing, or a list is none.

    Source: D. Ghadiyaram and A. C. Bovik, "Massive Online Crowdsourced Study of Subjective and Objective Picture
    Quality", IEEE Trans. Image Process. 25(1), 2016.
    """
    shipped = shipped_names()
    names, scores = _published(root) if (root / "Data").is_dir() else _part(root)
    folder = next((root / name for name in ("Images", "images") if (root / name).is_dir()), None)
    if folder is None:
        raise InputError(f"expected the photos in {root / 'Images'}, got no such folder; check --root")
    photos = []
    for (name, official), mos in zip(names, scores, strict=True):
        if Path(official).stem in shipped:
            continue
        path = folder / name
        if not path.is_file():
            raise InputError(f"expected {name} in {folder}, got no such file; unpack LIVE Challenge again")
        photos.append(LabelledPhoto(path, mos, "test"))
    return tuple(photos)


def _published(root: Path) -> tuple[list[tuple[str, str]], list[float]]:
    names = [str(np.asarray(cell).item()) for cell in _matrix(root, _NAMES).ravel()]
    scores = [float(value) for value in _matrix(root, _MOS).ravel()]
    if len(names) != len(scores) or len(names) <= TRAINING_PHOTOS:
        raise InputError(
            f"expected as many names as scores in {root / 'Data'}, more than {TRAINING_PHOTOS}, got {len(names)} and "
            f"{len(scores)}; download LIVE Challenge again"
        )
    return [(name, name) for name in names[TRAINING_PHOTOS:]], scores[TRAINING_PHOTOS:]


def _matrix(root: Path, name: str) -> npt.NDArray[Any]:
    path = root / "Data" / f"{name}.mat"
    if not path.is_file():
        raise InputError(f"expected {path}, got no such file; give the unpacked ChallengeDB_release with --root")
    try:
        return np.asarray(loadmat(path)[name])
    except (MatReadError, KeyError, ValueError, TypeError, NotImplementedError) as error:
        raise InputError(f"expected {name} in {path}, got another file ({error}); download it again") from error


def _part(root: Path) -> tuple[list[tuple[str, str]], list[float]]:
    table = root / "scores.csv"
    if not table.is_file():
        raise InputError(f"expected Data/ or scores.csv in {root}, got neither; give LIVE Challenge with --root")
    rows = list(read_csv(table, _PART).rows(_PART))
    return [(row.texts["file"], row.texts["official_name"]) for row in rows], [row.number("mos") for row in rows]
