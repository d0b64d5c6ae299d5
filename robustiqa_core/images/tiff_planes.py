"""TIFF files whose channels lie one after the other: each becomes a grey TIFF, which Pillow reads right at any depth.

As a whole Pillow misreads them: 16-bit ones that are not compressed, grey with alpha, and CIELAB.
"""

import struct
from collections.abc import Mapping
from itertools import accumulate

from robustiqa_core.errors import InputError

_SHORT_TAGS = {258, 259, 262, 266, 277, 317}
_OFFSETS, _BYTE_COUNTS = {273, 324}, {279, 325}
_COPIED = (256, 257, 259, 266, 278, 292, 317, 322, 323)
_JPEG_TABLES = 347
_MODES = {
    (2, 3): ("RGB", "RGB", "RGB"),
    (2, 4): ("RGBX", "RGBa", "RGBA"),
    (1, 2): ("L", "La", "LA"),
    (5, 4): ("CMYK", "CMYK", "CMYK"),
}
"""Modes of what the channels make up, by photometric interpretation and number of channels: the last one is something
unspecified, alpha by which colours are multiplied, plain alpha."""


def mode_of_planes(photometric: int, samples: int, extra: int) -> str | None:
    """Return the mode of the picture that planes make up, None where they are not supported."""
    modes = _MODES.get((photometric, samples))
    return modes[extra] if modes and 0 <= extra <= 2 else None


def split_planes(
    data: bytes, numbers: Mapping[int, tuple[int, ...]], *, order: str, tables: bytes
) -> tuple[bytes, ...] | None:
    """Return a grey TIFF of each channel, None where strips and channels do not fit together.

    Args:
        data: the file.
        numbers: the numbers of its first directory by tag.
        order: `<` or `>`.
        tables: of JPEG compression, which the channels share; empty without.
    """
    samples = numbers[277][0]
    places, lengths = (next((tag for tag in tags if tag in numbers), 0) for tags in (_OFFSETS, _BYTE_COUNTS))
    if not places or not lengths or len(numbers[places]) != len(numbers[lengths]) or len(numbers[places]) % samples:
        return None
    if sum(numbers[lengths]) > len(data):
        return None
    strips = [data[start : start + size] for start, size in zip(numbers[places], numbers[lengths], strict=True)]
    if [len(strip) for strip in strips] != list(numbers[lengths]):
        return None
    each = len(strips) // samples
    kept = {tag: numbers[tag] for tag in _COPIED if tag in numbers}
    bits = numbers.get(258, (1,))
    files = []
    for plane in range(samples):
        own = {**kept, 258: (bits[min(plane, len(bits) - 1)],), 262: (1,), 277: (1,)}
        files.append(_grey_tiff(own, strips[plane * each : (plane + 1) * each], (places, lengths), order, tables))
    return tuple(files)


def _grey_tiff(
    numbers: Mapping[int, tuple[int, ...]], strips: list[bytes], tags: tuple[int, int], order: str, tables: bytes
) -> bytes:
    """Return a TIFF file of these numbers and strips; `tags` are those of the strips' places and lengths."""
    count = len(numbers) + 2 + bool(tables)
    behind = 8 + 2 + 12 * count + 4
    arrays = b""
    lengths = [len(strip) for strip in strips]
    first = behind + (8 * len(strips) if len(strips) > 1 else 0) + len(tables)
    starts = [first, *(first + end for end in accumulate(lengths))][:-1]
    entries: list[tuple[int, int, int, bytes]] = []
    for tag, values in {**numbers, tags[0]: tuple(starts), tags[1]: tuple(lengths)}.items():
        kind, code = (3, "H") if tag in _SHORT_TAGS else (4, "I")
        packed = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(packed) > 4:
            arrays, packed = arrays + packed, struct.pack(order + "I", behind + len(arrays))
        entries.append((tag, kind, len(values), packed))
    if tables:
        place = struct.pack(order + "I", behind + len(arrays))
        arrays += tables
        entries.append((_JPEG_TABLES, 7, len(tables), place))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, count)
    rows = b"".join(
        struct.pack(order + "HHI", tag, kind, size) + packed.ljust(4, b"\0")
        for tag, kind, size, packed in sorted(entries)
    )
    return b"".join([head, rows, b"\0" * 4, arrays, *strips])


def unsupported(kind: str, detail: str) -> InputError:
    """Return the error for a sound file of a kind that is not read; `detail` says what is unusual."""
    return InputError(
        f"expected a supported kind of {kind} file, got one with {detail}, which is not supported; "
        "save it as PNG or JPEG with 8 bits"
    )
