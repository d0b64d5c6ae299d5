from collections.abc import Callable
from pathlib import Path

import pytest

from robustiqa_core.errors import InputError
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.tables import DATASETS, read_biq2021, read_koniq10k, read_table


def table(tmp_path: Path, text: str) -> Path:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(b"")
    path = tmp_path / "scores.csv"
    path.write_text(text)
    return path


def test_a_table_of_file_mos_split_is_read(tmp_path: Path) -> None:
    photos = read_table(table(tmp_path, "file,mos,split\na.png,0.5,test\nb.png,1,\n"), tmp_path)
    assert [(photo.mos, photo.split) for photo in photos] == [(0.5, "test"), (1.0, "train")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text,mos\na.png,1\n", "add file"),
        ("file,mos\na.png,good\n", "line 2.*finite number"),
        ("file,mos\na.png,nan\n", "line 2.*finite number"),
        ("file,mos\na.png\n", "line 2.*finite number"),
        ("file,mos,split\na.png,1,dev\n", "line 2.*train, validation, test"),
        ("file,mos\nc.png,1\n", r"line 2.*photo at .*c\.png"),
        ("file,mos\na.png,1\n./a.png,1\n", "line 3: expected each photo once"),
        ("file,mos\na.png,1\na,1\n", "line 3: expected each photo once"),
        ("file,mos\n", "at least one line"),
    ],
)
def test_a_faulty_table_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_table(table(tmp_path, text), tmp_path)


def test_biq2021_is_read_from_its_repository_layout(tmp_path: Path) -> None:
    images = tmp_path / "Images"
    images.mkdir()
    (images / "ss01 (1).JPG").write_bytes(b"")
    (images / "ss01 (2).jpg").write_bytes(b"")
    (tmp_path / "Train (Images and MOS).csv").write_text("Image Name,MOS,,\nss01 (1).jpg,0.25,,\n")
    with pytest.raises(InputError, match="Test"):
        read_biq2021(tmp_path)
    (tmp_path / "Test (Images and MOS).csv").write_text("Image Name,MOS\nss01 (2).jpg,0.75\n")
    photos = read_biq2021(tmp_path)
    assert [(photo.path.name, photo.mos, photo.split) for photo in photos] == [
        ("ss01 (1).JPG", 0.25, "train"),
        ("ss01 (2).jpg", 0.75, "test"),
    ]


HEADER = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set"
# Three lines of the published table.
LINES = (
    "10004473376.jpg,0.0,0.0,0.238095238095,0.695238095238,0.0666666666667,105,77.3836206897,0.527277894494,training",
    "10007357496.jpg,0.0,0.03125,0.46875,0.489583333333,0.0104166666667,96,68.7285714286,0.580003024795,test",
    "10043785683.jpg,0.0,0.0,0.433962264151,0.566037735849,0.0,106,71.2043269231,0.497974333332,validation",
)


def koniq(root: Path, *lines: str, folders: tuple[str, ...] = ("512x384",), header: str = HEADER) -> Path:
    for folder in folders:
        (root / folder).mkdir()
        for line in LINES:
            (root / folder / line.split(",")[0]).write_bytes(b"")
    (root / "koniq10k_distributions_sets.csv").write_text("\n".join((header, *lines)) + "\n")
    return root


def test_koniq10k_is_read_with_its_official_split(tmp_path: Path) -> None:
    photos = read_koniq10k(koniq(tmp_path, *LINES))
    assert [(photo.path.name, photo.mos, photo.split) for photo in photos] == [
        ("10004473376.jpg", 77.3836206897, "train"),
        ("10007357496.jpg", 68.7285714286, "test"),
        ("10043785683.jpg", 71.2043269231, "validation"),
    ]
    assert {photo.path.parent.name for photo in photos} == {"512x384"}


def test_the_larger_photos_of_koniq10k_are_taken_where_both_are_there(tmp_path: Path) -> None:
    photos = read_koniq10k(koniq(tmp_path, *LINES, folders=("512x384", "1024x768")))
    assert {photo.path.parent.name for photo in photos} == {"1024x768"}


Change = Callable[[Path], object]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: None, r"koniq10k_distributions_sets\.csv.*--root"),
        (lambda root: koniq(root, *LINES, folders=()), "1024x768 or 512x384.*neither"),
        (lambda root: koniq(root, header="image_name,MOS"), "add set"),
        (lambda root: koniq(root), "at least one line"),
        (lambda root: koniq(root, LINES[0].replace("training", "train")), "line 2: set is one of training"),
        (lambda root: koniq(root, LINES[0], LINES[1].replace("68.7285714286", "good")), "line 3.*finite number"),
        (lambda root: koniq(root, LINES[0].replace("10004473376", "other")), r"line 2.*photo at .*other\.jpg"),
    ],
)
def test_a_faulty_copy_of_koniq10k_is_refused_with_the_place(make: Change, message: str, tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(InputError, match=message):
        read_koniq10k(tmp_path)


def test_every_public_data_set_says_where_its_folder_should_be(tmp_path: Path) -> None:
    assert {name: data.mos_range for name, data in DATASETS.items()} == {
        "biq2021": ScoreRange(0.0, 1.0),
        "koniq10k": ScoreRange(1.0, 100.0),
        "livec": ScoreRange(0.0, 100.0),
        "demo": ScoreRange(0.0, 100.0),
    }
    for data in DATASETS.values():
        with pytest.raises(InputError, match="--root"):
            data.read(tmp_path)
