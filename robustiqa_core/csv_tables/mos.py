"""Human scores in a table, and which photo each of them is of."""

import os
import posixpath
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from robustiqa_core.csv_tables.reader import Column, CsvRow, read_csv
from robustiqa_core.errors import InputError
from robustiqa_core.images.kinds import ENDINGS

FILE = Column(
    "file",
    others=(
        "filename",
        "image_name",
        "image",
        "name",
        "img",
        "img_name",
        "path",
        "file_path",
        "image_path",
        "photo",
        "photo_name",
        "dist_img",
        "distorted_image",
        "picture",
    ),
)
MOS = Column(
    "mos",
    kind="number",
    others=(
        "mos_mean",
        "mean_mos",
        "mean_opinion_score",
        "mos_value",
        "mos_score",
        "mos_quality",
        "all_mos",
        "rating",
        "mean_rating",
        "human_score",
        "subjective_score",
    ),
)
DMOS = Column(
    "dmos", kind="number", others=("dmos_mean", "mean_dmos", "difference_mos", "dmos_value", "dmos_score", "all_dmos")
)
_NAMED = 5
"""Names that a sentence has at most."""


@dataclass(frozen=True, slots=True)
class MosEntry:
    """One line of a table of human scores.

    Args:
        file: the photo as the table names it, with `/` between folders.
        mos: larger is better; None where the table has no score.
        row: the line, with the other columns that were asked for.
    """

    file: str
    mos: float | None
    row: CsvRow


@dataclass(frozen=True, slots=True)
class MosMatch:
    """Which photos have a human score.

    Args:
        table: name of the table.
        scores: by the path of the photo.
        by_name: (entry, photo) that have the same name in different folders.
        without: photos that no entry with a score is of.
        unused: entries that are of no photo.
    """

    table: str
    scores: Mapping[Path, float]
    by_name: tuple[tuple[str, str], ...]
    without: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What did not match, counted and named, and what matched by name only; empty where all matched by path."""
        notes = []
        if self.by_name:
            entry, photo = self.by_name[0]
            notes.append(f"{len(self.by_name)} photos matched {self.table} by name alone, such as {entry} and {photo}")
        if self.without:
            total = len(self.without) + len(self.scores)
            notes.append(
                f"no human score in {self.table} for {len(self.without)} of {total} photos: {some(self.without)}"
            )
        if self.unused:
            notes.append(
                f"lines of {self.table} that are of none of the photos: {len(self.unused)} ({some(self.unused)})"
            )
        return tuple(notes)


def read_mos(path: Path, *others: Column, dmos: bool = False) -> tuple[MosEntry, ...]:
    """Return the human scores in a CSV with the columns file and mos, or other usual names of them; each photo once.

    Args:
        path: of the table; `csv_tables.reader` has its form. Folders in names end with `/` or a backslash.
        others: more columns to read.
        dmos: whether the scores are difference scores, of which smaller is better; their sign is turned.

    Raises:
        InputError: no such file, no CSV, a column or number missing or wrong, a photo twice, or a column dmos alone
            without `dmos`.
    """
    table = read_csv(path, (FILE, MOS, DMOS, *others))
    if dmos and table.has(DMOS):
        column = DMOS
    elif table.has(DMOS) and not table.has(MOS):
        raise InputError(
            f"{path.name}: expected a column mos (larger is better), got dmos, where smaller usually is; "
            "add --dmos if so, or rename the column to mos if larger is better"
        )
    else:
        column = MOS
    # A photo that nobody has rated yet stands in many tables.
    unfilled = Column(column.name, column.kind, filled=False, others=column.others)
    sign = -1.0 if dmos else 1.0
    entries = []
    for row in table.rows((FILE, unfilled, *others)):
        mos = row.numbers[column.name]
        entries.append(MosEntry(_plain(row.texts[FILE.name]), None if mos is None else sign * mos, row))
    _check_once(entries)
    return tuple(entries)


def match_mos(table: Path, entries: Sequence[MosEntry], photos: Sequence[Path]) -> MosMatch:
    """Return which human score is of which photo.

    First by the path from the table's folder, then by the name, then by the name without its ending, in any case of
    letters. By name only where one entry and one photo have it, and never where the entry's own file is there and is
    another one: two photos of the same name in different folders do not share a score.

    Args:
        table: where the entries are from.
        entries: of `read_mos`.
        photos: all different.

    Raises:
        InputError: no photo has a score.
    """
    folder = table.parent
    keys = {photo: _plain(os.path.relpath(photo, folder)) for photo in photos}
    names = {entry.file: _plain(os.path.relpath(folder / entry.file, folder)) for entry in entries}
    found: dict[Path, MosEntry] = {}
    for key_of in _KEYS:
        listed = Counter(key_of(name) for name in names.values())
        by_key = {key_of(names[entry.file]): entry for entry in entries}
        alike = Counter(map(key_of, keys.values()))
        taken = {entry.file for entry in found.values()}
        for photo, name in keys.items():
            key = key_of(name)
            entry = by_key.get(key)
            if entry is None or photo in found or entry.file in taken or listed[key] > 1 or alike[key] > 1:
                continue
            if key_of is _path or not _is_of_another(folder / entry.file, photo):
                found[photo] = entry
    used = {entry.file for entry in found.values()}
    match = MosMatch(
        table=table.name,
        scores={photo: entry.mos for photo, entry in found.items() if entry.mos is not None},
        by_name=tuple(
            (entry.file, str(photo))
            for photo, entry in found.items()
            if "/" in entry.file and posixpath.dirname(names[entry.file]) != posixpath.dirname(keys[photo])
        ),
        without=tuple(str(photo) for photo in photos if photo not in found or found[photo].mos is None),
        unused=tuple(entry.file for entry in entries if entry.file not in used),
    )
    if photos and not match.scores:
        raise InputError(
            f"expected human scores of these photos in {table}, got none for {len(photos)} photos: it names "
            f"{some([entry.file for entry in entries])}, and the photos are {some([str(photo) for photo in photos])}; "
            f"name each photo in it by its path from {folder}"
        )
    return match


def some(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are.

    Example:
        >>> some(["a", "b"]), some(list("abcdefgh"))
        ('a, b', 'a, b, c, d, e and 3 more')
    """
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def is_there(path: Path) -> bool:
    """Return whether a path is that of a file; what cannot be the name of one, such as a text too long, is not."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _plain(name: str) -> str:
    """Return a path with `/` between folders, without detours, and with accents as one letter each."""
    return posixpath.normpath(unicodedata.normalize("NFC", name.replace("\\", "/")))


def _path(path: str) -> str:
    return path


def _name(path: str) -> str:
    return posixpath.basename(path).casefold()


def _without_ending(path: str) -> str:
    root, ending = posixpath.splitext(path.casefold())
    return root if ending in ENDINGS else path.casefold()


_KEYS: tuple[Callable[[str], str], ...] = (
    _path,
    str.casefold,
    _without_ending,
    _name,
    lambda path: _without_ending(_name(path)),
)
"""By what an entry and a photo are compared, the surest first."""


def _is_of_another(own: Path, photo: Path) -> bool:
    """Return whether the file that an entry names, perhaps without its ending, is there and is not the photo."""
    there = [path for end in ("", *sorted(ENDINGS)) if is_there(path := Path(f"{own}{end}"))]
    return bool(there) and not (is_there(photo) and any(path.samefile(photo) for path in there))


def _check_once(entries: Sequence[MosEntry]) -> None:
    first: dict[str, MosEntry] = {}
    for entry in entries:
        before = first.setdefault(entry.file, entry)
        if before is not entry:
            raise InputError(
                f"{entry.row.place}: expected each photo once, got {entry.file} as in {before.row.place}; "
                "remove one of the lines"
            )
