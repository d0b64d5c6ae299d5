"""`robustiqa measure-attacked`: a hardened card's figures of the short attack, measured again."""

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from robustiqa_core import cli
from robustiqa_core.attacks import ATTACKS, PGD, spell_attack
from robustiqa_core.checkpoints.storage import list_cards, load_card, save_card, save_checkpoint
from robustiqa_core.files import read_json
from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.hardening import SHORT_ATTACK
from robustiqa_core.images import samples
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard
from robustiqa_core.training.datasets import LabelledPhoto

pytestmark = pytest.mark.thorough

SIZES = ["--crops", "16", "--validation-crops", "8", "--resize", "64", "--crop", "64", "--batch-size", "8"]
SMALL = [*SIZES, "--epochs", "1", "--width", "8", "--grid", "3", "--precision", "float32", "--device", "cpu"]
BUNDLED = [card for card in list_cards() if card.hardening]


@pytest.fixture
def root(
    baseline: QualityModel, card: ModelCard, sample_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder of checkpoints with a baseline, beside eight sample photos."""
    folder = tmp_path / "checkpoints"
    save_checkpoint(baseline, replace(card, settings={"short_side": 96}), root=folder)
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(folder))
    known = samples.list_samples(sample_root)
    monkeypatch.setattr("robustiqa_core.hardening.data.list_samples", lambda root=None: known)
    monkeypatch.chdir(tmp_path)
    return folder


def harden(*words: str) -> int:
    return cli.main(["harden", *SMALL, "--position", "after_stage5", *words])


def measure(*words: str) -> int:
    return cli.main(["measure-attacked", *words, "--device", "cpu"])


def spoil(path: Path) -> ModelCard:
    """Make a card's figures wrong; return it as it was."""
    known = load_card("linearity", "hardened", root=path.parent)
    told = read_json(path)
    told["hardening"]["attacked"]["attack"] = "pgd:eps=1/255"
    told["hardening"]["attacked"]["hardened"]["absolute_gain"] = 0.125
    path.write_text(json.dumps(told))
    return known


def test_the_figures_are_those_that_the_hardening_has_measured_and_the_weights_stay(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert harden("--pruning-ratio", "0.2") == 0
    known = spoil(root / "linearity-hardened.json")
    weights = (root / "linearity-hardened.safetensors").read_bytes()
    capsys.readouterr()
    assert measure("linearity-hardened", "--json") == 0
    (printed,) = json.loads(capsys.readouterr().out)
    card = load_card("linearity", "hardened")
    attacked = dict(card.hardening["attacked"])
    assert printed == {"model": "linearity-hardened", "attacked": attacked}
    assert attacked.pop("command") == "robustiqa measure-attacked linearity-hardened"
    assert attacked == known.hardening["attacked"]
    assert replace(card, hardening=known.hardening) == known
    assert (root / "linearity-hardened.safetensors").read_bytes() == weights


def test_labelled_crops_and_the_baselines_range_are_those_of_the_hardening(
    root: Path, labelled: tuple[LabelledPhoto, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in labelled:
        with Image.open(photo.path) as image:
            image.save(folder / photo.path.name)
    lines = [f"{photo.path.name},{photo.mos},{photo.split}" for photo in labelled]
    (folder / "scores.csv").write_text("\n".join(["file,mos,split", *lines]) + "\n")
    data = ["--dataset", "csv", "--root", str(folder)]
    assert harden(*data) == 0
    assert measure("linearity-hardened") == 2, "the photos are missing"
    assert "csv" in capsys.readouterr().err
    known = spoil(root / "linearity-hardened.json")
    assert known.score_range != load_card("linearity").score_range
    assert measure("linearity-hardened", *data) == 0
    attacked = load_card("linearity", "hardened").hardening["attacked"]
    assert attacked == {
        **known.hardening["attacked"],
        "command": "robustiqa measure-attacked linearity-hardened --dataset csv --root FOLDER",
    }


def test_what_was_not_hardened_or_not_from_this_start_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure("linearity-baseline") == 2
    assert "linearity-baseline" in capsys.readouterr().err
    assert harden() == 0
    card = load_card("linearity", "hardened")
    save_card(replace(card, hardening={**card.hardening, "start_sha256": "1" * 64}), root=root)
    before = (root / "linearity-hardened.json").read_bytes()
    assert measure("linearity-hardened") == 2
    assert "11111111" in capsys.readouterr().err
    assert (root / "linearity-hardened.json").read_bytes() == before


def test_every_attack_with_a_number_of_steps_takes_the_same_by_default() -> None:
    numbers = {
        name: field.default
        for name, attack in ATTACKS.items()
        for field in dataclasses.fields(attack)
        if field.name == "steps"
    }
    # APGD halves its step at checkpoints of a longer run, and `worst` shares its steps out: both check the others.
    assert {steps for name, steps in numbers.items() if name not in ("apgd", "worst")} == {PGD().steps}
    assert PGD(4 / 255) == SHORT_ATTACK


@pytest.mark.parametrize("card", BUNDLED, ids=lambda card: card.stem)
def test_a_bundled_cards_figures_are_of_todays_short_attack(card: ModelCard) -> None:
    attacked = card.hardening["attacked"]
    assert attacked["attack"] == spell_attack(SHORT_ATTACK)
    assert (attacked["crops"], attacked["side"]) == (8, card.hardening["recipe"]["crop"])
    assert card.stem in attacked["command"]
