"""Worst-case order: the closed form of a linear scorer, models broken on purpose, and the command."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from PIL import Image
from random_checkpoints import save_random
from torch import Tensor

from robustiqa_core import cli
from robustiqa_core.evaluation.order import OrderPlan, OrderReport, OrderRow, RankedPhoto, measure_order, order_report
from robustiqa_core.evaluation.order.plan import spread_evenly
from robustiqa_core.evaluation.tables.rows import Skipped
from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.metrics.correlation import srocc
from robustiqa_core.scorer import ScoreRange

EPS = (1 / 255, 4 / 255)
SIDE = 64
ROWS, COLUMNS = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
WEIGHTS = (1.0 - 2.0 * ((ROWS + COLUMNS) % 2)).expand(3, SIDE, SIDE) / (3 * SIDE * SIDE)
"""A checkerboard: a grey photo scores its brightness, and eps moves the score by reach * eps."""


class Linear:
    """score = factor * (brightness + reach * (w . x)), clipped above where it is robust upwards only."""

    score_range = ScoreRange(0.0, 1.0)

    def __init__(self, factor: float = 1.0, reach: float = 40.0, *, up: bool = True) -> None:
        self.factor, self.reach, self.up = factor, reach, up

    def __call__(self, images: Tensor) -> Tensor:
        pattern = self.reach * (images * WEIGHTS).sum((1, 2, 3))
        quiet = pattern if self.up else torch.where(pattern > 0, 0.0 * pattern, pattern)
        return self.factor * (images.detach().mean((1, 2, 3)) + quiet)


@pytest.fixture
def ranked(tmp_path: Path) -> list[RankedPhoto]:
    photos = []
    for place in range(12):
        level = 90 + 6 * place
        path = tmp_path / f"{place:02}.png"
        Image.fromarray(np.full((SIDE, SIDE, 3), level, dtype=np.uint8)).save(path)
        photos.append(RankedPhoto(path, float(place)))
    return photos


def reported(photos: list[RankedPhoto], scorer: Linear, *, both: bool = False) -> OrderReport:
    plan = OrderPlan(EPS, gradients=8, doublings=0, both=both)
    rows = [record for record in measure_order(photos, scorer, plan) if isinstance(record, OrderRow)]
    return order_report(rows, model="linear", data="grey", own=scorer.score_range, resamples=50)


def test_on_a_linear_scorer_the_worst_order_is_the_closed_form(ranked: list[RankedPhoto]) -> None:
    report = reported(ranked, Linear(), both=True)
    clean = np.array([(90 + 6 * place) / 255 for place in range(12)])
    signs = np.where(np.arange(12) < 5.5, 1, -1)
    for one, eps in zip(report.strengths, EPS, strict=True):
        figures, reach = one.figures, 40.0 * eps
        assert_allclose([figures.gain_up, figures.gain_down], [reach / clean.std(), -reach / clean.std()], rtol=1e-3)
        assert figures.srocc == pytest.approx(srocc(clean + signs * reach, np.arange(12)))
        pairs = [(i, j) for i in range(12) for j in range(12) if i < j]
        assert figures.swapped == pytest.approx(np.mean([clean[j] - clean[i] < 2 * reach for i, j in pairs]), abs=1e-9)
        assert figures.clean_srocc == pytest.approx(1.0)
        assert figures.absolute_gain_size == pytest.approx(reach, rel=1e-3)


@pytest.mark.thorough
def test_narrow_scores_are_no_better_and_one_robust_direction_is_not_enough(ranked: list[RankedPhoto]) -> None:
    whole = reported(ranked, Linear()).strengths[-1].figures
    narrow = reported(ranked, Linear(factor=0.01)).strengths[-1].figures
    assert whole.srocc is not None
    assert whole.srocc < -0.5
    assert narrow.srocc == whole.srocc
    assert narrow.swapped == whole.swapped
    assert narrow.gain_up == pytest.approx(whole.gain_up, rel=1e-3)
    one_sided = reported(ranked, Linear(up=False)).strengths[-1].figures
    assert one_sided.gain_up == pytest.approx(0.0, abs=0.02), "what noise does to the brightness"
    assert one_sided.srocc == whole.srocc, "the better half falls below the worse one all the same"


def test_a_constant_model_has_no_order_and_no_headline(ranked: list[RankedPhoto]) -> None:
    report = reported(ranked, Linear(factor=0.0))
    figures = report.strengths[0].figures
    assert figures.srocc is None
    assert figures.clean_srocc is None
    assert figures.gain_up is None
    assert figures.swapped == 0.5
    assert "there is no order" in "\n".join(report.lines)
    json.dumps(report.to_json(), allow_nan=False)


def test_more_strength_never_moves_a_photo_less(ranked: list[RankedPhoto]) -> None:
    gains = [one.figures.gain_up for one in reported(ranked, Linear()).strengths]
    assert gains == sorted(gains, key=lambda gain: gain or 0.0)


def test_bad_photos_are_left_out_and_others_attacked(ranked: list[RankedPhoto], tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no photo")
    plan = OrderPlan((1 / 255,), gradients=4, doublings=0)
    records = list(measure_order([*ranked, RankedPhoto(bad, 3.0)], Linear(), plan))
    assert [record.image for record in records if isinstance(record, Skipped)] == [str(bad)]
    assert len([record for record in records if isinstance(record, OrderRow)]) == 12


def test_photos_are_spread_evenly_over_mos_whatever_their_order(ranked: list[RankedPhoto]) -> None:
    assert [photo.mos for photo in spread_evenly(ranked[::-1], 4)] == [1.0, 4.0, 7.0, 10.0]
    assert len(spread_evenly(ranked, 100)) == 12


@pytest.mark.thorough
def test_the_command_goes_on_where_it_was_interrupted(
    ranked: list[RankedPhoto], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(save_random(tmp_path / "weights", side=64)))
    for place in range(4):
        noise = np.random.default_rng(place).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{place}.png")
    (tmp_path / "mos.csv").write_text("file,mos\n" + "".join(f"{place}.png,{place}\n" for place in range(4)))
    words = ["evaluate-order", *(str(tmp_path / f"{place}.png") for place in range(4)), "--device", "cpu", "--json"]
    words += ["--mos", str(tmp_path / "mos.csv"), "--eps", "1/255", "2/255", "--gradients", "4", "--doublings", "1"]
    words += ["--resamples", "20", "--out", str(tmp_path / "order.csv")]
    assert cli.main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["reference"] == "MOS"
    assert [one["figures"]["photos"] for one in told["strengths"]] == [4, 4]
    journal = tmp_path / "order.csv.journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:4]) + b'{"torn')
    assert cli.main(words) == 0
    assert json.loads(capsys.readouterr().out)["strengths"] == told["strengths"]
    assert len((tmp_path / "order.csv").read_text().splitlines()) == len(lines)
