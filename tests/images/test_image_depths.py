"""Values of more than 8 bits, and the layouts, compressions and kinds of samples of TIFF."""

import io
import struct

import numpy as np
import pytest
import tifffile
from image_files import encoded, grey_as_rgb, levels_of, random_levels
from PIL import Image

from robustiqa_core.errors import InputError
from robustiqa_core.images.photo import decode_image


def tiff_encoded(values: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("factor", [256, 257])
def test_16_bit_values_are_scaled_and_not_clipped(factor: int) -> None:
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    colour = np.stack([levels, levels.T, 255 - levels], axis=-1)
    for data in (
        encoded(Image.fromarray(levels * factor), "PNG"),
        tiff_encoded(levels * factor),
        tiff_encoded(levels * factor, byteorder=">"),
        tiff_encoded((65535 - levels * factor).astype(np.uint16), photometric="miniswhite"),
        tiff_encoded(levels * factor, bigtiff=True),
    ):
        photo = decode_image(data)
        np.testing.assert_array_equal(levels_of(photo), grey_as_rgb(levels))
        assert photo.notes == ("16-bit values were reduced to 8 bits.",)
    for order in "<>":
        data = tiff_encoded((colour * factor).astype(np.uint16), photometric="rgb", byteorder=order)
        np.testing.assert_array_equal(levels_of(decode_image(data)), colour)


def test_12_bit_tiff_is_scaled() -> None:
    packed = bytes.fromhex("000800FFF010")
    tags = [(256, 4), (257, 1), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, len(packed))]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    data = b"II*\0" + struct.pack("<I", 14) + packed + struct.pack("<H", len(tags)) + directory + b"\0\0\0\0"
    np.testing.assert_array_equal(levels_of(decode_image(data))[0, :, 0], [0, 128, 255, 1])


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (np.zeros((4, 4), np.float32), "floating-point"),
        (np.zeros((4, 4, 3), np.float16), "floating-point"),
        (np.zeros((4, 4), np.int16), "signed"),
        (np.zeros((4, 4), np.uint32), "32-bit"),
    ],
)
def test_tiff_samples_that_have_no_known_scale_are_refused(values: np.ndarray, word: str) -> None:
    with pytest.raises(InputError, match=f"got {word} values; save it with 8 or 16 bits"):
        decode_image(tiff_encoded(values, photometric="rgb" if values.ndim == 3 else "minisblack"))


@pytest.mark.parametrize("options", [{"tile": (16, 16)}, {"planarconfig": "separate"}], ids=["tiles", "planes"])
def test_tiff_layouts_are_read(options: dict[str, object]) -> None:
    levels = random_levels(20, 24, 3)
    stored = np.moveaxis(levels, 2, 0) if "planarconfig" in options else levels
    np.testing.assert_array_equal(levels_of(decode_image(tiff_encoded(stored, photometric="rgb", **options))), levels)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_compressions_are_read(compression: str) -> None:
    levels = random_levels(20, 24, 3)
    data = encoded(Image.fromarray(levels), "TIFF", compression=compression)
    np.testing.assert_array_equal(levels_of(decode_image(data)), levels)
