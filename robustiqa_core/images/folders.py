"""What lies in a folder of photos: the photos, and what looks like one and is not read, with the reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from robustiqa_core.errors import InputError
from robustiqa_core.images.kinds import ENDINGS, OTHER_ENDINGS, format_of, other_kind

_START = 4096
"""Bytes by which a file without a known ending is told."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file or folder that is not taken as a photo.

    Args:
        path: where it is.
        reason: why, as a clause without a full stop, such as `it is a JPEG XL image, which is not read`.
    """

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"left out {self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class FolderListing:
    """What lies in a folder.

    Args:
        photos: the photos, sorted by path.
        left_out: what looks like a photo and is not taken, sorted by path. Tables, texts and the like are no photos
            and are not named.
    """

    photos: tuple[Path, ...]
    left_out: tuple[LeftOut, ...]


def list_folder(folder: Path, *, recursive: bool = False) -> FolderListing:
    """Return the photos of a folder, and what is left out of it with the reason.

    A file counts as a photo if its name has an ending of `ENDINGS`, or, under another name, if its first bytes are
    those of a format that is read. Whether it can be decoded is seen only when it is read.

    Args:
        folder: an existing folder.
        recursive: whether to look into the folders in it, too; otherwise those that hold photos are left out by name.

    Raises:
        InputError: the folder, or one in it, cannot be read.
    """
    photos: list[Path] = []
    left_out: list[LeftOut] = []
    try:
        for path in _entries(folder, recursive=recursive):
            reason = _reason_against(path)
            if reason:
                left_out.append(LeftOut(path, reason))
            elif reason is not None:
                photos.append(path)
    except OSError as error:
        raise InputError(f"expected a readable folder, got {folder} ({error.strerror}); check the path") from error
    return FolderListing(tuple(photos), tuple(left_out))


def _entries(folder: Path, *, recursive: bool) -> Iterator[Path]:
    """Yield what is in a folder, sorted; with `recursive` the content of a folder in it instead of that folder."""
    for path in sorted(folder.iterdir()):
        if recursive and path.is_dir() and not path.is_symlink():
            yield from _entries(path, recursive=True)
        else:
            yield path


def _reason_against(path: Path) -> str | None:
    """Return why something that looks like a photo is not taken; empty for a photo, None for what looks like none."""
    hidden, ending = path.name.startswith("."), path.suffix.lower()
    if path.is_dir():
        return "folders in the folder are not searched; name it as well" if _holds_photos(path) else None
    if ending in ENDINGS:
        if hidden:
            return "its name begins with a dot, as those of hidden files do"
        return "" if path.is_file() else "it is no file, or a link to none"
    if hidden or not path.is_file():
        return None
    if ending in OTHER_ENDINGS:
        return _not_read(OTHER_ENDINGS[ending])
    start = _start(path)
    if format_of(start) is not None:
        return ""
    kind = other_kind(start)
    return _not_read(kind.words) if kind.picture else None


def _not_read(words: str) -> str:
    return f"it is {words}, which is not read; save it as JPEG or PNG"


def _holds_photos(folder: Path) -> bool:
    """Return whether a folder holds photos by their names; a hidden or unreadable one counts as empty."""
    if folder.name.startswith("."):
        return False
    try:
        return any(path.suffix.lower() in ENDINGS for path in folder.iterdir())
    except OSError:
        return False


def _start(path: Path) -> bytes:
    """Return the first bytes of a file; none of one that cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_START)
    except OSError:
        return b""
