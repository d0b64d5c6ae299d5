"""The sample photos that the product ships, with their sources and licences."""

import csv
from dataclasses import dataclass
from pathlib import Path

from robustiqa_core.errors import ConfigurationError, InputError

SOURCES = "SOURCES.csv"
"""The table beside the photos: one row a photo, the default photo first."""
_COLUMNS = ("file", "title", "author", "source", "original_file", "licence", "licence_url", "changes", "sha256")


@dataclass(frozen=True, slots=True)
class SamplePhoto:
    """A photo that the product ships, and what must be said when it is shown.

    Args:
        name: short name, the file's name without its ending.
        title: what it shows, in words.
        path: the PNG file.
        author: who took it.
        licence: SPDX name of its licence, or `Public domain`.
        licence_url: where the licence, or the statement that it is free, can be read.
        source: package that it was taken from.
        changes: how it differs from the original.
        sha256: digest of the PNG file.

    Raises:
        InputError: something that is needed to credit the photo is empty.
    """

    name: str
    title: str
    path: Path
    author: str
    licence: str
    licence_url: str
    source: str
    changes: str
    sha256: str

    def __post_init__(self) -> None:
        for field in ("name", "title", "author", "licence", "licence_url", "source", "changes", "sha256"):
            if not getattr(self, field):
                raise InputError(
                    f"expected {field!r} of sample photo {self.name!r} to be filled in, got nothing; complete {SOURCES}"
                )

    @property
    def credit(self) -> str:
        """What to show next to the photo: title, author, licence and changes, as CC BY and CC BY-SA ask."""
        return f"{self.title}. Photo: {self.author}, {self.licence} ({self.licence_url}); {self.changes}."


def list_samples(root: Path | None = None) -> tuple[SamplePhoto, ...]:
    """Return the sample photos, the default one first.

    Args:
        root: folder with the photos and their table; without it `assets/samples` next to the package.

    Raises:
        InputError: the folder lacks its table, as where the package was installed without the assets, or the table
            has other columns.

    Example:
        >>> list_samples()[0].name
        'mountain_path_out_of_focus'
    """
    folder = Path(__file__).resolve().parents[2] / "assets" / "samples" if root is None else root
    table = folder / SOURCES
    if not table.is_file():
        raise InputError(
            f"expected the sample photos and {SOURCES} in {folder}, got none; "
            "restore the folder assets/samples from the repository, or use your own photo"
        )
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns, rows = tuple(reader.fieldnames or ()), list(reader)
    if columns != _COLUMNS:
        raise InputError(f"expected the columns {', '.join(_COLUMNS)} in {table}, got {', '.join(columns)}; restore it")
    return tuple(
        SamplePhoto(
            name=Path(row["file"]).stem,
            title=row["title"],
            path=folder / row["file"],
            author=row["author"],
            licence=row["licence"],
            licence_url=row["licence_url"],
            source=row["source"],
            changes=row["changes"],
            sha256=row["sha256"],
        )
        for row in rows
    )


def sample_path(name: str, root: Path | None = None) -> Path:
    """Return the file of the sample photo called `name`.

    Raises:
        ConfigurationError: no such photo; the message lists the names.
        InputError: the sample photos are not there.
    """
    paths = {sample.name: sample.path for sample in list_samples(root)}
    if name not in paths:
        raise ConfigurationError(
            f"expected the name of a sample photo, got {name!r}; choose one of {', '.join(sorted(paths))}"
        )
    return paths[name]
