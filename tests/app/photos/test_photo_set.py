"""Several photos: their names, where their bytes are, and what an address says of them."""

import hashlib
from pathlib import Path

import pytest
from job_pages import png

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.images.photo import read_image
from robustiqa_core.images.photo_file import PhotoFile
from robustiqa_core.images.samples import list_samples
from ui.photos.photo_set import PhotoSet, read_photo_set, sample_file

SAMPLES = {sample.name: sample for sample in list_samples()}
NAMES = tuple(SAMPLES)[:3]


def test_the_core_reads_an_upload_under_its_name_though_it_is_in_no_file() -> None:
    photo = PhotoFile("my cat.png", png((60, 50)))
    assert (str(photo), photo.name) == ("my cat.png", "my cat.png")
    assert read_image(photo).images.shape == (1, 3, 50, 60)


def test_a_photo_of_the_server_is_read_and_the_place_where_it_lies_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png((60, 50)))
    photo = PhotoFile("a.png", tmp_path / "secret.png")
    assert read_image(photo).images.shape == (1, 3, 50, 60)
    assert str(tmp_path) not in f"{photo} {photo!r}"
    with pytest.raises(InputError, match=r"^expected an image file, got b\.png, which is not a file") as raised:
        read_image(PhotoFile("b.png", tmp_path / "gone.png"))
    assert str(tmp_path) not in str(raised.value)


def test_a_sample_has_the_path_that_a_command_in_the_repository_needs() -> None:
    photo = sample_file(SAMPLES[NAMES[0]])
    assert str(photo) == f"assets/samples/{NAMES[0]}.png"
    assert photo.digest == hashlib.sha256(photo.read()).hexdigest()
    assert (Path(__file__).parents[3] / str(photo)).read_bytes() == SAMPLES[NAMES[0]].path.read_bytes()


@pytest.mark.parametrize(
    ("photos", "address"),
    [
        (PhotoSet("samples", NAMES), {"photos": ",".join(NAMES)}),
        (PhotoSet("folder", ("a.png", "b.png")), {"folder": "2"}),
        (PhotoSet("uploads", ("mine.png",), ("0" * 64,)), {}),
    ],
    ids=lambda value: value.source if isinstance(value, PhotoSet) else "",
)
def test_what_an_address_says_of_photos_is_read_again_and_uploads_stay_out_of_it(
    photos: PhotoSet, address: dict[str, str]
) -> None:
    assert photos.address() == address
    expected = {"samples": photos.names, "folder": len(photos.names), "uploads": None}[photos.source]
    assert read_photo_set(address, SAMPLES, most=8) == expected
    assert photos.public == (photos.source != "uploads")


@pytest.mark.parametrize(
    "address",
    [
        {"photos": ""},
        {"photos": "nobody"},
        {"photos": ",".join(NAMES)},
        {"folder": "0"},
        {"folder": "3"},
        {"folder": "x"},
    ],
    ids=str,
)
def test_photos_that_there_are_not_or_too_many_are_refused(address: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="got"):
        read_photo_set(address, SAMPLES, most=2)
