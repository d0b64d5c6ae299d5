"""TIFF directories: of TIFF files, and of EXIF data, which are built alike."""

import struct
from typing import NamedTuple

from PIL import TiffTags

from robustiqa_core.errors import InputError

MAX_PARTS = 1_000_000
"""Strips, segments or chunks that an image file may have; reading more would only cost time."""

LAYOUTS = {b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True), b"MM\0+": (">", True)}
# TIFF tags that are kept, with the types that they may have (3, 4, 16: unsigned numbers of 16, 32 and 64 bits).
_NUMBERS = {3, 4, 16}
_KEPT: dict[int, set[int]] = {
    **dict.fromkeys((256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317), _NUMBERS),
    **dict.fromkeys((320, 322, 323, 324, 325, 338, 339, 530, 531), _NUMBERS),
    529: {5},
    532: {5},
    347: {1, 7},
    34675: {1, 7},
}
_UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBER_CODES = {3: "H", 4: "I", 16: "Q"}
_MAX_ENTRIES = 4096
_ORIENTATION, _DNG_VERSION, _SUBFILE_TYPE = 274, 50706, 254
_RAW_PHOTOMETRICS = (32803, 34892)


class TiffPicture(NamedTuple):
    """A TIFF file reduced to its first picture.

    Args:
        data: the file with one directory, which holds only what its first picture needs.
        orientation: EXIF orientation, 1 (upright) to 8.
        more_pictures: True if the file has further pages.
        depth: bits per sample.
        inverted: True if 0 means white in samples of more than 8 bits (Pillow turns the others round itself).
    """

    data: bytes
    orientation: int
    more_pictures: bool
    depth: int
    inverted: bool


class _Entry(NamedTuple):
    """One entry of a TIFF directory; `values` numbers of type `kind` lie at `start` in the block."""

    tag: int
    kind: int
    values: int
    start: int
    raw: bytes


class _Directory(NamedTuple):
    """The first directory of a TIFF block: byte order, BigTIFF or not, place, entries, and whether another follows."""

    order: str
    big: bool
    start: int
    entries: dict[int, _Entry]
    more: bool


def _read_directory(block: bytes) -> _Directory:
    """Read the first directory of a TIFF file, or of EXIF data, which are built alike."""
    if block[:4] not in LAYOUTS:
        raise damaged("no TIFF directory")
    order, big = LAYOUTS[block[:4]]
    word, head, inline, width = ("Q", "HHQ", 8, 20) if big else ("I", "HHI", 4, 12)
    entries: dict[int, _Entry] = {}
    try:
        start = _number(block, order + word, inline)
        count = _number(block, order + ("Q" if big else "H"), start)
        position = start + (8 if big else 2)
        if count > _MAX_ENTRIES:
            raise damaged(f"a TIFF directory of {count} entries")
        for here in range(position, position + count * width, width):
            tag, kind, length = struct.unpack_from(order + head, block, here)
            size = _UNITS.get(kind, 1) * length
            field = here + width - inline
            at = field if size <= inline else _number(block, order + word, field)
            entries.setdefault(tag, _Entry(tag, kind, length, at, block[here : here + width]))
        more = _number(block, order + word, position + count * width) != 0
    except struct.error as error:
        raise damaged("the TIFF directory is cut off") from error
    return _Directory(order, big, start, entries, more)


def _number(block: bytes, layout: str, position: int) -> int:
    """Return the number at `position`; struct.error if it lies outside, however large the position is."""
    value: int = struct.unpack_from(layout, block, min(position, len(block)))[0]
    return value


def _values(block: bytes, directory: _Directory, tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """Return the numbers of a kept tag, or `default` where the directory lacks it."""
    entry = directory.entries.get(tag)
    if entry is None or not entry.values:
        return default
    code = f"{directory.order}{entry.values}{_NUMBER_CODES[entry.kind]}"
    values: tuple[int, ...] = struct.unpack_from(code, block, entry.start)
    return values


def exif_orientation(block: bytes) -> int:
    """Return the orientation that EXIF data ask for; 1 where they are damaged or silent."""
    try:
        directory = _read_directory(block)
    except InputError:
        return 1
    entry = directory.entries.get(_ORIENTATION)
    if entry is None or entry.kind != 3 or entry.values != 1:
        return 1
    value = _values(block, directory, _ORIENTATION, (1,))[0]
    return value if 1 <= value <= 8 else 1


def reduce_tiff(data: bytes) -> TiffPicture:
    """Return the TIFF file with a directory that holds the first picture only.

    Raises:
        InputError: the directory is damaged, the samples are not unsigned of up to 16 bits, or it is a raw file.
    """
    directory = _read_directory(data)
    _check_not_raw(data, directory)
    kept = [_checked(entry, len(data)) for tag, entry in sorted(directory.entries.items()) if tag in _KEPT]
    if sum(_UNITS[entry.kind] * entry.values for entry in kept) > len(data):
        raise damaged("the TIFF directory claims more than the file holds")
    directory = directory._replace(entries={entry.tag: entry for entry in kept})
    depth = max(_values(data, directory, 258, (1,)))
    sample_formats = _values(data, directory, 339, (1,))
    photometric = _values(data, directory, 262, (1,))[0]
    if photometric in _RAW_PHOTOMETRICS:
        raise _raw_error()
    if not {2, 3}.isdisjoint(sample_formats) or depth > 16:
        words = "floating-point" if 3 in sample_formats else "signed" if 2 in sample_formats else f"{depth}-bit"
        raise InputError(
            f"expected a TIFF with 8 or 16 bits per channel, got {words} values; save it with 8 or 16 bits"
        )
    return TiffPicture(
        data=_with_directory(data, directory),
        orientation=exif_orientation(data),
        more_pictures=directory.more,
        depth=depth,
        inverted=depth > 8 and photometric == 0,
    )


def _checked(entry: _Entry, length: int) -> _Entry:
    """Return a kept entry if its type, count and place are right, else raise."""
    end = entry.start + _UNITS.get(entry.kind, 1) * entry.values
    single = entry.kind in _NUMBERS and TiffTags.lookup(entry.tag).length == 1
    if entry.kind not in _KEPT[entry.tag] or (single and entry.values != 1):
        raise damaged(f"TIFF tag {entry.tag} has the wrong form")
    if end > length or (entry.kind in _NUMBERS and entry.values > MAX_PARTS):
        raise damaged(f"TIFF tag {entry.tag} points outside the file")
    return entry


def _check_not_raw(data: bytes, directory: _Directory) -> None:
    """Raise if the first picture is the small preview of a camera's raw file."""
    preview = directory.entries.get(_SUBFILE_TYPE)
    is_preview = (
        preview is not None
        and preview.kind in (3, 4)
        and preview.values == 1
        and (_values(data, directory, _SUBFILE_TYPE, (0,))[0] & 1)
    )
    if is_preview or _DNG_VERSION in directory.entries or data[8:10] == b"CR":
        raise _raw_error()


def _raw_error() -> InputError:
    return InputError("expected a photo, got a camera's raw file or a TIFF that begins with a preview; save it as JPEG")


def _with_directory(data: bytes, directory: _Directory) -> bytes:
    """Return the TIFF file with `directory`, which has no more entries than the old one, written in its place.

    Not behind the data: there a decoder would take it for the pixels that a truncated file lacks.
    """
    word, short = ("Q", "Q") if directory.big else ("I", "H")
    count = struct.pack(directory.order + short, len(directory.entries))
    entries = b"".join(entry.raw for entry in directory.entries.values())
    block = count + entries + struct.pack(directory.order + word, 0)
    return b"".join([data[: directory.start], block, memoryview(data)[directory.start + len(block) :]])


def damaged(detail: str) -> InputError:
    """Return the error for a file whose structure does not hold; `detail` says where."""
    return InputError(f"expected a complete image file, got a damaged or truncated one ({detail}); send it again")
