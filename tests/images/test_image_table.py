"""Every accepted kind of file, read by us and by decoders of others: all see the same picture."""

import io
import itertools
import re
from collections.abc import Callable
from functools import cache

import av
import imagecodecs
import numpy as np
import pytest
import tifffile
from image_files import levels_of
from image_table import HEIGHT, WIDTH, Row, all_rows, marked_files, refused_files
from PIL import Image

from robustiqa_core.errors import InputError
from robustiqa_core.images.kinds import FORMATS
from robustiqa_core.images.photo import decode_image

ROWS = all_rows()


def rows_of(kind: str) -> list[Row]:
    longer = tuple(other for other in FORMATS if other.startswith(kind) and other != kind)
    return [row for row in ROWS if row.name.startswith(kind) and not (longer and row.name.startswith(longer))]


@cache
def ours(row_name: str) -> np.ndarray:
    return levels_of(decode_image(next(row.data for row in ROWS if row.name == row_name)))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_kind_of_file_is_read_as_it_was_stored(kind: str) -> None:
    rows = rows_of(kind)
    assert rows
    errors = {row.name: np.abs(ours(row.name) - row.levels()).max() for row in rows}
    assert not {row.name: errors[row.name] for row in rows if errors[row.name] > row.error + 0.5}


def seen_by_tifffile(data: bytes) -> np.ndarray:
    values = tifffile.imread(io.BytesIO(data))
    planar = values.ndim == 3 and values.shape[1:] == (HEIGHT, WIDTH)
    return np.moveaxis(values, 0, 2) if planar else values


def seen_by_ffmpeg(data: bytes) -> np.ndarray:
    with av.open(io.BytesIO(data)) as file:
        frame = next(file.decode(video=0))
    # The codecs of HEIC fill up to whole blocks; the box that says where the picture ends is left to the reader.
    return frame.to_ndarray(format="rgb24")[:HEIGHT, :WIDTH]


def seen_by_pillow(data: bytes) -> np.ndarray:
    """For PNM, which we read ourselves."""
    picture = Image.open(io.BytesIO(data))
    return (np.asarray(picture) >> 8).astype(np.uint8) if picture.mode == "I" else np.asarray(picture.convert("RGB"))


OTHERS: dict[str, dict[str, Callable[[bytes], np.ndarray]]] = {
    "JPEG": {"imagecodecs": imagecodecs.jpeg8_decode, "ffmpeg": seen_by_ffmpeg},
    "PNG": {"imagecodecs": imagecodecs.png_decode, "ffmpeg": seen_by_ffmpeg},
    "WebP": {"imagecodecs": imagecodecs.webp_decode, "ffmpeg": seen_by_ffmpeg},
    "AVIF": {"imagecodecs": imagecodecs.avif_decode, "ffmpeg": seen_by_ffmpeg},
    "HEIC": {"ffmpeg": seen_by_ffmpeg},
    "TIFF": {"tifffile": seen_by_tifffile},
    "BMP": {"imagecodecs": imagecodecs.bmp_decode, "ffmpeg": seen_by_ffmpeg},
    "GIF": {"imagecodecs": imagecodecs.gif_decode, "ffmpeg": seen_by_ffmpeg},
    "JPEG 2000": {"imagecodecs": imagecodecs.jpeg2k_decode, "ffmpeg": seen_by_ffmpeg},
    "PNM": {"Pillow": seen_by_pillow, "ffmpeg": seen_by_ffmpeg},
}
# What ffmpeg shows apart from the picture: alpha by itself, text in place of pixels, grey of few bits.
FFMPEG_CANNOT = re.compile(r"alpha|rgba|[24] channels|PNM P[123]|JPEG 2000 [1246] bits|\b1[02] bits")


@pytest.mark.parametrize("kind", FORMATS)
def test_decoders_of_others_see_the_same(kind: str) -> None:
    wrong = {}
    for (name, see), row in itertools.product(OTHERS[kind].items(), rows_of(kind)):
        if name == "ffmpeg" and FFMPEG_CANNOT.search(row.name):
            continue
        values = see(row.data)
        bits = 8 if values.dtype == np.uint8 else 16 if values.max() >= 2**row.bits else row.bits
        if row.bits < 8 or ("JPEG 2000" in row.name and values.max() < 64):
            values = (values.astype(int) * 255 // values.max()).astype(np.uint8)
        theirs = Row(row.name, b"", values, bits, row.alpha if values.shape[2:] in ((2,), (4,)) else "").levels()
        # Decoders round the way from 4:2:0, from more bits and from YCbCr differently.
        if theirs.shape != ours(row.name).shape or np.abs(theirs - ours(row.name)).max() > row.error + 1.5:
            wrong[f"{row.name} by {name}"] = theirs.shape
    assert not wrong


@pytest.mark.parametrize("kind", refused_files())
def test_a_file_of_an_unusual_kind_is_called_unsupported_and_not_damaged(kind: str) -> None:
    with pytest.raises(InputError, match="not supported; save it as PNG or JPEG"):
        decode_image(refused_files()[kind])


@pytest.mark.parametrize("name", marked_files())
def test_what_a_file_says_of_its_colours_is_applied_or_told_and_hdr_is_refused(name: str) -> None:
    data, told = marked_files()[name]
    if told in ("PQ", "HLG"):
        with pytest.raises(InputError, match=rf"HDR photo \({told}\)"):
            decode_image(data)
        return
    notes = [note for note in decode_image(data).notes if "colours" in note.lower()]
    assert (told in " ".join(notes)) if told else not notes
