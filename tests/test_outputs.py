"""Where commands write: every command refuses a place that is none before it does any work, and replaces nothing."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from random_checkpoints import save_random

from robustiqa_core import cli
from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.images.photo import encode_png
from robustiqa_core.own_models import MODELS_VARIABLE

# What is not there ends the command with another message, should the place be asked about too late.
FILES: dict[str, tuple[list[str], str]] = {
    "spectrum": (["missing.png"], "--png"),
    "sensitivity": (["missing.png"], "--png"),
    "amplification": (["missing.png"], "--png"),
    "series": (["missing.png"], "--png"),
    "train-uap": (["missing.png"], "--out"),
    "train-scnn": (["--photos", "missing"], "--out"),
}
FOLDERS: dict[str, tuple[list[str], list[str]]] = {
    "attack": (["missing.png"], ["--out"]),
    "train": (["--dataset", "csv", "--root", "missing"], ["--out", "--run-dir"]),
    "train-scnn": (["--photos", "missing"], ["--run-dir"]),
    "order-head": (["--dataset", "csv", "--root", "missing"], ["--out", "--run-dir"]),
    "harden": (["--dataset", "csv", "--root", "missing", "--name", "new"], ["--out", "--run-dir", "--cache"]),
    "import-checkpoint": (["missing.pth", "--architecture", "dbcnn"], ["--out"]),
}
ENDINGS = {"--png": ".png", "--out": ".safetensors"}
BAD: dict[str, Callable[[Path, str], Path]] = {
    "a folder": lambda root, ending: root,
    "proc": lambda root, ending: Path("/proc") / f"x{ending}",
    "too long": lambda root, ending: root / ("n" * 256 + ending),
    "no utf-8": lambda root, ending: root / (os.fsdecode(b"\xe9") + ending),
    "below a file": lambda root, ending: root / "file" / f"x{ending}",
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a random model and a photo."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(save_random(tmp_path / "models", side=64)))
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)
    (tmp_path / "file").write_text("an earlier result")
    (tmp_path / "photo.png").write_bytes(encode_png(torch.rand(1, 3, 64, 64, generator=torch.Generator())))
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that must end with one line and status 2; return the line."""
    assert cli.main([*words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.isprintable() or printed.err.strip().isprintable()
    return printed.err


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("command", FILES)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    place: Path, capsys: pytest.CaptureFixture[str], command: str, kind: str
) -> None:
    words, option = FILES[command]
    path = BAD[kind](place, ENDINGS[option])
    assert option in refused(capsys, command, *words, option, str(path))


@pytest.mark.parametrize("command", FILES)
def test_another_ending_and_a_file_that_is_there_are_refused_before_the_work(
    place: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    words, option = FILES[command]
    assert "must end in" in refused(capsys, command, *words, option, "figure.pdf") or command == "train-uap"
    there = place / f"there{ENDINGS[option]}"
    there.write_text("an earlier result")
    assert "--overwrite" in refused(capsys, command, *words, option, str(there))
    assert there.read_text() == "an earlier result"
    assert "missing" in refused(capsys, command, *words, option, str(there), "--overwrite")


@pytest.mark.parametrize("kind", [kind for kind in BAD if kind != "a folder"])
@pytest.mark.parametrize("command", FOLDERS)
def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work(
    place: Path, capsys: pytest.CaptureFixture[str], command: str, kind: str
) -> None:
    words, options = FOLDERS[command]
    for option in options:
        others = [] if option == "--out" or command == "train-scnn" else ["--out", "elsewhere"]
        assert option in refused(capsys, command, *words, *others, option, str(BAD[kind](place, "")))


def test_a_second_attack_does_not_replace_the_result_of_the_first(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["attack", "photo.png", "--attack", "fgsm", "--device", "cpu", "--out", "o"]
    assert cli.main([*words, "--eps", "2/255"]) == 0
    before = {path: path.read_bytes() for path in (place / "o").iterdir()}
    assert len(before) == 2
    capsys.readouterr()
    assert "--overwrite" in refused(capsys, *words, "--eps", "8/255")
    assert {path: path.read_bytes() for path in (place / "o").iterdir()} == before
    assert cli.main([*words, "--eps", "8/255", "--overwrite"]) == 0
    (report,) = (place / "o").glob("*.json")
    assert json.loads(report.read_text())["settings"]["eps"] == 8 / 255


@pytest.mark.parametrize("name", ["n" * 240, os.fsdecode(b"caf\xe9")])
def test_a_photo_whose_results_could_not_be_named_after_it_is_refused_and_scored(
    place: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (place / "photo.png").rename(place / f"{name}.png")
    line = refused(capsys, "attack", f"{name}.png", "--attack", "fgsm", "--device", "cpu", "--out", "o")
    assert "too long" in line or "UTF-8" in line
    assert cli.main(["score", f"{name}.png", "--device", "cpu", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["image"] == f"{name}.png"


@pytest.mark.thorough
def test_the_command_of_a_photo_whose_name_begins_with_a_dash_can_be_run(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shlex

    (place / "photo.png").rename(place / "-v 1.png")
    words = ["./-v 1.png", "--attack", "pgd", "--steps", "1", "--device", "cpu", "--json"]
    assert cli.main(["attack", *words, "--direction", "towards", "--target=-1e-05"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert cli.main(shlex.split(first["command"])[1:]) == 0
    assert json.loads(capsys.readouterr().out)["adversarial_score"] == first["adversarial_score"]


@pytest.mark.parametrize(
    "name", ["../../outside", "a/b", "..", "", "baseline", "own", "Mine", "-x", "a b", "n" * 41, "a\n", "é"]
)
def test_a_name_of_a_variant_that_is_none_is_refused_everywhere(
    place: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert "a variant has a name" in refused(
        capsys, "import-checkpoint", "missing.pth", "--architecture", "dbcnn", f"--variant={name}", "--out", "o/a"
    )
    assert "a variant has a name" in refused(capsys, "harden", f"--name={name}", "--out", "o/a")
    assert not (place / "o").exists()


def test_models_of_ones_own_are_told_what_cannot_be_done_with_them(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "net.py").write_text("def make(): return lambda x: x.mean((1, 2, 3))\n")
    for command in ("prune-plan", "harden"):
        line = refused(capsys, command, "--model", "net.py:make")
        assert "linearity, dbcnn, tres" in line and "got net.py:make, a model of your own" in line
        assert "one of linearity" in refused(capsys, command, "--model", "niqe")


@pytest.mark.parametrize("value", [".", "file", "missing.toml", "n" * 300])
def test_a_list_of_models_that_is_none_ends_with_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, value)
    assert MODELS_VARIABLE in refused(capsys, "score", "photo.png", "--device", "cpu") or value == "file"
    assert cli.main(["models"]) == 2
    printed = capsys.readouterr()
    assert "linearity" in printed.out
    assert printed.err.count("\n") == 1


def test_a_list_with_a_mark_at_its_start_is_read(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "net.py").write_text("def make(): return lambda x: x.mean((1, 2, 3))\n")
    (place / "models.toml").write_bytes(b'\xef\xbb\xbf[good]\nsource = "net.py:make"\n')
    monkeypatch.setenv(MODELS_VARIABLE, "models.toml")
    assert cli.main(["models", "--json"]) == 0
    assert [card["model"] for card in json.loads(capsys.readouterr().out)] == ["linearity", "good"]


def test_what_no_check_foresees_ends_with_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "o/result.png")

    monkeypatch.setattr("robustiqa_core.cli.attack.write_bytes", full)
    words = ["attack", "photo.png", "--attack", "fgsm", "--device", "cpu", "--out", "o"]
    assert "o/result.png, got a full disk" in refused(capsys, *words)
