"""Colours of decoded photos: grey, palettes, transparency, CMYK and embedded profiles all become sRGB."""

import struct
import zlib

import numpy as np
import pytest
from image_files import LOSSLESS, encoded, grey_as_rgb, levels_of, random_levels
from PIL import Image, ImageCms

from robustiqa_core.images.photo import decode_image


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP"])
def test_grey_and_1_bit_become_rgb(file_format: str) -> None:
    levels = random_levels(6, 8)
    np.testing.assert_array_equal(
        levels_of(decode_image(encoded(Image.fromarray(levels), file_format))), grey_as_rgb(levels)
    )
    bits = levels > 127
    np.testing.assert_array_equal(
        levels_of(decode_image(encoded(Image.fromarray(bits), file_format))), grey_as_rgb(bits * np.uint8(255))
    )


@pytest.mark.parametrize("file_format", LOSSLESS)
def test_transparency_is_put_on_white(file_format: str) -> None:
    levels = random_levels(6, 8, 4)
    levels[0, 0, 3], levels[0, 1, 3] = 0, 255
    options = {"exact": True} if file_format == "WEBP" else {}
    photo = decode_image(encoded(Image.fromarray(levels), file_format, **LOSSLESS[file_format], **options))
    alpha = levels[..., 3:] / 255
    assert np.abs(levels_of(photo) - (levels[..., :3] * alpha + 255 * (1 - alpha))).max() <= 1
    np.testing.assert_array_equal(levels_of(photo)[0, 0], 255)
    np.testing.assert_array_equal(levels_of(photo)[0, 1], levels[0, 1, :3])
    assert photo.notes == ("Transparent parts were put on white.",)


def test_opaque_alpha_is_dropped_without_a_note() -> None:
    levels = random_levels(6, 8, 4)
    levels[..., 3] = 255
    photo = decode_image(encoded(Image.fromarray(levels), "PNG"))
    np.testing.assert_array_equal(levels_of(photo), levels[..., :3])
    assert photo.notes == ()


def test_palettes_and_their_transparency_are_resolved() -> None:
    picture = Image.new("P", (3, 1))
    picture.putpalette([10, 20, 30, 200, 100, 0, 0, 0, 0])
    picture.putdata([0, 1, 2])
    np.testing.assert_array_equal(
        levels_of(decode_image(encoded(picture, "PNG"))), [[[10, 20, 30], [200, 100, 0], [0, 0, 0]]]
    )
    photo = decode_image(encoded(picture, "PNG", transparency=bytes([255, 0, 51])))
    np.testing.assert_array_equal(levels_of(photo), [[[10, 20, 30], [255, 255, 255], [204, 204, 204]]])
    photo = decode_image(encoded(picture, "PNG", transparency=1))
    np.testing.assert_array_equal(levels_of(photo), [[[10, 20, 30], [255, 255, 255], [0, 0, 0]]])


def png_chunks(width: int, height: int, depth: int, colour: int, rows: list[bytes], key: bytes) -> bytes:
    """A PNG written by hand, with the colour `key` declared transparent (tRNS)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = (chunk(b"IHDR", header), chunk(b"tRNS", key), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png_chunks(2, 1, 8, 0, [bytes([7, 8])], b"\0\7"), [255, 8]),
        (png_chunks(2, 1, 16, 0, [b"\x12\x34\x12\x35"], b"\x12\x34"), [255, 0x12]),
        (png_chunks(4, 1, 2, 0, [0b00011011.to_bytes()], b"\0\1"), [0, 255, 170, 255]),
        (png_chunks(1, 1, 16, 2, [b"\x10\0\x20\0\x30\0"], b"\x10\0\x20\0\x30\0"), [255]),
        (png_chunks(1, 1, 8, 2, [b"\x10\x10\x10"], b"\0\x20\0\x20\0\x30"), [16]),
    ],
    ids=["grey", "16-bit grey", "2-bit grey", "16-bit colour", "another colour"],
)
def test_a_colour_that_png_declares_transparent_becomes_white(data: bytes, expected: list[int]) -> None:
    np.testing.assert_array_equal(levels_of(decode_image(data))[0, :, 0], expected)


def test_cmyk_without_a_profile_is_converted_and_noted() -> None:
    inks = np.array([[[255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 255, 0], [0, 0, 0, 255], [0, 0, 0, 0]]], np.uint8)
    photo = decode_image(encoded(Image.fromarray(inks, "CMYK"), "TIFF"))
    expected = [[[0, 255, 255], [255, 0, 255], [255, 255, 0], [0, 0, 0], [255, 255, 255]]]
    np.testing.assert_array_equal(levels_of(photo), expected)
    assert photo.notes == ("CMYK colours were converted without a profile.",)
    jpeg = decode_image(encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=95))
    np.testing.assert_allclose(levels_of(jpeg).mean(axis=(0, 1)), [0, 255, 255], atol=4)


def icc_profile(space: bytes, curve_tags: tuple[bytes, ...], gamma: float, primaries: dict[bytes, tuple]) -> bytes:
    """A small ICC version 2 display profile: a gamma curve, and for RGB the primaries under D50."""

    def xyz(values: tuple[float, ...]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    tags = {b"wtpt": xyz((0.9642, 1.0, 0.8249)), **{name: xyz(values) for name, values in primaries.items()}}
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", 8) + b"Example\0" + b"\0" * 78
    tags[b"cprt"] = b"text\0\0\0\0none\0"
    for name in curve_tags:
        tags[name] = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    table, body = b"", b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(value))
        body += value + b"\0" * (-len(value) % 4)
    size = 132 + len(table) + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x02100000, b"mntr", space, b"XYZ ")
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


# Display P3 and sRGB primaries under D50 (columns X, Y, Z), as ICC profiles store them.
P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])


def srgb_curve(linear: np.ndarray) -> np.ndarray:
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
def test_a_wide_gamut_profile_is_converted_to_srgb(file_format: str) -> None:
    columns = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(tuple, P3.T), strict=True))
    profile = icc_profile(b"RGB ", (b"rTRC", b"gTRC", b"bTRC"), 2.2, columns)
    levels = random_levels(8, 8, 3)
    photo = decode_image(encoded(Image.fromarray(levels), file_format, icc_profile=profile, **LOSSLESS[file_format]))
    linear = (levels / 255) ** 2.2 @ (np.linalg.inv(SRGB) @ P3).T
    assert np.abs(levels_of(photo) - 255 * srgb_curve(linear)).max() <= 2
    assert photo.notes == ("Colours were converted from the embedded profile (Example) to sRGB.",)


def test_a_grey_profile_is_converted_to_srgb() -> None:
    profile = icc_profile(b"GRAY", (b"kTRC",), 1.0, {})
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    photo = decode_image(encoded(Image.fromarray(levels), "PNG", icc_profile=profile))
    assert np.abs(levels_of(photo) - 255 * srgb_curve(grey_as_rgb(levels) / 255)).max() <= 2
    assert len(photo.notes) == 1


def test_an_srgb_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for levels in (random_levels(8, 8, 3), random_levels(8, 8)):
        photo = decode_image(encoded(Image.fromarray(levels), "PNG", icc_profile=profile))
        np.testing.assert_array_equal(levels_of(photo), levels if levels.ndim == 3 else grey_as_rgb(levels))
        assert photo.notes == ()


@pytest.mark.parametrize("profile", [b"nonsense" * 20, icc_profile(b"GRAY", (b"kTRC",), 1.0, {})])
def test_a_profile_that_does_not_fit_is_noted_and_left_out(profile: bytes) -> None:
    levels = random_levels(8, 8, 3)
    photo = decode_image(encoded(Image.fromarray(levels), "PNG", icc_profile=profile))
    np.testing.assert_array_equal(levels_of(photo), levels)
    assert photo.notes[0].startswith("The colour profile could not be used (")
