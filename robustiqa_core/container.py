"""What an image file says about itself before a pixel is decoded, and the file reduced to its first picture.

Pillow reads metadata generously: damaged EXIF data raise warnings from many places, text chunks unpack, further
pages are followed, and a global variable limits the size. Here the few facts that count are read from the bytes, and
all that is not needed to draw the first picture is dropped. Pillow then sees pixels, palette and colour profile only.
"""

from dataclasses import dataclass

from robustiqa_core.kinds import ImageFormat, identify
from robustiqa_core.tiff import MAX_PARTS, damaged, exif_orientation, reduce_tiff

# JPEG segments that are kept: JFIF (E0), the colour profile (E2, checked further) and Adobe's colour transform (EE).
_JPEG_DROPPED = {0xE1, *range(0xE3, 0xEE), 0xEF, 0xFE}
_JPEG_ALONE = {0x00, 0x01, *range(0xD0, 0xD8)}
_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"IDAT", b"IEND"}


@dataclass(frozen=True, slots=True)
class Container:
    """An image file reduced to its first picture.

    Args:
        format: format of the file, told by its content.
        data: the file without the parts that are not needed to draw its first picture.
        orientation: EXIF orientation, 1 (upright) to 8.
        more_pictures: True if the file holds further frames or pages.
        depth: bits per sample, where the file says so (PNG and TIFF); else 8.
        inverted: True if 0 means white in samples of more than 8 bits (Pillow turns the others round itself).
        size: (width, height) in pixels where it was read; else None.
    """

    format: ImageFormat
    data: bytes
    orientation: int = 1
    more_pictures: bool = False
    depth: int = 8
    inverted: bool = False
    size: tuple[int, int] | None = None


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
        tiff = reduce_tiff(data)
        return Container(kind, tiff.data, tiff.orientation, tiff.more_pictures, tiff.depth, tiff.inverted)
    return Container(kind, data)


def _reduce_jpeg(data: bytes) -> Container:
    """Keep the segments before the first scan that draw the picture, and all that follows."""
    view, parts, position, orientation = memoryview(data), [memoryview(data)[:2]], 2, 1
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
            return Container("JPEG", b"".join(parts), orientation)
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        segment = view[position:end]
        if marker == 0xE1 and segment[4:10].tobytes() == b"Exif\0\0":
            orientation = exif_orientation(bytes(segment[10:]))
        # Other APP2 segments point to further pictures (gain maps, depth): these are no photos to score.
        if marker not in _JPEG_DROPPED and (marker != 0xE2 or segment[4:16].tobytes() == b"ICC_PROFILE\0"):
            parts.append(segment)
        position = end
    raise damaged("the JPEG file ends before its picture begins")


def _reduce_png(data: bytes) -> Container:
    """Keep the chunks that draw the still picture; without `acTL` an animation is an ordinary PNG."""
    view, parts, position = memoryview(data), [memoryview(data)[:8]], 8
    orientation, animated = 1, False
    for _ in range(MAX_PARTS):
        kind = data[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if kind in _PNG_KEPT:
            parts.append(view[position:end])
        elif kind == b"eXIf":
            orientation = exif_orientation(data[position + 8 : end - 4])
        animated |= kind == b"acTL"
        position = end
        if kind == b"IEND" or position >= len(data):
            break
    depth = data[24] if data[12:16] == b"IHDR" and len(data) > 24 else 8
    return Container("PNG", b"".join(parts), orientation, animated, depth)


def _read_webp(data: bytes) -> Container:
    """Read size, orientation and number of frames; the decoder would take the memory of a canvas before it tells."""
    sizes: list[tuple[int, int]] = []
    orientation, frames, position = 1, 0, 12
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
            orientation = exif_orientation(data[body:end].removeprefix(b"Exif\0\0"))
        frames += kind == b"ANMF"
        position = end + end % 2
        if position >= len(data):
            break
    if not sizes:
        raise damaged("the WebP file has no picture")
    return Container("WebP", data, orientation, frames > 1, size=max(sizes, key=lambda size: size[0] * size[1]))
