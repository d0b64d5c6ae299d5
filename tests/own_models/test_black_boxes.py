"""Models of the user's own without a gradient: attacked by their scores alone."""

import json
from pathlib import Path

import pytest
import torch
from own_networks import load, photos

from robustiqa_core import cli
from robustiqa_core.images.photo import encode_png

pytestmark = pytest.mark.thorough

BLACK_BOXES = """
import torch

def detached(): return lambda x: x.detach().mean((1, 2, 3))
def by_numpy(): return lambda x: torch.from_numpy(x.numpy().mean((1, 2, 3)))
def rounded(): return lambda x: (100_000 * x.mean((1, 2, 3))).round()
def one_number(): return lambda x: torch.tensor([float(x.mean())])
def whole_numbers(): return lambda x: (100_000 * x.mean((1, 2, 3))).long()
def without_gradient():
    @torch.no_grad()
    def score(x): return x.mean((1, 2, 3))
    return score
def in_place():
    def score(x):
        x.mul_(2)
        return x.mean((1, 2, 3))
    return score
def no_backward():
    class Half(torch.autograd.Function):
        @staticmethod
        def forward(context, x): return x / 2
        @staticmethod
        def backward(context, gradient): raise NotImplementedError("no backward here")
    return lambda x: Half.apply(x).mean((1, 2, 3))
"""


@pytest.mark.parametrize(
    "name", ["detached", "by_numpy", "rounded", "one_number", "whole_numbers", "without_gradient", "no_backward"]
)
def test_a_black_box_is_attacked_by_its_scores_and_refuses_what_needs_a_gradient(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "boxes.py").write_text(BLACK_BOXES)
    picture = tmp_path / "photo.png"
    picture.write_bytes(encode_png(photos(1, 64, 64)))
    source = f"{tmp_path / 'boxes.py'}:{name}"
    assert load(source).black_box
    words = ["attack", str(picture), "--model", source, "--device", "cpu"]
    for attack in (["square", "--queries", "40"], ["nes", "--queries", "45"], ["noise"]):
        assert cli.main([*words, "--attack", *attack, "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["gradient_calls"] == 0
        if attack[0] != "noise":
            assert report["adversarial_score"] > report["clean_score"]
    assert cli.main([*words, "--attack", "pgd"]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "square, nes or noise" in printed.err


def test_a_network_that_changes_its_input_keeps_its_gradient_and_changes_no_photo(tmp_path: Path) -> None:
    (tmp_path / "boxes.py").write_text(BLACK_BOXES)
    scorer, images = load(f"{tmp_path / 'boxes.py'}:in_place"), photos()
    before = images.clone()
    torch.testing.assert_close(scorer(images), 2 * before.mean((1, 2, 3)))
    assert torch.equal(images, before)
    assert not scorer.black_box
