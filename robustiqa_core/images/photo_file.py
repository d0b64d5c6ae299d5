"""A photo before it is decoded: what it is called, and where its bytes are."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TypeAlias

from robustiqa_core.errors import InputError

MAX_BYTES = 200 * 1024**2
"""Bytes that a file may have: enough for 8000 x 8000 px stored without compression."""


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A photo as a file, which may have another name than the one that it lies under, or lie nowhere.

    An upload has no path and shall not be written to a disk, and where a bundled photo lies on a server is not what
    its figures should be called by.

    Args:
        place: what figures, tables and commands call it: its path, or the file name of an upload.
        content: the bytes of the file, or the path where they are.
        digest: sha256 of the file that the photo came from; empty where nobody needed it.

    Example:
        >>> str(PhotoFile("photos/cat.png", b"...")), PhotoFile("photos/cat.png", b"...").name
        ('photos/cat.png', 'cat.png')
    """

    place: str
    content: bytes | Path = field(repr=False)
    digest: str = ""

    def __str__(self) -> str:
        """Return what figures, tables and commands call it."""
        return self.place

    @property
    def name(self) -> str:
        """Its file name."""
        return PurePath(self.place).name

    def read(self) -> bytes:
        """Return the bytes of the file, and at most one more than `MAX_BYTES`.

        Raises:
            InputError: there is no such file, or it cannot be read.
        """
        if isinstance(self.content, bytes):
            return self.content
        if not self.content.is_file():
            raise InputError(f"expected an image file, got {self.place}, which is not a file; check the path")
        try:
            with self.content.open("rb") as file:
                return file.read(MAX_BYTES + 1)
        except OSError as error:
            raise InputError(
                f"expected a readable file, got {self.place} ({error.strerror}); check its permissions"
            ) from error


PhotoSource: TypeAlias = PhotoFile | Path | str
"""What is read as a photo: a file of its own name, or the path of one."""


def as_photo_file(source: PhotoSource) -> PhotoFile:
    """Return the photo at a path, or the photo itself."""
    return source if isinstance(source, PhotoFile) else PhotoFile(str(source), Path(source))


def digest_of_file(data: bytes) -> str:
    """Return the sha256 of a file, by which it is known in keys."""
    return hashlib.sha256(data).hexdigest()
