"""`robustiqa train-uap`: the file, its card, the same again, early refusal."""

import argparse
import json
from pathlib import Path

import pytest
import torch
from attack_scorers import SmallNet, photos

from robustiqa_core.attacks.universal import list_perturbations, load_perturbation
from robustiqa_core.cli import train_uap
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.images.photo import encode_png, read_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of three small photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, image in enumerate(photos(3, height=64, width=72)):
        (folder / f"{number}.png").write_bytes(encode_png(image))
    return folder


def parse(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train_uap.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def test_the_file_is_stored_with_a_card_that_says_all(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "shelf" / "mine.safetensors"
    words = (folder, "--limit", 2, "--eps", "6/255", "--side", 32, "--epochs", 1, "--device", "cpu", "--json")
    assert train_uap.run(parse(*words, "--out", out)) == 0
    printed = json.loads(capsys.readouterr().out)
    values, card = load_perturbation("mine", out.parent)
    assert printed == {"path": str(out), **json.loads(json.dumps(card.to_json()))}
    assert (card.model, card.variant, card.method, card.direction) == ("linearity", "baseline", "plain", "up")
    assert card.photos == {read_image(folder / f"{n}.png").sha256: f"{n}.png" for n in range(2)}
    assert card.command == (
        "robustiqa train-uap PHOTOS --model linearity --variant baseline --method plain --direction up --eps 6/255 "
        "--side 32 --epochs 1 --batch-size 2 --smallest-crop 0.7 --seed 0"
    )
    assert values.abs().max() <= 6 / 255 * (1 + 1e-6)

    # The command of the card, word for word, gives the same values.
    again = card.command.split()[3:]
    words = (folder / "0.png", folder / "1.png", *again, "--device", "cpu", "--out", out)
    with pytest.raises(ConfigurationError, match="which exists"):
        train_uap.run(parse(*words))
    assert train_uap.run(parse(*words, "--overwrite")) == 0
    assert torch.equal(load_perturbation("mine", out.parent)[0], values)


def test_without_a_name_it_lies_where_the_attack_looks(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = parse(folder, "--limit", 1, "--epochs", 1, "--method", "cumulative", "--direction", "down")
    monkeypatch.setattr(train_uap, "resolve_scorer", lambda *_, **__: SmallNet())
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(tmp_path))
    assert train_uap.run(arguments) == 0
    (card,) = list_perturbations()
    assert card.name == "linearity-baseline-cumulative-down"
    assert card.gain < 0


@pytest.mark.parametrize("out", ["file.pt", "folder/", "bad name.safetensors"])
def test_a_file_that_could_not_be_loaded_is_refused_before_the_training(folder: Path, tmp_path: Path, out: str) -> None:
    with pytest.raises(ConfigurationError):
        train_uap.run(parse(folder, "--out", tmp_path / out))


def test_no_photos_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="photo"):
        train_uap.run(parse(tmp_path / "nothing.png", "--out", tmp_path / "new.safetensors"))
