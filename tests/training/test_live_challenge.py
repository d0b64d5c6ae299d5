"""LIVE Challenge as its authors publish it: what is left out, and that nothing learns from it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from robustiqa_core import cli
from robustiqa_core.errors import InputError
from robustiqa_core.folders import livec_root
from robustiqa_core.training.datasets import select
from robustiqa_core.training.live_challenge import read_demo, read_livec, shipped_names
from robustiqa_core.training.tables import DATASETS


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Seven photos of training, two that are shipped, and four others, in the authors' layout."""
    shipped = sorted(shipped_names())[:2]
    names = [
        *(f"t{n}.bmp" for n in range(1, 8)),
        *(f"{name}.bmp" for name in shipped),
        *(f"new{n}.JPG" for n in "abcd"),
    ]
    (tmp_path / "Images").mkdir()
    (tmp_path / "Data").mkdir()
    for name in names[7:]:
        Image.new("RGB", (8, 8)).save(tmp_path / "Images" / name)
    savemat(tmp_path / "Data" / "AllImages_release.mat", {"AllImages_release": np.array(names, dtype=object)[:, None]})
    savemat(tmp_path / "Data" / "AllMOS_release.mat", {"AllMOS_release": np.arange(13.0)[None]})
    return tmp_path


def test_the_training_photos_and_the_shipped_ones_are_left_out(published: Path) -> None:
    photos = read_livec(published)
    assert [photo.path.name for photo in photos] == [f"new{n}.JPG" for n in "abcd"]
    assert [photo.mos for photo in photos] == [9.0, 10.0, 11.0, 12.0]
    assert {photo.split for photo in photos} == {"test"}
    with pytest.raises(InputError, match="train photos"):
        select(photos, "train")


def test_a_missing_photo_or_list_is_named(published: Path) -> None:
    (published / "Images" / "newc.JPG").unlink()
    with pytest.raises(InputError, match=r"newc\.JPG"):
        read_livec(published)
    (published / "Data" / "AllMOS_release.mat").write_bytes(b"no list")
    with pytest.raises(InputError, match="AllMOS_release"):
        read_livec(published)
    with pytest.raises(InputError, match=r"scores\.csv"):
        read_livec(published / "Images")


@pytest.mark.parametrize("command", ["harden", "train", "order-head", "measure-range"])
def test_nothing_learns_from_it(published: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["linearity-baseline"] if command == "measure-range" else ["--out", str(published / "out")]
    status = cli.main([command, *words, "--dataset", "livec", "--root", str(published), "--device", "cpu"])
    assert status == 2
    assert "not for training or selection" in capsys.readouterr().err


def test_the_shipped_photos_carry_their_notice_and_are_small() -> None:
    photos, root = read_demo(livec_root()), livec_root()
    files = sorted(path.name for path in root.glob("*.jpg"))
    assert sorted(photo.path.name for photo in photos) == files
    assert len(files) == len(shipped_names()) == 100
    assert sum((root / name).stat().st_size for name in files) <= 12 * 2**20
    scores = np.array([photo.mos for photo in photos])
    assert np.quantile(scores, 0.1) < 25
    assert np.quantile(scores, 0.9) > 75
    notice = (root / "COPYRIGHT.txt").read_text()
    assert "COPYRIGHT NOTICE STARTS" in notice
    assert "COPYRIGHT NOTICE ENDS" in notice
    assert {photo.split for photo in photos} == {"train", "test"}
    assert DATASETS["demo"].root is not None
