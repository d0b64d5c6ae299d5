"""Damaged lists of models, cards, weights and checkpoints: each ends in a result or in one clear error."""

import hashlib
import json
import random
import shutil
from pathlib import Path

import pytest
import torch
from random_checkpoints import save_random

from robustiqa_core.checkpoints.storage import list_cards, load_scorer, usable_cards
from robustiqa_core.errors import RobustIQAError
from robustiqa_core.files import read_json, read_tensors, write_tensors
from robustiqa_core.models.card import ModelCard
from robustiqa_core.models.importers import IMPORTERS
from robustiqa_core.models.published import read_checkpoint
from robustiqa_core.own_models import list_own_models

pytestmark = pytest.mark.thorough

TOML = """
[mine]
source = "nets.py:make"
unit = "DMOS, 0 to 100"
score_range = [0, 100.5]
higher_is_better = false
size = [64, 72]
mean = [0.5, 0.5, 0]
deviation = [0.2, 0.2, 1]
"""
ODD = (None, True, -1, 10**400, 1e308, float("nan"), "", "x" * 1000, [], [1], {}, {"a": {}}, "\ud800")


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return data with some bytes changed, removed, repeated or cut off."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(changed) + 1)
        match rng.randrange(4):
            case 0 if place < len(changed):
                changed[place] = rng.randrange(256)
            case 1:
                del changed[place : place + rng.randint(1, 8)]
            case 2:
                changed[place:place] = changed[place : place + 20] * rng.choice((1, 3))
            case _:
                changed[place:place] = rng.choice((b"[" * 2000, b"9" * 5000, b"\xff", b"\0", b'"', b"=", b"{", b"\n"))
    return bytes(changed[: rng.randrange(len(changed) + 1)] if rng.random() < 0.1 else changed)


def outcome(read: object, *arguments: object) -> str:
    """Return `result`, or the error of the core in one word; anything else fails the test."""
    try:
        read(*arguments)  # type: ignore[operator]
    except RobustIQAError as error:
        assert str(error)
        return type(error).__name__
    return "result"


def test_damaged_lists_of_models(tmp_path: Path) -> None:
    rng, path = random.Random(0), tmp_path / "models.toml"
    found = set()
    for _ in range(1500):
        path.write_bytes(mutated(TOML.encode(), rng))
        found.add(outcome(list_own_models, path))
    assert found == {"result", "InputError", "ConfigurationError"}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random(tmp_path_factory.mktemp("checkpoints"), side=64)


def test_damaged_cards(stored: Path, tmp_path: Path) -> None:
    rng, text = random.Random(0), (stored / "linearity-baseline.json").read_bytes()
    path = tmp_path / "linearity-baseline.json"
    found = set()
    for _ in range(1000):
        path.write_bytes(mutated(text, rng))
        found.add(outcome(list_cards, tmp_path))
        usable_cards(tmp_path)
    assert {"result", "InputError"} <= found


def test_cards_with_values_of_other_kinds(stored: Path, tmp_path: Path) -> None:
    whole = read_json(stored / "linearity-baseline.json")
    shutil.copy(stored / "linearity-baseline.json", tmp_path)
    for name in whole:
        for odd in ODD:
            outcome(lambda value: ModelCard.from_json(value, place="test"), whole | {name: odd})
            (tmp_path / "other.json").write_text(json.dumps(whole | {name: odd}))
            cards, _ = usable_cards(tmp_path)
            assert len(cards) in (1, 2)


def test_damaged_weights(stored: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    path = tmp_path / "small.safetensors"
    write_tensors(path, {"weight": torch.ones(3, 2), "bias": torch.ones(3)}, {"settings": "{}"})
    data = path.read_bytes()
    found = set()
    for _ in range(1000):
        path.write_bytes(mutated(data, rng))
        found.add(outcome(read_tensors, path))
    assert found == {"result", "InputError"}


def test_damaged_weights_whose_card_agrees_with_them(stored: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    data = (stored / "linearity-baseline.safetensors").read_bytes()
    card = read_json(stored / "linearity-baseline.json")
    head = 8 + int.from_bytes(data[:8], "little")
    for _ in range(12):
        damaged = mutated(data[:head], rng) + data[head:]
        (tmp_path / "linearity-baseline.safetensors").write_bytes(damaged)
        card["sha256"] = hashlib.sha256(damaged).hexdigest()
        (tmp_path / "linearity-baseline.json").write_text(json.dumps(card))
        outcome(lambda: load_scorer("linearity", device=torch.device("cpu"), root=tmp_path))


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_checkpoints(tmp_path: Path, zipped: bool) -> None:
    rng, path = random.Random(0), tmp_path / "small.pth"
    torch.save(
        {"params": {"module.fc.weight": torch.ones(3, 2)}, "k": [1.0], "b": 0.0, "epoch": 3},
        path,
        _use_new_zipfile_serialization=zipped,
    )
    data = path.read_bytes()
    found = set()
    for _ in range(400):
        path.write_bytes(mutated(data, rng))
        found.add(outcome(read_checkpoint, path))
        if "result" in found:
            outcome(lambda: IMPORTERS[rng.choice(list(IMPORTERS))](read_checkpoint(path), short_side=64))
    assert "InputError" in found
