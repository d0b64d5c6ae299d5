"""Boxes, of which JPEG 2000, AVIF and HEIC files are made, and the few facts in them that decide how to decode.

The decoders read the boxes themselves. Read here is what Pillow keeps to itself: code points of colour, the profile of
a JPEG 2000 file, and the true sizes, before anything is decoded.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from robustiqa_core.images.codec_colours import av1_colours, hevc_colours
from robustiqa_core.images.colour import UNSPECIFIED, Cicp
from robustiqa_core.images.tiff import MAX_PARTS, damaged

_MOST_ITEMS = 16
"""Coded pictures of a file whose heads are read: all have the same colours."""


class HeifFacts(NamedTuple):
    """What an AVIF or HEIC file says about itself.

    Args:
        sizes: (width, height) of every picture, tile and auxiliary in it.
        cicp: code points of its colours (`nclx`, else those in the coded stream), None where it has none.
        depth: most bits per sample.
        gain_map: whether it holds the map that makes an HDR picture of it.
        sequence: whether it holds a sequence of pictures.
    """

    sizes: tuple[tuple[int, int], ...]
    cicp: Cicp | None
    depth: int
    gain_map: bool
    sequence: bool


class Jpeg2000Facts(NamedTuple):
    """What a JPEG 2000 file says about itself; `depth` in bits, `profile` ICC, `space` and `cicp` of JP2, if any."""

    size: tuple[int, int]
    tile: tuple[int, int]
    components: int
    depth: int
    signed: bool
    profile: bytes | None
    space: int | None
    palette: bool
    cicp: Cicp | None


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type, start and end of the content of each box between two places.

    Raises:
        InputError: a box is larger than what holds it, or there are too many.
    """
    end = len(data) if end is None else end
    for _ in range(MAX_PARTS):
        if start + 8 > end:
            return
        size, kind, head = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        elif size == 0:
            size = end - start
        if size < head or start + size > end:
            raise damaged("a box reaches beyond the end of the file")
        yield kind, start + head, start + size
        start += size
    raise damaged("too many boxes")


def read_heif(data: bytes) -> HeifFacts:
    """Return the facts of an AVIF or HEIC file; colours and depth are those of its primary picture.

    Raises:
        InputError: the boxes are damaged.
    """
    top = {kind: (start, end) for kind, start, end in reversed(list(boxes(data)))}
    if b"meta" not in top:
        raise damaged("no picture in the file")
    start, end = top[b"meta"]
    meta = {kind: (start, end) for kind, start, end in boxes(data, start + 4, end)}
    holders = {kind: (start, end) for kind, start, end in boxes(data, *meta.get(b"iprp", (end, end)))}
    properties = [(kind, data[start:end]) for kind, start, end in boxes(data, *holders.get(b"ipco", (end, end)))]
    primary = _primary_item(data[slice(*meta.get(b"pitm", (end, end)))])
    mine = _associated(data[slice(*holders.get(b"ipma", (end, end)))], primary)
    owned = [properties[index - 1] for index in mine if 0 < index <= len(properties)]
    depths = [depth for kind, body in owned if kind == b"pixi" and len(body) > 5 for depth in body[5 : 5 + body[4]]]
    # Where a picture is a grid, its tiles may say what it does not.
    cicp = _code_points(owned) or _code_points(properties)
    if cicp is None or UNSPECIFIED in (cicp.primaries, cicp.transfer):
        located = data[slice(*meta.get(b"iloc", (end, end)))]
        coded = (data[place:] for place in _places(located, meta.get(b"idat", (0, 0))[0]))
        cicp = _coded_points(properties, coded) or cicp
    items = data[slice(*meta.get(b"iinf", (end, end)))]
    return HeifFacts(
        sizes=tuple(
            struct.unpack_from(">II", body, 4) for kind, body in properties if kind == b"ispe" and len(body) >= 12
        ),
        cicp=cicp,
        depth=max(depths, default=8),
        gain_map=b"tmap" in items or any(kind == b"auxC" and b"gainmap" in body for kind, body in properties),
        sequence=b"moov" in top,
    )


def _code_points(properties: Iterable[tuple[bytes, bytes]]) -> Cicp | None:
    """Return the code points that an `nclx` box among some properties names."""
    for kind, body in properties:
        if kind == b"colr" and body[:4] == b"nclx" and len(body) >= 11:
            primaries, transfer = struct.unpack_from(">HH", body, 4)
            return Cicp(primaries, transfer, bool(body[10] & 0x80))
    return None


def _coded_points(properties: Iterable[tuple[bytes, bytes]], coded: Iterable[bytes]) -> Cicp | None:
    """Return the code points in the heads that the decoders get, or in the coded pictures of AV1 themselves."""
    heads = [(kind, body) for kind, body in properties if kind in (b"hvcC", b"av1C")]
    for kind, body in heads:
        found = hevc_colours(body) if kind == b"hvcC" else av1_colours(body[4:])
        if found is not None:
            return found
    if all(kind != b"av1C" for kind, _ in heads):
        return None
    return next((found for stream in coded if (found := av1_colours(stream)) is not None), None)


def _places(body: bytes, item_data: int) -> Iterator[int]:
    """Yield where the items that an `iloc` box lists begin in the file, as far as it can be read.

    Args:
        body: content of the box.
        item_data: where the content of the `idat` box begins.
    """
    if len(body) < 8:
        return
    version, sizes = body[0], int.from_bytes(body[4:6], "big")
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    number_size = 4 if version == 2 else 2
    count, place = int.from_bytes(body[6 : 6 + number_size], "big"), 6 + number_size
    for _ in range(min(count, _MOST_ITEMS)):
        place += number_size
        method = body[place + 1] & 15 if version and place + 1 < len(body) else 0
        place += (2 if version else 0) + 2
        base = int.from_bytes(body[place : place + base_size], "big")
        extents = int.from_bytes(body[place + base_size : place + base_size + 2], "big")
        place += base_size + 2
        first = place + (index_size if version else 0)
        if first + offset_size > len(body):
            return
        offset = base + int.from_bytes(body[first : first + offset_size], "big")
        if extents and method <= 1:
            yield offset + item_data * method
        place += extents * (offset_size + length_size + (index_size if version else 0))


def _primary_item(body: bytes) -> int:
    """Return the number of the primary picture that a `pitm` box names; 0 if it is cut off."""
    return int.from_bytes(body[4:6] if body[:1] == b"\0" else body[4:8], "big")


def _associated(body: bytes, item: int) -> list[int]:
    """Return the properties, counted from 1, that an `ipma` box gives an item."""
    wide_items, wide_indices = body[:1] not in (b"", b"\0"), len(body) > 3 and bool(body[3] & 1)
    item_bytes, index_bytes, mask = 4 if wide_items else 2, 2 if wide_indices else 1, 0x7FFF if wide_indices else 0x7F
    place = 8
    while place + item_bytes < len(body):
        number = int.from_bytes(body[place : place + item_bytes], "big")
        count, place = body[place + item_bytes], place + item_bytes + 1
        indices = body[place : place + count * index_bytes]
        place += count * index_bytes
        if number == item:
            return [
                int.from_bytes(indices[at : at + index_bytes], "big") & mask
                for at in range(0, len(indices), index_bytes)
            ]
    return []


def read_jpeg_2000(data: bytes) -> Jpeg2000Facts:
    """Return the facts of a JPEG 2000 file, or of a bare code stream.

    Raises:
        InputError: the boxes or the head of the code stream are damaged.
    """
    stream, profile, space, palette, cicp = 0, None, None, False, None
    if not data.startswith(b"\xff\x4f"):
        stream = -1
        for kind, start, end in boxes(data):
            if kind == b"jp2c":
                stream = start
                break
            if kind == b"jp2h":
                for inner, inner_start, inner_end in boxes(data, start, end):
                    body = data[inner_start:inner_end]
                    palette |= inner == b"pclr"
                    if inner == b"colr" and body[:1] == b"\1" and space is None and profile is None:
                        space = int.from_bytes(body[3:7], "big")
                    elif inner == b"colr" and body[:1] in (b"\2", b"\3") and profile is None and space is None:
                        profile = body[3:]
                    elif inner == b"colr" and body[:1] == b"\5" and len(body) >= 10:
                        primaries, transfer = struct.unpack_from(">HH", body, 3)
                        cicp = Cicp(primaries, transfer, bool(body[9] & 0x80))
    head = data[stream : stream + 43] if stream >= 0 else b""
    if len(head) < 43 or head[:4] != b"\xff\x4f\xff\x51":
        raise damaged("no JPEG 2000 code stream")
    numbers = [int.from_bytes(head[place : place + 4], "big") for place in range(8, 40, 4)]
    width, height, left, top, tile_width, tile_height = numbers[:6]
    components = int.from_bytes(head[40:42], "big")
    samples = [data[place] for place in range(stream + 42, min(stream + 42 + 3 * components, len(data)), 3)]
    return Jpeg2000Facts(
        size=(width - left, height - top),
        tile=(tile_width, tile_height),
        components=components,
        depth=max(((sample & 0x7F) + 1 for sample in samples), default=8),
        signed=any(sample & 0x80 for sample in samples),
        profile=profile,
        space=space,
        palette=palette,
        cicp=cicp,
    )
