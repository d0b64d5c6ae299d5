"""The photos that the product ships: all there, credited, of one kind, and the ones that the table describes."""

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.images.photo import read_image
from robustiqa_core.images.samples import SOURCES, SamplePhoto, list_samples, sample_path

SAMPLES = list_samples()
LICENCES = {"CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-SA-3.0", "Public domain"}


def test_there_are_enough_photos_and_they_are_small() -> None:
    assert 20 <= len(SAMPLES) <= 24
    assert len({sample.name for sample in SAMPLES}) == len(SAMPLES)
    assert sum(sample.path.stat().st_size for sample in SAMPLES) < 10_000_000


def test_every_file_is_listed() -> None:
    folder = SAMPLES[0].path.parent
    listed = {sample.path.name for sample in SAMPLES} | {SOURCES, "README.md"}
    assert {path.name for path in folder.iterdir()} == listed


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_photo_is_the_one_that_the_table_describes(sample: SamplePhoto) -> None:
    assert hashlib.sha256(sample.path.read_bytes()).hexdigest() == sample.sha256
    assert sample.name.replace("_", "").isalpha()
    assert sample.name.islower()
    assert sample.licence in LICENCES
    assert sample.licence_url.startswith("https://")
    if sample.licence.startswith("CC"):
        assert "creativecommons.org" in sample.licence_url
    for words in (sample.title, sample.author, sample.licence, sample.licence_url, sample.changes):
        assert words in sample.credit


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_photo_decodes_as_it_is(sample: SamplePhoto) -> None:
    photo = read_image(sample.path)
    assert photo.notes == ()
    assert photo.format == "PNG"
    assert max(photo.size) <= 512
    assert min(photo.size) >= 256
    with Image.open(sample.path) as picture:
        assert picture.mode == "RGB"
        assert picture.info == {}


def test_the_path_of_a_sample_is_found_by_its_name() -> None:
    assert sample_path("cat") == SAMPLES[0].path.parent / "cat.png"
    with pytest.raises(ConfigurationError, match=r"got 'dog'; choose one of astronaut, .*two_dogs_at_a_window"):
        sample_path("dog")


def test_a_package_without_its_assets_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"restore the folder assets/samples from the repository"):
        list_samples(tmp_path)


def test_a_table_with_other_columns_or_without_credit_is_refused(tmp_path: Path) -> None:
    (tmp_path / SOURCES).write_text("file,title\na.png,A\n")
    with pytest.raises(InputError, match=r"expected the columns file, title, author, .* got file, title; restore it"):
        list_samples(tmp_path)
    header = (SAMPLES[0].path.parent / SOURCES).read_text().splitlines()[0]
    (tmp_path / SOURCES).write_text(f"{header}\na.png,Title,,package,a.jpg,CC0-1.0,https://example.org,none,00\n")
    with pytest.raises(InputError, match="expected 'author' of sample photo 'a' to be filled in"):
        list_samples(tmp_path)
