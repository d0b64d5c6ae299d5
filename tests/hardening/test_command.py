"""`robustiqa harden`, from options to a checkpoint that others can use."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from robustiqa_core import cli
from robustiqa_core.checkpoints.storage import load_network, save_checkpoint
from robustiqa_core.files import read_json
from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.hardening import HardeningRecipe
from robustiqa_core.images import samples
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard
from robustiqa_core.training.datasets import LabelledPhoto

pytestmark = pytest.mark.thorough

CPU = torch.device("cpu")
SIZES = ["--crops", "16", "--validation-crops", "8", "--resize", "64", "--crop", "64", "--batch-size", "8"]
SMALL = [*SIZES, "--epochs", "1", "--width", "8", "--grid", "3", "--precision", "float32", "--device", "cpu"]


@pytest.fixture
def harden(
    baseline: QualityModel,
    card: ModelCard,
    sample_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., int]:
    """The command, in a folder with a baseline and eight sample photos, with small numbers."""
    root = tmp_path / "checkpoints"
    save_checkpoint(baseline, replace(card, settings={"short_side": 96}), root=root)
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(root))
    monkeypatch.setitem(cli.COMMANDS, "harden", "make a model robust")
    known = samples.list_samples(sample_root)
    monkeypatch.setattr("robustiqa_core.hardening.data.list_samples", lambda root=None: known)
    monkeypatch.chdir(tmp_path)
    return lambda *words: cli.main(["harden", *SMALL, *words])


def test_a_hardened_model_can_be_attacked_by_its_name(
    harden: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert harden("--position", "after_stage5", "--pruning-ratio", "0.2", "--json", "--name", "hardened-plus") == 0
    printed = capsys.readouterr()
    card = json.loads(printed.out)
    assert card == read_json(tmp_path / "checkpoints" / "linearity-hardened-plus.json")
    for text in ("block after_stage5", "filters go", "epoch 0/1", "epoch 1/1: loss", "agreement with the baseline"):
        assert text in printed.err
    recipe = HardeningRecipe.from_json(card["hardening"]["recipe"], place="the card")
    assert (recipe.position, recipe.pruning.ratio, recipe.tuned, recipe.key()) == (
        "after_stage5",
        0.2,
        "rest",
        card["hardening"]["key"],
    )
    assert card["blocks"]["after_stage5"]["width"] == 8
    assert card["pruning"]["dr7.0"] < 1024
    for part in ("--position after_stage5", "--pruning-ratio 0.2", "--tuned rest", "--seed 0", "--name hardened-plus"):
        assert part in card["training"]["command"]
    assert "--root" not in card["training"]["command"]
    photo = tmp_path / "photo.png"
    Image.new("RGB", (64, 64), (200, 120, 40)).save(photo)
    words = ["--model", "linearity", "--variant", "hardened-plus", "--steps", "1", "--device", "cpu", "--json"]
    assert cli.main(["attack", str(photo), *words]) == 0
    assert json.loads(capsys.readouterr().out)["variant"] == "hardened-plus"


def test_what_is_there_already_is_only_shown(
    harden: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--pruning-ratio", "0"]
    assert harden(*words) == 0
    first = capsys.readouterr()
    path = tmp_path / "checkpoints" / "linearity-hardened.safetensors"
    written = path.stat().st_mtime_ns
    assert harden(*words) == 0
    again = capsys.readouterr()
    assert again.out == first.out
    assert "AbsGain" in again.out
    assert "both by the baseline's range" in again.out
    assert "matched to the mean and spread of linearity-baseline on 8 held-out crops, not measured" in again.out
    assert not again.err
    assert path.stat().st_mtime_ns == written
    assert harden(*words, "--seed", "1") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert path.stat().st_mtime_ns == written
    assert harden(*words, "--seed", "1", "--overwrite") == 0
    assert path.stat().st_mtime_ns != written
    # Behind the trunk's last stage where nothing else was asked for.
    recipe = read_json(path.with_suffix(".json"))["hardening"]["recipe"]
    assert (recipe["position"], recipe["seed"]) == ("after_stage7", 1)


def test_labels_are_used_where_a_set_is_named(
    harden: Callable[..., int],
    labelled: tuple[LabelledPhoto, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = labelled[0].path.parent
    table = tmp_path / "scores.csv"
    lines = [f"{photo.path.name},{photo.mos},{photo.split}" for photo in labelled]
    table.write_text("\n".join(["file,mos,split", *lines]) + "\n")
    words = ["--dataset", "csv", "--root", str(root), "--scores", str(table), "--crops", "12", "--batch-size", "4"]
    assert harden(*words, "--position", "none", "--objective", "at:steps=1", "--json") == 0
    printed = capsys.readouterr()
    card = json.loads(printed.out)
    assert "SROCC to MOS" in printed.err
    (measured,) = card["measurements"]
    assert (measured["dataset"], measured["photos"]) == ("scores, test split", 4)
    assert measured["command"].startswith("robustiqa evaluate-mos --model linearity --variant hardened --dataset csv")
    recipe = card["hardening"]["recipe"]
    assert (recipe["position"], recipe["block"], recipe["tuned"], recipe["data"]) == (None, None, "all", "csv")
    assert card["training"]["command"].endswith("--root FOLDER")
    assert card["blocks"] == {}
    ranged = card["range_source"]
    assert (ranged["kind"], ranged["photos"], ranged["of"]) == (
        "measured",
        12,
        "scores, training split, drawn with seed 0",
    )
    assert ranged["command"].startswith("robustiqa measure-range linearity-hardened --dataset csv")
    assert (tmp_path / "runs" / "linearity-hardened" / card["hardening"]["key"] / "state.safetensors").is_file()
    assert load_network("linearity", "hardened", device=CPU).settings.short_side == 96


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--name", "baseline"], "a variant has a name"),
        (["--name", "../hardened"], "a variant has a name"),
        (["--position", "after_stage9"], "after_stage1, after_stage2"),
        (["--position", "none", "--tuned", "rest"], "tune all layers"),
        (["--position", "after_layer3"], "insertion point must be one of"),
        (["--objective", "at:eps=9"], "did you mean 9/255"),
        (["--pruning-ratio", "0.9"], "must be in [0, 0.5]"),
        (["--start", "hardened"], "linearity baseline"),
        (["--trunk-from", "tres"], "name one of these"),
        (["--dataset", "biq2021"], "give it with --root"),
        (["--width", "4096"], "at most the 320 channels"),
        (["--learn-statistics"], "learnt only where all layers"),
    ],
)
def test_faulty_options_end_with_one_line(
    words: list[str], message: str, harden: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert harden(*words) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()].count("linearity-hardened.json") == 0


def test_a_model_trained_against_the_rank_is_stored_with_its_size(harden: Callable[..., int], tmp_path: Path) -> None:
    words = ["--position", "none", "--pruning-ratio", "0", "--objective", "rank:judged_steps=1,judged_photos=4"]
    assert harden(*words, "--short-side", "72", "--patience", "1", "--name", "robust") == 0
    root = tmp_path / "checkpoints"
    card = read_json(root / "linearity-robust.json")
    recipe = HardeningRecipe.from_json(card["hardening"]["recipe"], place="the card")
    assert card["settings"]["short_side"] == recipe.short_side == 72
    assert recipe.patience == 1
    assert recipe.objective.against_rank is not None
    for part in ("--objective rank:", "judged_steps=1,judged_photos=4 ", "--short-side 72", "--patience 1"):
        assert part in card["training"]["command"]
    network = load_network("linearity", "robust", root=root, device=CPU)
    assert network.settings.short_side == 72
