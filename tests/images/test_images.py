"""Decoding of photos of every format: pixels, orientation, reduction, notes; reading them from files."""

import io
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import torch
from image_files import LOSSLESS, encoded, grey_as_rgb, levels_of, random_levels
from PIL import Image, ImageOps

from robustiqa_core.errors import InputError
from robustiqa_core.images import photo as images_module
from robustiqa_core.images.photo import MAX_SIDE, Photo, decode_image, read_image

ORIENTATION = 274


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


@pytest.mark.thorough
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


def test_reading_a_file_names_the_photo_after_it(tmp_path: Path) -> None:
    (tmp_path / "no_ending").write_bytes(encoded(Image.new("RGB", (70, 60)), "BMP"))
    photo = read_image(tmp_path / "no_ending", max_side=35)
    assert (photo.name, photo.format, photo.size) == ("no_ending", "BMP", (35, 30))


def test_reading_what_is_no_photo_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "missing.png", tmp_path):
        with pytest.raises(InputError, match=r"which is not a file; check the path"):
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


def test_a_photo_that_is_too_small_is_told_from_one_that_was_reduced_too_far() -> None:
    small = encoded(Image.new("RGB", (90, 50)), "PNG")
    with pytest.raises(InputError, match=r"at least 64 x 64 px, got 90 x 50; use a larger photo"):
        decode_image(small, min_side=64)
    panorama = encoded(Image.new("RGB", (9000, 1000)), "JPEG")
    with pytest.raises(
        InputError, match=r"got 512 x 57, reduced from 9000 x 1000; raise the work size .* to (\d+) px"
    ) as e:
        decode_image(panorama, max_side=512, min_side=64)
    needed = int(str(e.value).split(" to ")[-1].split()[0])
    assert min(decode_image(panorama, max_side=needed, min_side=64).size) >= 64


@pytest.mark.thorough
def test_a_jpeg_above_80_megapixels_is_reduced_while_it_is_decoded() -> None:
    data = encoded(Image.new("L", (12_000, 7_000), 90), "JPEG")
    photo = decode_image(data)
    assert photo.notes == ("Reduced from 12000 x 7000 to 2048 x 1195 px.",)
    assert photo.original_size == (12_000, 7_000)
    whole = decode_image(data, max_side=20_000)
    assert whole.size == (6_000, 3_500)
    assert "Reduced from 12000 x 7000 to 6000 x 3500 px." in whole.notes
    with pytest.raises(InputError, match="expected at most 80 million pixels"):
        decode_image(encoded(Image.new("1", (12_000, 7_000)), "PNG"))


def test_of_two_exif_segments_the_first_counts() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    once = encoded(Image.fromarray(random_levels(16, 32, 3)), "JPEG", exif=exif.tobytes())
    exif[ORIENTATION] = 3
    body = exif.tobytes()
    second = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    end = once.index(b"\xff\xe1") + 2
    end += int.from_bytes(once[end : end + 2], "big")
    assert decode_image(once[:end] + second + once[end:]).sha256 == decode_image(once).sha256


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["AVIF", "HEIC"])
def test_pictures_that_turn_by_a_box_are_turned_once(file_format: str, orientation: int) -> None:
    y, x = np.mgrid[0:40, 0:60]
    levels = np.stack([x * 4, y * 6, x + y], axis=-1).astype(np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    picture = Image.fromarray(levels)
    if file_format == "AVIF":
        data = encoded(picture, "AVIF", exif=exif.tobytes(), quality=95, subsampling="4:4:4")
    else:
        pillow_heif.register_heif_opener()
        data = encoded(picture, "HEIF", exif=exif.tobytes(), quality=95, chroma=444)
    jpeg = encoded(picture, "PNG", exif=exif.tobytes())
    expected = levels_of(decode_image(jpeg))
    photo = decode_image(data)
    assert photo.original_size == expected.shape[1::-1]
    assert np.abs(levels_of(photo).astype(int) - expected).max() <= 8
