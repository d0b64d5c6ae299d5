"""TIFF directories: of TIFF files, and of EXIF data, which are built alike."""

import struct
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, cast

import numpy as np
from PIL import TiffTags

from robustiqa_core.errors import InputError
from robustiqa_core.images.colour import SRGB, Chromaticities, is_like_srgb, srgb_linear
from robustiqa_core.images.tiff_planes import mode_of_planes, split_planes, unsupported

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
_WHITE_POINT, _PRIMARIES, _TRANSFER_FUNCTION, _GAMMA = 318, 319, 301, 0xA500
_TABLES = (256, 65536)
_SRGB_GAMMA, _SAME_GAMMA, _SAME_LIGHT = 2.2, 0.05, 0.01
_EXIF_POINTER, _COLOUR_SPACE, _INTEROPERABILITY_POINTER = 0x8769, 0xA001, 0xA005
ExifSpace = Literal["sRGB", "Adobe RGB", "uncalibrated"]
# 2 is in no standard, but cameras and programs write it.
_COLOUR_SPACES: dict[int, ExifSpace | None] = {0: None, 1: "sRGB", 2: "Adobe RGB"}
_RAW_PHOTOMETRICS = (32803, 34892)
_JPEG_TABLES, _PROFILE = 347, 34675
# Grey from white, grey from black, RGB, palette, CMYK, YCbCr, CIELAB.
_PHOTOMETRICS = (0, 1, 2, 3, 5, 6, 8)
# None, CCITT (three), LZW, JPEG (old and new), Deflate, padded, PackBits, ThunderScan, Deflate (old), LZMA, Zstandard.
_COMPRESSIONS = (1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32809, 32946, 34925, 50000)
_OTHER_COMPRESSIONS = {
    **dict.fromkeys((33003, 33004, 33005, 34712), "JPEG 2000 compression"),
    **dict.fromkeys((34676, 34677), "LogLuv colours"),
    34887: "LERC compression",
    50001: "WebP compression",
    **dict.fromkeys((50002, 52546), "JPEG XL compression"),
}


class TiffPicture(NamedTuple):
    """A TIFF file reduced to its first picture.

    Args:
        data: the file with one directory, which holds only what its first picture needs.
        orientation: EXIF orientation, 1 (upright) to 8.
        more_pictures: True if the file has further pages.
        depth: bits per sample.
        inverted: True if 0 means white in samples of more than 8 bits (Pillow turns the others round itself).
        space: colour space that its EXIF data name.
        unused: what else it says of its colours, in words.
        planes: a grey TIFF of each channel where they lie one after the other.
        mode: of the picture that these planes make up.
        profile: its ICC profile.
    """

    data: bytes
    orientation: int
    more_pictures: bool
    depth: int
    inverted: bool
    space: ExifSpace | None
    unused: str
    planes: tuple[bytes, ...]
    mode: str | None
    profile: bytes | None


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


def _read_directory(block: bytes, start: int | None = None) -> _Directory:
    """Read a directory of a TIFF file, or of EXIF data, which are built alike; without `start` the first one."""
    if block[:4] not in LAYOUTS:
        raise damaged("no TIFF directory")
    order, big = LAYOUTS[block[:4]]
    word, head, inline, width = ("Q", "HHQ", 8, 20) if big else ("I", "HHI", 4, 12)
    entries: dict[int, _Entry] = {}
    try:
        start = _number(block, order + word, inline) if start is None else start
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


class ExifFacts(NamedTuple):
    """What EXIF data say: an orientation, 1 (upright) to 8, a colour space, and in words what else of colours."""

    orientation: int = 1
    space: ExifSpace | None = None
    unused: str = ""


def read_exif(block: bytes) -> ExifFacts:
    """Return what EXIF data say; where they are damaged, as if they were silent."""
    try:
        directory = _read_directory(block)
    except InputError:
        return ExifFacts()
    orientation = _short(block, directory, _ORIENTATION)
    unused = " and ".join(_own_colours(block, directory))
    return ExifFacts(orientation if 1 <= orientation <= 8 else 1, _exif_space(block, directory), unused)


def _own_colours(block: bytes, directory: _Directory) -> Iterator[str]:
    """Yield in words what is unlike sRGB in the tags for white, primaries and curve."""
    white, primaries = (_rationals(block, directory, tag) for tag in (_WHITE_POINT, _PRIMARIES))
    found = (*(white or SRGB[:2]), *(primaries or SRGB[2:]))
    if (white or primaries) and not (len(found) == len(SRGB) and is_like_srgb(cast(Chromaticities, found))):
        yield "a white point and primaries of its own"
    curve = directory.entries.get(_TRANSFER_FUNCTION)
    if curve is not None and not _is_usual_curve(block, directory, curve):
        yield "a curve of its own"
    try:
        gamma = _rationals(block, _read_directory(block, _pointer(block, directory, _EXIF_POINTER)), _GAMMA)
    except InputError:
        gamma = ()
    if gamma and abs(gamma[0] - _SRGB_GAMMA) > _SAME_GAMMA:
        yield f"a gamma of {gamma[0]:.3g}"


def _rationals(block: bytes, directory: _Directory, tag: int) -> tuple[float, ...]:
    """Return the fractions of a tag; none where the directory lacks it or it is damaged."""
    entry = directory.entries.get(tag)
    if entry is None or entry.kind != 5 or not 0 < entry.values <= 6 or entry.start + 8 * entry.values > len(block):
        return ()
    numbers = struct.unpack_from(f"{directory.order}{2 * entry.values}I", block, entry.start)
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    return tuple(over / under for over, under in pairs) if all(under for _, under in pairs) else ()


def _is_usual_curve(block: bytes, directory: _Directory, entry: _Entry) -> bool:
    """Return whether tables of light by level are those of sRGB or of the gamma 2.2, which stands for it."""
    size = entry.values if entry.values in _TABLES else entry.values // 3
    if entry.kind != 3 or size not in _TABLES or entry.start + 2 * entry.values > len(block):
        return False
    code = directory.order + "u2"
    light = np.frombuffer(block, code, entry.values, entry.start).reshape(-1, size) / 65535
    levels = np.linspace(0, 1, size)
    return any(np.abs(light - usual).max() <= _SAME_LIGHT for usual in (srgb_linear(levels), levels**_SRGB_GAMMA))


def _exif_space(block: bytes, directory: _Directory) -> ExifSpace | None:
    """Return the colour space of EXIF data: by its number, or by the name of the interoperability rules (DCF)."""
    try:
        exif = _read_directory(block, _pointer(block, directory, _EXIF_POINTER))
    except InputError:
        return None
    space = _short(block, exif, _COLOUR_SPACE)
    if space in _COLOUR_SPACES:
        return _COLOUR_SPACES[space]
    try:
        interoperability = _read_directory(block, _pointer(block, exif, _INTEROPERABILITY_POINTER))
        rules = interoperability.entries.get(1)
    except InputError:
        rules = None
    return "Adobe RGB" if rules and block[rules.start : rules.start + 3] == b"R03" else "uncalibrated"


def _short(block: bytes, directory: _Directory, tag: int) -> int:
    """Return the one 16-bit number of a tag; 0 where the directory lacks it."""
    entry = directory.entries.get(tag)
    if entry is None or entry.kind != 3 or entry.values != 1:
        return 0
    return _values(block, directory, tag, (0,))[0]


def _pointer(block: bytes, directory: _Directory, tag: int) -> int:
    """Return where a directory that a tag points to begins; beyond the end where the directory lacks the tag."""
    entry = directory.entries.get(tag)
    if entry is None or entry.kind not in (4, 13) or entry.values != 1:
        return len(block)
    return _number(block, directory.order + "I", entry.start)


def reduce_tiff(data: bytes) -> TiffPicture:
    """Return the TIFF file with a directory that holds the first picture only.

    Raises:
        InputError: the directory is damaged, its kind is not supported, or it is a raw file.
    """
    directory = _read_directory(data)
    _check_not_raw(data, directory)
    kept = [_checked(entry, len(data)) for tag, entry in sorted(directory.entries.items()) if tag in _KEPT]
    if sum(_UNITS[entry.kind] * entry.values for entry in kept) > len(data):
        raise damaged("the TIFF directory claims more than the file holds")
    directory = directory._replace(entries={entry.tag: entry for entry in kept})
    numbers = {tag: _values(data, directory, tag, ()) for tag, kinds in _KEPT.items() if kinds is _NUMBERS}
    numbers = {tag: values for tag, values in numbers.items() if values}
    photometric, samples = numbers.get(262, (1,))[0], numbers.get(277, (1,))[0]
    depth = max(numbers.get(258, (1,)))
    if photometric in _RAW_PHOTOMETRICS:
        raise _raw_error()
    _check_supported(numbers, depth, photometric)
    planes: tuple[bytes, ...] = ()
    mode: str | None = None
    if numbers.get(284, (1,))[0] == 2 and samples > 1:
        mode = mode_of_planes(photometric, samples, numbers.get(338, (0,))[0])
        if mode is None:
            raise unsupported("TIFF", f"{samples} planar channels of {depth} bits")
        tables = _bytes(data, directory, _JPEG_TABLES) or b""
        found = split_planes(data, numbers, order=directory.order, tables=tables)
        if found is None:
            raise damaged("strips and channels of the TIFF file do not match")
        planes = found
    exif = read_exif(data)
    return TiffPicture(
        data=_with_directory(data, directory),
        orientation=exif.orientation,
        space=exif.space,
        unused=exif.unused,
        more_pictures=directory.more,
        depth=depth,
        inverted=depth > 8 and photometric == 0,
        planes=planes,
        mode=mode,
        profile=_bytes(data, directory, _PROFILE),
    )


def _check_supported(numbers: Mapping[int, tuple[int, ...]], depth: int, photometric: int) -> None:
    """Raise for sound files that Pillow misreads or calls damaged."""
    formats = set(numbers.get(339, (1,)))
    if not formats <= {1, 4} or depth > 16:
        words = "floating-point" if 3 in formats else "signed" if 2 in formats else f"{depth}-bit"
        words = "complex" if formats & {5, 6} else words
        raise InputError(
            f"expected a TIFF with 8 or 16 bits per channel, got {words} values; save it with 8 or 16 bits"
        )
    compression = numbers.get(259, (1,))[0]
    if compression not in _COMPRESSIONS:
        raise unsupported("TIFF", f"{_OTHER_COMPRESSIONS.get(compression, f'compression {compression}')}")
    if photometric not in _PHOTOMETRICS:
        raise unsupported("TIFF", f"colours of kind {photometric}")
    if photometric == 6 and compression not in (6, 7):
        raise unsupported("TIFF", "YCbCr colours without JPEG compression")


def _bytes(data: bytes, directory: _Directory, tag: int) -> bytes | None:
    """Return the bytes of a kept tag, None where the directory lacks it."""
    entry = directory.entries.get(tag)
    return data[entry.start : entry.start + entry.values] if entry else None


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
