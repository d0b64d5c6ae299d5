"""What an image file says about itself before a pixel is decoded, and the file reduced to its first picture.

Pillow reads metadata generously: damaged EXIF data raise warnings from many places, text chunks unpack, further
pages are followed, and a global variable limits the size. Here the few facts that count are read from the bytes, and
all that is not needed to draw the first picture is dropped. Pillow then sees pixels, palette and colour profile only.
"""

import struct
from dataclasses import dataclass

from robustiqa_core.images.bmp_gif import gif_profile, read_bmp_colours
from robustiqa_core.images.boxes import Jpeg2000Facts, read_heif, read_jpeg_2000
from robustiqa_core.images.colour import Cicp, ColourMarks, is_usable
from robustiqa_core.images.kinds import ImageFormat, identify
from robustiqa_core.images.pnm import read_head
from robustiqa_core.images.tiff import MAX_PARTS, ExifFacts, damaged, read_exif, reduce_tiff
from robustiqa_core.images.tiff_planes import unsupported

_PNG_START = b"\x89PNG\r\n\x1a\n"
_MAX_SCANS = 100
"""Scans of a JPEG: encoders make about ten, and each costs the time of a whole picture."""
_GAIN_MAP_MARKS = (b"hdrgm:", b"HDRGainMap", b"urn:iso:std:iso:ts:21496:-1")
# Enumerated colour spaces of JPEG 2000 by number of channels: black and white, CMYK, sRGB, grey, sYCC.
_JPEG_2000_SPACES = {0: (1,), 15: (1,), 12: (4,), 16: (3, 4), 17: (1, 2), 18: (3, 4)}

# JPEG segments that are kept: JFIF (E0), the colour profile (E2, checked further) and Adobe's colour transform (EE).
_JPEG_DROPPED = {0xE1, *range(0xE3, 0xEE), 0xEF, 0xFE}
_JPEG_ALONE = {0x00, 0x01, *range(0xD0, 0xD8)}
_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"IDAT", b"IEND"}
_PNG_COLOURS = {b"cICP": 4, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32}
"""Chunks that name a colour space, and their lengths."""


_UNMARKED = ColourMarks()


@dataclass(frozen=True, slots=True)
class Container:
    """An image file reduced to its first picture.

    Args:
        format: format of the file, told by its content.
        data: the file without the parts that are not needed to draw its first picture.
        orientation: EXIF orientation, 1 (upright) to 8.
        more_pictures: True if the file holds further frames or pages.
        depth: bits per sample, where the file says so; else 8.
        inverted: True if 0 means white in samples of more than 8 bits (Pillow turns the others round itself).
        size: (width, height) in pixels where it was read; else None.
        marks: what it says about its colours besides an ICC profile.
        profile: ICC profile, where Pillow does not read it itself.
        gain_map: whether the file holds an HDR version of its picture as well.
        planes: grey TIFF files of the channels, where Pillow would misread the whole.
        mode: of the picture that these planes make up.
    """

    format: ImageFormat
    data: bytes
    orientation: int = 1
    more_pictures: bool = False
    depth: int = 8
    inverted: bool = False
    size: tuple[int, int] | None = None
    marks: ColourMarks = _UNMARKED
    profile: bytes | None = None
    gain_map: bool = False
    planes: tuple[bytes, ...] = ()
    mode: str | None = None


def reduce_to_first_picture(data: bytes) -> Container:
    """Return what the file says about itself, and the file without all that its first picture does not need.

    Raises:
        InputError: not an image of a known format, its structure is damaged, or its samples cannot be shown.
    """
    kind = identify(data)
    if kind == "JPEG":
        return _reduce_jpeg(data)
    if kind == "PNG":
        return _reduce_png(data)
    if kind == "WebP":
        return _read_webp(data)
    if kind == "TIFF":
        return _reduce_tiff(data)
    if kind == "AVIF" or kind == "HEIC":
        return _read_heif(data, kind)
    if kind == "JPEG 2000":
        return _read_jpeg_2000(data)
    if kind == "PNM":
        head = read_head(data)
        return Container(kind, data, depth=head.depth, size=head.size)
    if kind == "BMP":
        profile, marks = read_bmp_colours(data)
        return Container(kind, data, marks=marks, profile=profile)
    return Container(kind, data, profile=gif_profile(data))


def _reduce_tiff(data: bytes) -> Container:
    tiff = reduce_tiff(data)
    return Container(
        "TIFF",
        b"" if tiff.planes else tiff.data,
        tiff.orientation,
        tiff.more_pictures,
        tiff.depth,
        tiff.inverted,
        marks=ColourMarks(exif=tiff.space, unused=tiff.unused),
        profile=tiff.profile,
        planes=tiff.planes,
        mode=tiff.mode,
    )


def _read_heif(data: bytes, kind: ImageFormat) -> Container:
    """Read sizes and colours; the decoders turn HEIC upright themselves, and report what AVIF asks for as EXIF data."""
    facts = read_heif(data)
    return Container(
        kind,
        data,
        more_pictures=facts.sequence,
        depth=facts.depth,
        size=max(facts.sizes, key=lambda size: size[0] * size[1], default=None),
        marks=ColourMarks(cicp=facts.cicp, video=True),
        gain_map=facts.gain_map,
    )


def _read_jpeg_2000(data: bytes) -> Container:
    """Read size, depth and colours; refuse what the decoder would show in wrong colours."""
    facts = read_jpeg_2000(data)
    problem = _jpeg_2000_problem(facts)
    if problem:
        raise unsupported("JPEG 2000", problem)
    marks = ColourMarks(cicp=facts.cicp, video=True)
    return Container("JPEG 2000", data, depth=facts.depth, size=facts.size, marks=marks, profile=facts.profile)


def _jpeg_2000_problem(facts: Jpeg2000Facts) -> str:
    """Return what is unusual in a JPEG 2000 file so that it cannot be shown; empty for all others."""
    if facts.signed:
        return "signed values"
    if facts.depth > 16 or (facts.depth != 8 and facts.palette):
        return f"{facts.depth}-bit values"
    if facts.depth > 8 and facts.components > 1:
        # The decoder rounds these up beyond white, which becomes black.
        return f"{facts.components} channels of {facts.depth} bits"
    if not 1 <= facts.components <= 4:
        return f"{facts.components} channels"
    if facts.space is not None and not facts.palette and facts.components not in _JPEG_2000_SPACES.get(facts.space, ()):
        return f"{facts.components} channels in colour space {facts.space}"
    return ""


def _reduce_jpeg(data: bytes) -> Container:
    """Keep the segments before the first scan that draw the picture, and all that follows."""
    view, parts, position = memoryview(data), [memoryview(data)[:2]], 2
    exif: ExifFacts | None = None
    gain_map = False
    if data.count(b"\xff\xda") > _MAX_SCANS:
        raise unsupported("JPEG", f"more than {_MAX_SCANS} scans")
    for _ in range(MAX_PARTS):
        position = data.find(b"\xff", position)
        if position < 0 or position + 4 > len(data):
            break
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in _JPEG_ALONE:
            position += 2
            continue
        if marker == 0xDA:
            parts.append(view[position:])
            exif = exif or ExifFacts()
            marks = ColourMarks(exif=exif.space, unused=exif.unused)
            return Container("JPEG", b"".join(parts), exif.orientation, marks=marks, gain_map=gain_map)
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        segment = view[position:end]
        if marker == 0xE1 and segment[4:10].tobytes() == b"Exif\0\0":
            exif = exif or read_exif(bytes(segment[10:]))
        if marker in (0xE1, 0xE2) and not gain_map:
            gain_map = any(mark in bytes(segment) for mark in _GAIN_MAP_MARKS)
        # Other APP2 segments point to further pictures (gain maps, depth): these are no photos to score.
        if marker not in _JPEG_DROPPED and (marker != 0xE2 or segment[4:16].tobytes() == b"ICC_PROFILE\0"):
            parts.append(segment)
        position = end
    raise damaged("the JPEG file ends before its picture begins")


def _reduce_png(data: bytes) -> Container:
    """Keep the chunks that draw the still picture; without `acTL` an animation is an ordinary PNG."""
    view, parts, position = memoryview(data), [memoryview(data)[:8]], 8
    exif: ExifFacts | None = None
    animated = False
    colours: dict[bytes, bytes] = {}
    for _ in range(MAX_PARTS):
        kind = data[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if kind in _PNG_KEPT:
            parts.append(view[position:end])
        elif kind == b"eXIf":
            exif = exif or read_exif(data[position + 8 : end - 4])
        elif kind in _PNG_COLOURS and end - position == 12 + _PNG_COLOURS[kind] and end <= len(data):
            colours.setdefault(kind, data[position + 8 : end - 4])
        animated |= kind == b"acTL"
        position = end
        if kind == b"IEND" or position >= len(data):
            break
    depth = data[24] if data[12:16] == b"IHDR" and len(data) > 24 else 8
    exif = exif or ExifFacts()
    return Container("PNG", b"".join(parts), exif.orientation, animated, depth, marks=_png_marks(colours, exif))


def _png_marks(colours: dict[bytes, bytes], exif: ExifFacts) -> ColourMarks:
    """Return what the colour chunks of a PNG and its EXIF data say; chunks with nonsense are left out."""
    cicp = None
    if b"cICP" in colours:
        primaries, transfer, matrix, full_range = colours[b"cICP"]
        cicp = Cicp(primaries, transfer, full_range != 0) if matrix == 0 else None
    gamma, chromaticities = None, None
    if b"gAMA" in colours:
        value = int.from_bytes(colours[b"gAMA"], "big") / 100_000
        gamma = value if 0.05 <= value <= 20 else None
    if b"cHRM" in colours:
        numbers = struct.unpack(">8I", colours[b"cHRM"])
        white_x, white_y, *primaries_xy = (number / 100_000 for number in numbers)
        found = (white_x, white_y, *primaries_xy)
        chromaticities = found if is_usable(found) else None
    return ColourMarks(cicp, False, b"sRGB" in colours, gamma, chromaticities, exif.space, exif.unused)


def _read_webp(data: bytes) -> Container:
    """Read size, orientation and number of frames; the decoder would take the memory of a canvas before it tells."""
    sizes: list[tuple[int, int]] = []
    exif: ExifFacts | None = None
    frames, position = 0, 12
    for _ in range(MAX_PARTS):
        kind = data[position : position + 4]
        body = position + 8
        end = body + int.from_bytes(data[position + 4 : body], "little")
        head = data[body : body + 10]
        if kind == b"VP8X" and len(head) == 10:
            sizes.append((int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1))
        elif kind == b"VP8L" and len(head) >= 5:
            bits = int.from_bytes(head[1:5], "little")
            sizes.append(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
        elif kind == b"VP8 " and len(head) == 10:
            sizes.append((int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF))
        elif kind == b"EXIF":
            exif = exif or read_exif(data[body:end].removeprefix(b"Exif\0\0"))
        frames += kind == b"ANMF"
        position = end + end % 2
        if position >= len(data):
            break
    if not sizes:
        raise damaged("the WebP file has no picture")
    exif = exif or ExifFacts()
    return Container(
        "WebP",
        data,
        exif.orientation,
        frames > 1,
        size=max(sizes, key=lambda size: size[0] * size[1]),
        marks=ColourMarks(exif=exif.space, unused=exif.unused),
    )
