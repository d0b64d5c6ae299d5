"""PNM files (PBM, PGM, PPM). Pillow decodes most of them in Python, which takes half a minute for a camera's photo."""

import re
from typing import NamedTuple

import numpy as np
from PIL import Image

from robustiqa_core.errors import InputError
from robustiqa_core.images.tiff import damaged

MAX_PLAIN_PIXELS = 20_000_000
"""Pixels of a file whose values are written as text, which is slow to read."""

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_HEAD = re.compile(rb"P([14])%s(\d{1,9})%s(\d{1,9})" % (_GAP, _GAP))
_HEAD_WITH_LIMIT = re.compile(rb"P([2356])%s(\d{1,9})%s(\d{1,9})%s(\d{1,9})" % (_GAP, _GAP, _GAP))
_COMMENT = re.compile(rb"#[^\r\n]*")
_HEAD_BYTES = 65536


class PnmHead(NamedTuple):
    """The head of a PNM file: its `kind` 1 to 6, (width, height), the value of white, and where the pixels begin."""

    kind: int
    size: tuple[int, int]
    limit: int
    start: int

    @property
    def depth(self) -> int:
        """Bits per sample."""
        return self.limit.bit_length()

    @property
    def plain(self) -> bool:
        """Whether the values are written as text."""
        return self.kind <= 3


def read_head(data: bytes) -> PnmHead:
    """Return the head of a PNM file.

    Raises:
        InputError: it is damaged.
    """
    match = _HEAD.match(data, 0, _HEAD_BYTES) or _HEAD_WITH_LIMIT.match(data, 0, _HEAD_BYTES)
    if match is None:
        raise damaged("broken header of the PNM file")
    kind, width, height, *rest = (int(number) for number in match.groups())
    limit = rest[0] if rest else 1
    if not (width and height and 1 <= limit <= 65535):
        raise damaged("broken header of the PNM file")
    return PnmHead(kind, (width, height), limit, match.end() + 1)


def read_picture(data: bytes) -> Image.Image:
    """Return the picture of a PNM file, mode L or RGB.

    Values up to 2^n - 1 with n above 8 keep their upper 8 bits, as those of other formats do; others are scaled.

    Raises:
        InputError: damaged, truncated, or too large for values that are written as text.
    """
    head = read_head(data)
    width, height = head.size
    if head.plain and width * height > MAX_PLAIN_PIXELS:
        raise InputError(
            f"expected at most {MAX_PLAIN_PIXELS // 1_000_000} million pixels of a PNM file in text form, "
            f"got {width} x {height}; reduce it first"
        )
    if head.kind == 4:
        row = (width + 7) // 8
        packed = np.frombuffer(_pixels(data, head.start, row * height), np.uint8).reshape(height, row)
        return Image.fromarray((1 - np.unpackbits(packed, axis=1, count=width)) * np.uint8(255))
    shape = (height, width, 3) if head.kind in (3, 6) else (height, width)
    count = int(np.prod(shape))
    if head.plain:
        values = _plain(data[head.start - 1 :], count, single=head.kind == 1)
    else:
        kind = np.dtype(np.uint8 if head.limit < 256 else ">u2")
        values = np.frombuffer(_pixels(data, head.start, count * kind.itemsize), kind)
    if head.limit < 255 and values.max() > head.limit:
        raise damaged(f"a value above {head.limit}")
    if head.kind == 1:
        values = 1 - values
    return Image.fromarray(_levels(values.reshape(shape), head.limit))


def _pixels(data: bytes, start: int, length: int) -> memoryview:
    if len(data) < start + length:
        raise damaged("the PNM file ends before its picture does")
    return memoryview(data)[start : start + length]


def _plain(text: bytes, count: int, *, single: bool) -> np.ndarray:
    """Return `count` numbers of a text; with `single` every digit is one."""
    text = _COMMENT.sub(b" ", text)
    if not re.fullmatch(rb"[01\s]*" if single else rb"[\d\s]*", text):
        raise damaged("non-digits in the PNM file")
    if single:
        values = np.frombuffer(b"".join(text.split()), np.uint8) - ord("0")
    else:
        values = np.fromstring(text.decode("ascii"), dtype=np.float64, sep=" ")
    if values.size < count:
        raise damaged("the PNM file ends before its picture does")
    values = values[:count]
    if values.max() > 65535:
        raise damaged("a value above 65535")
    return values.astype(np.uint16)


def _levels(values: np.ndarray, limit: int) -> np.ndarray:
    """Return values 0..limit as 8-bit levels."""
    if limit == 255:
        return np.ascontiguousarray(values, dtype=np.uint8)
    if limit > 255 and limit & (limit + 1) == 0:
        levels: np.ndarray = np.minimum(values >> (limit.bit_length() - 8), 255).astype(np.uint8)
        return levels
    table: np.ndarray = np.minimum(np.rint(np.arange(65536) * (255 / limit)), 255).astype(np.uint8)
    scaled: np.ndarray = table[values]
    return scaled
