"""The digest of a user's own model, and what lies beside its code."""

import sys
import warnings
from pathlib import Path

import pytest
import torch
from own_networks import CPU, load, photos
from torch import nn

from robustiqa_core import own_models
from robustiqa_core.own_models import resolve_scorer


def test_a_file_imports_what_lies_beside_it_and_two_models_each_their_own(tmp_path: Path) -> None:
    for name, factor in (("first", 2), ("second", 3)):
        (tmp_path / name / "parts").mkdir(parents=True)
        (tmp_path / name / "helper_beside.py").write_text(f"FACTOR = {factor}\n")
        (tmp_path / name / "parts" / "__init__.py").write_text("")
        (tmp_path / name / "parts" / "late.py").write_text("from helper_beside import FACTOR\n")
        (tmp_path / name / "model.py").write_text(
            "import helper_beside\n\n\ndef make():\n    from parts.late import FACTOR\n"
            "    return lambda x: helper_beside.FACTOR * FACTOR * x.mean((1, 2, 3))\n"
        )
    before = list(sys.path)
    mean = photos().mean((1, 2, 3))
    for name, factor in (("first", 2), ("second", 3), ("first", 2)):
        torch.testing.assert_close(load(f"{tmp_path / name / 'model.py'}:make")(photos()), factor**2 * mean)
    assert sys.path == before


SUM = "import {beside}\n\n\ndef make():\n    return lambda x: {beside}.FACTOR * x.mean((1, 2, 3))\n"


@pytest.mark.thorough
def test_a_digest_says_when_a_model_is_another_one_and_only_then(tmp_path: Path) -> None:
    """Of its code, of a file beside it, of weights that its code reads, of its settings; not of where it lies."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
        (folder / "digest_nets.py").write_text(SUM.format(beside="digest_beside"))
        (folder / "digest_beside.py").write_text("FACTOR = 0.5\n")
    source = f"{folders[0]}/digest_nets.py:make"
    first = load(source).digest
    assert first
    assert load(source).digest == first == load(f"{folders[1]}/digest_nets.py:make").digest
    assert load(source, mean=(0.1, 0.0, 0.0)).digest != first
    (folders[0] / "digest_beside.py").write_text("FACTOR = 0.25  # half\n")
    changed = load(source)
    assert changed.digest != first
    assert changed(torch.ones(1, 3, 64, 64)).item() == pytest.approx(0.25)
    (folders[0] / "digest_nets.py").write_text("def make():\n    return lambda x: x.std((1, 2, 3))\n")
    again = load(source)
    assert again.digest not in (first, changed.digest)
    assert again(torch.ones(1, 3, 64, 64)).item() == pytest.approx(0.0)


def test_weights_that_the_code_reads_are_part_of_the_digest(tmp_path: Path) -> None:
    (tmp_path / "reads.py").write_text(
        "from pathlib import Path\n\nfactor = Path(__file__).with_name('factor.txt')\n\n\n"
        "def make():\n    known = float(factor.read_text())\n    return lambda x: known * x.mean((1, 2, 3))\n"
    )
    digests = []
    for text in ("0.5", "0.5", "0.75"):
        (tmp_path / "factor.txt").write_text(text)
        digests.append(load(f"{tmp_path}/reads.py:make").digest)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.thorough
def test_a_changed_file_is_another_model_for_tables_and_cards(tmp_path: Path) -> None:
    path = tmp_path / "traced.pt"
    digests = []
    for seed in (0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = nn.Sequential(nn.Conv2d(3, 1, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.script(network).save(str(path))
        scorer = resolve_scorer(str(path), device=CPU)
        digests.append(own_models.resolve_card(str(path), scorer=scorer).sha256)
    assert all(digests)
    assert digests[0] != digests[1]
