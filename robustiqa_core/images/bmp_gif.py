"""What BMP and GIF files say about their colours, which Pillow leaves aside."""

import struct

from robustiqa_core.images.colour import ColourMarks, is_like_srgb, is_usable
from robustiqa_core.images.tiff import MAX_PARTS

_HEAD = 14
"""Bytes before the head of a BMP, from where its profile is counted."""
_CALIBRATED, _EMBEDDED, _LINKED = 0, 0x4D424544, 0x4C494E4B
_USUAL_GAMMA = (1.9, 2.5)
"""Gammas that stand for sRGB's curve in a head which has no other way to name it."""


def read_bmp_colours(data: bytes) -> tuple[bytes | None, ColourMarks]:
    """Return the ICC profile in a BMP, if it has one, and what its head of version 4 or 5 says besides.

    Source: BITMAPV4HEADER and BITMAPV5HEADER, Windows GDI.
    """
    size = int.from_bytes(data[_HEAD : _HEAD + 4], "little")
    if size < 108 or len(data) < _HEAD + size:
        return None, ColourMarks()
    kind = int.from_bytes(data[_HEAD + 56 : _HEAD + 60], "little")
    if kind == _EMBEDDED and size >= 124:
        start, length = struct.unpack_from("<II", data, _HEAD + 112)
        return data[_HEAD + start : _HEAD + start + length] or None, ColourMarks()
    if kind == _LINKED:
        return None, ColourMarks(unused="a colour profile in another file")
    return None, ColourMarks(unused=_calibration(data) if kind == _CALIBRATED else "")


def _calibration(data: bytes) -> str:
    """Return what is unlike sRGB in the end points and gammas of a BMP; empty where nothing is, or nothing is said."""
    numbers = struct.unpack_from("<9i3I", data, _HEAD + 60)
    ends = [numbers[place : place + 3] for place in (0, 3, 6)]
    white = tuple(map(sum, zip(*ends, strict=True)))
    if any(sum(end) <= 0 for end in (white, *ends)):
        return ""
    white_x, white_y, *rest = (part / sum(end) for end in (white, *ends) for part in end[:2])
    red_x, red_y, green_x, green_y, blue_x, blue_y = rest
    found = (white_x, white_y, red_x, red_y, green_x, green_y, blue_x, blue_y)
    gammas = [gamma / 65536 for gamma in numbers[9:] if gamma]
    usual = all(_USUAL_GAMMA[0] <= gamma <= _USUAL_GAMMA[1] for gamma in gammas)
    return "" if not is_usable(found) or (is_like_srgb(found) and usual) else "primaries and gammas of its own"


def gif_profile(data: bytes) -> bytes | None:
    """Return the ICC profile before the first picture of a GIF; None if there is none.

    Source: ICC.1:2022, annex B.5.
    """
    place = 13 + (3 << (data[10] & 7) + 1 if len(data) > 10 and data[10] & 0x80 else 0)
    for _ in range(MAX_PARTS):
        if data[place : place + 1] != b"!":
            return None
        is_profile = data[place + 1 : place + 14] == b"\xff\x0bICCRGBG1012"
        place += 2
        parts = []
        while place < len(data) and data[place]:
            parts.append(data[place + 1 : place + 1 + data[place]])
            place += 1 + data[place]
        if is_profile:
            return b"".join(parts[1:]) or None
        place += 1
    return None
