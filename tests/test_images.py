"""Decoding of every kind of photo, colours and notes; PNG and the grid of 8-bit values."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from robustiqa_core import images as images_module
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.images import (
    MAX_SIDE,
    Photo,
    amplify,
    decode_image,
    encode_png,
    preview_png,
    read_image,
    round_to_8bit,
    to_8bit,
)

ORIENTATION = 274
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}}


def random_levels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=file_format, **options)
    return buffer.getvalue()


def tiff_encoded(values: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def levels_of(photo: Photo) -> np.ndarray:
    """The photo as uint8 (H, W, 3)."""
    return to_8bit(photo.images[0]).permute(1, 2, 0).numpy()


def grey_as_rgb(levels: np.ndarray) -> np.ndarray:
    return np.repeat(levels[..., None], 3, axis=-1)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "BMP"])
def test_lossless_files_come_back_bit_for_bit(file_format: str) -> None:
    levels = random_levels(9, 14, 3)
    photo = decode_image(encoded(Image.fromarray(levels), file_format, **LOSSLESS.get(file_format, {})), name="a.jpg")
    assert photo.images.shape == (1, 3, 9, 14)
    assert photo.images.dtype == torch.float32
    assert photo.format.upper() == file_format
    assert (photo.name, photo.notes, photo.original_size, photo.size) == ("a.jpg", (), (14, 9), (14, 9))
    np.testing.assert_array_equal(levels_of(photo), levels)
    assert torch.equal(photo.images, torch.from_numpy(levels).permute(2, 0, 1)[None].float() / 255)


def test_jpeg_is_decoded_close_to_the_original() -> None:
    smooth = np.linspace(0, 255, 32 * 48, dtype=np.uint8).reshape(32, 48)
    photo = decode_image(encoded(Image.fromarray(grey_as_rgb(smooth)), "JPEG", quality=95))
    assert photo.format == "JPEG"
    assert np.abs(levels_of(photo).astype(int) - grey_as_rgb(smooth)).max() <= 12


def test_equal_pixels_have_equal_digests_whatever_the_file() -> None:
    picture = Image.fromarray(random_levels(6, 5, 3))
    digests = {decode_image(encoded(picture, kind, **options)).sha256 for kind, options in LOSSLESS.items()}
    assert len(digests) == 1
    turned = decode_image(encoded(Image.fromarray(np.asarray(picture).reshape(5, 6, 3)), "PNG"))
    assert turned.sha256 not in digests


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", LOSSLESS)
def test_exif_orientation_is_applied(file_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encoded(Image.fromarray(random_levels(4, 7, 3)), file_format, exif=exif.tobytes(), **LOSSLESS[file_format])
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    photo = decode_image(data)
    np.testing.assert_array_equal(levels_of(photo), np.asarray(upright))
    assert photo.original_size == upright.size
    assert bool(photo.notes) == (orientation != 1)


def test_exif_orientation_of_a_jpeg_is_applied() -> None:
    levels = np.zeros((16, 32, 3), np.uint8)
    levels[:, :16] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    photo = decode_image(encoded(Image.fromarray(levels), "JPEG", exif=exif.tobytes()))
    assert photo.size == photo.original_size == (16, 32)
    assert photo.images[..., :16, :].mean() > 0.95
    assert photo.images[..., 16:, :].mean() < 0.05
    assert photo.notes == ("Turned upright, as its EXIF data ask.",)


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


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
def test_of_several_pictures_the_first_is_taken_and_noted(file_format: str) -> None:
    first, *others = (Image.fromarray(random_levels(12, 10, 3, seed=seed)) for seed in range(3))
    data = encoded(first, file_format, save_all=True, append_images=others, **LOSSLESS[file_format])
    photo = decode_image(data)
    np.testing.assert_array_equal(levels_of(photo), np.asarray(first))
    assert photo.notes == ("Only the first of several pictures in the file is used.",)


def test_one_pixel_is_a_photo() -> None:
    photo = decode_image(encoded(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG"))
    np.testing.assert_array_equal(levels_of(photo), [[[1, 2, 3]]])


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_8000_px_are_reduced_and_noted(file_format: str) -> None:
    data = encoded(Image.new("L", (8000, 8000), 100), file_format)
    photo = decode_image(data)
    assert photo.size == (MAX_SIDE, MAX_SIDE)
    assert photo.original_size == (8000, 8000)
    assert photo.notes == ("Reduced from 8000 x 8000 to 2048 x 2048 px.",)
    assert (levels_of(photo) == 100).all()


@pytest.mark.parametrize(("size", "reduced"), [((300, 200), (90, 60)), ((200, 300), (60, 90)), ((300, 1), (90, 1))])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_reduction_keeps_the_proportions(file_format: str, size: tuple[int, int], reduced: tuple[int, int]) -> None:
    photo = decode_image(encoded(Image.new("RGB", size), file_format), max_side=90)
    assert photo.size == reduced
    assert decode_image(encoded(Image.new("RGB", size), file_format), max_side=300).notes == ()


def test_reduction_is_lanczos() -> None:
    picture = Image.fromarray(random_levels(60, 40, 3))
    expected = np.asarray(picture.resize((20, 30), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(levels_of(decode_image(encoded(picture, "PNG"), max_side=30)), expected)


def test_reduction_and_rotation_note_the_upright_sizes() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 8
    photo = decode_image(encoded(Image.new("RGB", (40, 20)), "JPEG", exif=exif.tobytes()), max_side=10)
    assert photo.original_size == (20, 40)
    assert photo.notes[-1] == "Reduced from 20 x 40 to 5 x 10 px."


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


def test_reading_a_file_names_the_photo_after_it(tmp_path: Path) -> None:
    (tmp_path / "no_ending").write_bytes(encoded(Image.new("RGB", (70, 60)), "BMP"))
    photo = read_image(tmp_path / "no_ending", max_side=35)
    assert (photo.name, photo.format, photo.size) == ("no_ending", "BMP", (35, 30))


def test_reading_what_is_no_photo_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "missing.png", tmp_path):
        with pytest.raises(InputError, match=r"which is no file; check the path"):
            read_image(path)
    text = tmp_path / "notes.png"
    text.write_text("hello")
    with pytest.raises(InputError, match=r"notes\.png: expected .* got a text file"):
        read_image(text)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"notes\.png \(Permission denied\); check its permissions"):
        read_image(text)


def test_files_above_the_byte_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_module, "MAX_BYTES", 1_000_000)
    path = tmp_path / "large.bmp"
    path.write_bytes(encoded(Image.new("RGB", (600, 600)), "BMP"))
    with pytest.raises(InputError, match="expected a file of at most 1 MB, got a larger one"):
        read_image(path)
    assert decode_image(encoded(Image.new("RGB", (600, 500)), "BMP")).size == (600, 500)


def test_a_photo_is_one_image_in_range() -> None:
    for images in (torch.zeros(2, 3, 4, 4), torch.zeros(3, 4, 4), torch.full((1, 3, 4, 4), 2.0)):
        with pytest.raises(InputError):
            Photo(images, "name", "PNG", (4, 4), (), "")


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 1000))
def test_png_keeps_every_8_bit_image(height: int, width: int, seed: int) -> None:
    levels = torch.from_numpy(random_levels(3, height, width, seed=seed))
    image = levels.float() / 255
    for argument in (image, image[None]):
        photo = decode_image(encode_png(argument))
        assert torch.equal(photo.images[0], image)
        assert photo.notes == ()


def test_png_rounds_to_the_nearest_level() -> None:
    image = torch.tensor([0.0, 0.4, 0.6, 254.4, 254.6, 255.0]).div(255).expand(3, 1, 6)
    assert levels_of(decode_image(encode_png(image)))[0, :, 0].tolist() == [0, 0, 1, 254, 255, 255]


@pytest.mark.parametrize(
    "image", [torch.zeros(2, 3, 4, 4), torch.zeros(4, 4), torch.full((3, 4, 4), 1.5), torch.zeros(3, 4, 4).byte()]
)
def test_what_is_not_one_image_is_not_encoded(image: torch.Tensor) -> None:
    for encode in (encode_png, preview_png):
        with pytest.raises(InputError):
            encode(image)


def test_preview_is_reduced_but_never_enlarged() -> None:
    image = torch.rand(1, 3, 30, 60)
    assert decode_image(preview_png(image, 20)).size == (20, 10)
    assert torch.equal(decode_image(preview_png(image, 512)).images, round_to_8bit(image))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_rounding_to_8_bits_keeps_the_grid_and_the_dtype(dtype: torch.dtype) -> None:
    levels = torch.arange(256)
    grid = (levels.float() / 255).to(dtype)
    assert torch.equal(to_8bit(grid), levels.byte())
    assert torch.equal(round_to_8bit(grid), grid)
    values = torch.rand(1000, generator=torch.Generator().manual_seed(0)).to(dtype)
    rounded = round_to_8bit(values)
    assert rounded.dtype == dtype
    assert torch.equal(round_to_8bit(rounded), rounded)
    assert (rounded - values).abs().max() <= 0.5 / 255 + torch.finfo(dtype).eps


def test_rounding_reads_no_value_and_changes_no_input() -> None:
    assert round_to_8bit(torch.rand(1, 3, 4, 4, device="meta")).shape == (1, 3, 4, 4)
    images = torch.tensor([0.3, -0.5, 1.5], requires_grad=True)
    assert to_8bit(images).tolist() == [76, 0, 255]
    assert images.tolist() == pytest.approx([0.3, -0.5, 1.5])


def test_amplified_perturbation_is_signed_round_mid_grey() -> None:
    perturbation = torch.tensor([[-1.0, -4 / 255, 0.0, 4 / 255, 1.0]])
    assert amplify(perturbation, 10).tolist()[0] == pytest.approx([0.0, 0.5 - 40 / 255, 0.5, 0.5 + 40 / 255, 1.0])
    for gain in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigurationError, match="gain"):
            amplify(perturbation, gain)
