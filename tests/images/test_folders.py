"""Folders of photos: what is taken, and what is left out of them, by name and with the reason."""

import os
from pathlib import Path

import pytest
from image_files import encoded
from PIL import Image

from robustiqa_core.cli.options import photos_named
from robustiqa_core.errors import InputError
from robustiqa_core.evaluation.tables.photos import find_photos
from robustiqa_core.images.folders import list_folder

PICTURE = Image.new("RGB", (80, 70), (90, 120, 150))
NOT_READ = {
    "a.jxl": (b"\xff\x0a\x00", "a JPEG XL image"),
    "b.psd": (b"8BPS\0\1", "a Photoshop file"),
    "c.NEF": (b"MM\0*\0\0\0\x08", "a raw camera file"),
    "d.svg": (b"<svg/>", "an SVG drawing"),
    "e_without_ending": (b"v/1\1\2\0\0\0", "an OpenEXR image"),
    "f.cr3": (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a raw camera file"),
    "g.bin": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf", "a HEIF image with a codec"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("2.png", "10.PNG", "1.jfif", "named_wrongly.dat"):
        (tmp_path / name).write_bytes(encoded(PICTURE, "PNG"))
    for name in ("mos.csv", "readme.md", "Thumbs.db", ".DS_Store"):
        (tmp_path / name).write_bytes(b"image,mos\n")
    return tmp_path


def test_photos_are_taken_by_ending_or_content_and_what_looks_like_none_is_not_named(folder: Path) -> None:
    listing = list_folder(folder)
    assert [path.name for path in listing.photos] == ["1.jfif", "10.PNG", "2.png", "named_wrongly.dat"]
    assert listing.left_out == ()


@pytest.mark.parametrize("name", NOT_READ)
def test_an_image_that_is_not_read_is_left_out_by_name(folder: Path, name: str) -> None:
    data, words = NOT_READ[name]
    (folder / name).write_bytes(data)
    (left,) = list_folder(folder).left_out
    assert left.path == folder / name
    assert left.reason.startswith(f"it is {words}")
    assert "save it as JPEG or PNG" in left.reason


def test_hidden_photos_broken_links_and_folders_with_photos_are_left_out_by_name(folder: Path) -> None:
    (folder / "._2.png").write_bytes(b"\0\5\x16\7\0\2\0\0")
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    for inner, file in (("more", "3.png"), ("results", "table.csv"), (".cache", "4.png")):
        (folder / inner).mkdir()
        (folder / inner / file).write_bytes(encoded(PICTURE, "PNG"))
    reasons = {left.path.name: left.reason for left in list_folder(folder).left_out}
    assert set(reasons) == {"._2.png", "gone.jpg", "more"}
    assert "dot" in reasons["._2.png"]
    assert "link to none" in reasons["gone.jpg"]
    assert "not searched" in reasons["more"]
    searched = list_folder(folder, recursive=True)
    assert folder / "more" / "3.png" in searched.photos
    assert folder / "more" not in [left.path for left in searched.left_out]


def test_a_command_names_what_it_leaves_out_on_standard_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "old.psd").write_bytes(b"8BPS\0\1")
    assert photos_named([str(folder)], limit=2) == (folder / "1.jfif", folder / "10.PNG")
    out, error = capsys.readouterr()
    assert out == ""
    assert error.splitlines() == [
        f"left out {folder / 'old.psd'}: it is a Photoshop file, which is not read; save it as JPEG or PNG"
    ]


def test_what_is_named_itself_is_not_left_out_twice(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "3.png").write_bytes(encoded(PICTURE, "PNG"))
    found = find_photos([str(folder), str(folder / "more"), str(folder)])
    assert found.left_out == ()
    assert found.paths.count(folder / "more" / "3.png") == 1


def test_a_folder_of_unread_kinds_only_is_refused_with_the_first_of_them(tmp_path: Path) -> None:
    (tmp_path / "a.jxl").write_bytes(b"\xff\x0a")
    (tmp_path / "b.jxl").write_bytes(b"\xff\x0a")
    with pytest.raises(InputError, match=r"got a\.jxl \(it is a JPEG XL image.*\) and 1 more; name another folder"):
        find_photos([str(tmp_path)])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_one_clear_error(folder: Path) -> None:
    folder.chmod(0)
    try:
        with pytest.raises(InputError, match="expected a readable folder"):
            list_folder(folder)
    finally:
        folder.chmod(0o700)
