"""Colours that no ICC profile names: gAMA, cHRM, cICP, nclx and EXIF are applied, or named in a note, or refused.

Expected values without a formula beside them were read in Chromium.
"""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from image_files import encoded, levels_of, random_levels
from PIL import Image, ImageCms

from robustiqa_core.errors import InputError
from robustiqa_core.images.photo import Photo, decode_image

LEVELS = random_levels(16, 24, 3)
SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
# Linear Display P3 and Adobe RGB to linear sRGB, as published with CSS Color 4.
P3_TO_SRGB = np.array([[1.22494, -0.22494, 0.0], [-0.04206, 1.04206, 0.0], [-0.01964, -0.07864, 1.09827]])
ADOBE_TO_SRGB = np.array([[1.39836, -0.39836, 0.0], [0.0, 1.0, 0.0], [0.0, -0.04293, 1.04293]])


def linear(levels: np.ndarray) -> np.ndarray:
    values = levels / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def encode(light: np.ndarray) -> np.ndarray:
    light = light.clip(0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


P3_LEVELS = encode(linear(LEVELS) @ P3_TO_SRGB.T)
ADOBE_LEVELS = encode((LEVELS / 255) ** (563 / 256) @ ADOBE_TO_SRGB.T)


def png(levels: np.ndarray, **chunks: bytes) -> bytes:
    """A PNG of these levels with chunks behind its head."""
    data = encoded(Image.fromarray(levels), "PNG")
    extra = b"".join(
        struct.pack(">I", len(body)) + kind.encode() + body + struct.pack(">I", zlib.crc32(kind.encode() + body))
        for kind, body in chunks.items()
    )
    return data[:33] + extra + data[33:]


def gama(value: float) -> bytes:
    return struct.pack(">I", round(value * 100_000))


def chrm(values: tuple[float, ...]) -> bytes:
    return struct.pack(">8I", *(round(value * 100_000) for value in values))


def grey_of(photo: Photo) -> list[int]:
    return levels_of(photo)[0, :, 0].tolist()


GREYS = np.repeat(np.array([[5, 32, 64, 128, 200, 250]], np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("chunks", "greys"),
    [
        ({"gAMA": gama(1.0)}, [38, 99, 137, 188, 229, 253]),
        ({"gAMA": gama(0.55556)}, [3, 43, 81, 146, 210, 251]),
        ({"gAMA": gama(0.45455)}, [5, 32, 64, 128, 200, 250]),
        ({"gAMA": gama(0.45455), "cHRM": chrm(SRGB)}, [1, 26, 62, 129, 201, 250]),
        ({"cHRM": chrm(P3)}, [5, 32, 64, 128, 200, 250]),
        ({"sRGB": b"\0", "gAMA": gama(1.0)}, [5, 32, 64, 128, 200, 250]),
        ({"cICP": bytes([1, 8, 0, 1])}, [38, 99, 137, 188, 229, 253]),
        ({"cICP": bytes([1, 1, 0, 1])}, [0, 20, 54, 121, 197, 250]),
        ({"cICP": bytes([1, 4, 0, 1])}, [1, 26, 62, 129, 201, 250]),
        ({"cICP": bytes([1, 7, 0, 1])}, [15, 50, 81, 141, 206, 251]),
        ({"cICP": bytes([12, 13, 0, 1]), "gAMA": gama(1.0)}, [5, 32, 64, 128, 200, 250]),
        ({"cICP": bytes([2, 2, 0, 1]), "gAMA": gama(1.0)}, [38, 99, 137, 188, 229, 253]),
    ],
    ids=str,
)
def test_greys_are_those_that_chromium_shows(chunks: dict[str, bytes], greys: list[int]) -> None:
    photo = decode_image(png(GREYS, **chunks))
    assert np.abs(np.subtract(grey_of(photo), greys)).max() <= 1
    assert bool(photo.notes) == (grey_of(photo) != GREYS[0, :, 0].tolist() or chunks.get("cICP", b"")[:1] == b"\x0c")


@pytest.mark.parametrize(
    ("primaries", "red"), [(5, [131, 0, 0]), (6, [124, 12, 0]), (9, [161, 0, 0]), (11, [137, 0, 0]), (12, [141, 0, 0])]
)
def test_primaries_are_those_that_chromium_shows(primaries: int, red: list[int]) -> None:
    photo = decode_image(png(np.array([[[128, 0, 0]]], np.uint8), cICP=bytes([primaries, 13, 0, 1])))
    assert np.abs(levels_of(photo)[0, 0].astype(int) - red).max() <= 1
    assert photo.notes[0].startswith("Colours were converted from ")
    assert photo.notes[0].endswith(" (cICP) to sRGB.")


def test_display_p3_is_converted_wherever_it_is_said() -> None:
    heif = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(LEVELS)).save(
        heif, quality=-1, chroma=444, matrix_coefficients=0, color_primaries=12, transfer_characteristic=13
    )
    avif = imagecodecs.avif_encode(LEVELS, level=100, pixelformat="444", primaries=12, transfer=13, matrix=0)
    for data in (png(LEVELS, cICP=bytes([12, 13, 0, 1])), avif, heif.getvalue()):
        photo = decode_image(data)
        assert np.abs(levels_of(photo) - P3_LEVELS).max() <= 2
        assert "Display P3" in photo.notes[0]


def exif_of(space: int, rule: str | None = None) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = space
    if rule is not None:
        exif.get_ifd(0x8769)[0xA005] = {1: rule}
    return exif.tobytes()


# Pillow writes no interoperability rules into a TIFF.
@pytest.mark.parametrize(
    ("kind", "said"),
    [("PNG", (2, None)), ("WEBP", (2, None)), ("TIFF", (2, None)), ("PNG", (0xFFFF, "R03")), ("WEBP", (0xFFFF, "R03"))],
)
def test_adobe_rgb_that_exif_names_is_converted(kind: str, said: tuple[int, str | None]) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    photo = decode_image(encoded(Image.fromarray(LEVELS), kind, exif=exif_of(*said), **options))
    assert np.abs(levels_of(photo) - ADOBE_LEVELS).max() <= 1
    assert photo.notes == ("Colours were converted from Adobe RGB (EXIF) to sRGB.",)


def test_a_jpeg_is_treated_alike_whether_exif_names_adobe_rgb_or_a_profile_does() -> None:
    smooth = Image.fromarray(np.linspace(0, 255, 32 * 32 * 3).reshape(32, 32, 3).astype(np.uint8))
    plain = decode_image(encoded(smooth, "JPEG", quality=95))
    photo = decode_image(encoded(smooth, "JPEG", quality=95, exif=exif_of(0xFFFF, "R03")))
    expected = encode((levels_of(plain) / 255) ** (563 / 256) @ ADOBE_TO_SRGB.T)
    assert np.abs(levels_of(photo) - expected).max() <= 1
    uncalibrated = decode_image(encoded(smooth, "JPEG", quality=95, exif=exif_of(0xFFFF)))
    assert uncalibrated.sha256 == plain.sha256
    assert uncalibrated.notes == ("EXIF names no colour space that is known; the colours were taken for sRGB.",)
    assert decode_image(encoded(smooth, "JPEG", quality=95, exif=exif_of(1, "R98"))).notes == ()


@pytest.mark.parametrize(("transfer", "word"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused_by_name(transfer: int, word: str) -> None:
    avif = imagecodecs.avif_encode(LEVELS, level=100, pixelformat="444", primaries=9, transfer=transfer, matrix=9)
    for data in (png(LEVELS, cICP=bytes([9, transfer, 0, 1])), avif):
        with pytest.raises(InputError, match=rf"got an HDR photo \({word}\); export it as SDR"):
            decode_image(data)


def test_a_profile_overrules_all_other_marks() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(Image.fromarray(LEVELS), "PNG", icc_profile=profile, exif=exif_of(2))
    mark = b"cICP" + bytes([12, 13, 0, 1])
    data = data[:33] + struct.pack(">I", 4) + mark + struct.pack(">I", zlib.crc32(mark)) + data[33:]
    photo = decode_image(data)
    np.testing.assert_array_equal(levels_of(photo), LEVELS)
    assert photo.notes == ()


@pytest.mark.parametrize(
    "chunks",
    [
        {"gAMA": b"\0\0\0\0"},
        {"gAMA": b"\xff\xff\xff\xff"},
        {"gAMA": b"\0\1"},
        {"cICP": bytes([12, 13, 1, 1])},
        {"gAMA": gama(0.45455), "cHRM": b"\0" * 32},
        {"gAMA": gama(0.45455), "cHRM": chrm((0.3, 0.3) * 4)},
    ],
    ids=str,
)
def test_nonsense_in_a_colour_chunk_is_passed_over(chunks: dict[str, bytes]) -> None:
    np.testing.assert_array_equal(levels_of(decode_image(png(LEVELS, **chunks))), LEVELS)


def test_code_points_that_nobody_knows_are_noted() -> None:
    (note,) = decode_image(png(LEVELS, cICP=bytes([99, 13, 0, 1]))).notes
    assert note.startswith("Colours are marked with code points that are not known (99, 13)")


def test_narrow_range_is_widened() -> None:
    photo = decode_image(
        png(np.array([[[16] * 3, [235] * 3, [0] * 3, [255] * 3]], np.uint8), cICP=bytes([1, 13, 0, 0]))
    )
    assert grey_of(photo) == [0, 255, 0, 255]
    assert "narrow range" in photo.notes[0]


def test_a_gain_map_is_noted() -> None:
    base = encoded(Image.fromarray(LEVELS), "JPEG")
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/' hdrgm:Version='1.0'/>"
    data = base[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + base[2:]
    assert decode_image(data).notes == ("The HDR version in the file is not used.",)
