"""Agreement with human scores: any Scorer, the figures against scipy, the table and the plot of the command."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import optimize, stats
from torch import Tensor

from robustiqa_core import cli
from robustiqa_core.evaluation.mos import evaluate_mos, score_photos
from robustiqa_core.models.linearity import Linearity, LinearitySettings
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.datasets import LabelledPhoto, mask_corner
from robustiqa_core.training.loop import predict

pytestmark = pytest.mark.thorough

CPU = torch.device("cpu")
PHOTOS = 12


class Brightness:
    score_range = ScoreRange(0.0, 1.0)

    def __call__(self, images: Tensor) -> Tensor:
        return images.mean((1, 2, 3))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos from dark to bright, with a white lower left corner in half of them, and noisy MOS."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    rows = ["file,mos,split"]
    for index in range(PHOTOS):
        pixels = generator.integers(10 * index, 10 * index + 60, (70, 80, 3))
        if index % 2:
            pixels[63:, :11] = 255
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
        rows.append(f"{index}.png,{1 + index / 3 + generator.normal(0, 0.4):.3f},test")
    (folder / "scores.csv").write_text("\n".join(rows) + "\n")
    (folder / "net.py").write_text("def make(): return lambda images: images.mean((1, 2, 3))\n")
    return folder


@pytest.fixture(scope="module")
def photos(root: Path) -> tuple[LabelledPhoto, ...]:
    return tuple(LabelledPhoto(root / f"{index}.png", float(index), "test") for index in range(PHOTOS))


def test_the_figures_are_those_of_scipy() -> None:
    generator = np.random.default_rng(1)
    scores = generator.uniform(-3, 3, 60)
    mos = 4 / (1 + np.exp(-2 * scores)) + 1 + generator.normal(0, 0.3, 60)
    found = evaluate_mos(scores.tolist(), mos.tolist(), dataset="made up", command="none")

    def curve(s: np.ndarray, *b: float) -> np.ndarray:
        return (b[0] - b[1]) / (1 + np.exp(-(s - b[2]) / abs(b[3]))) + b[1]

    fitted, _ = optimize.curve_fit(curve, scores, mos, (5, 1, 0, 0.5))
    mapped = curve(scores, *fitted)
    assert found.mapped == pytest.approx(mapped, abs=1e-4)
    assert found.figures.srocc == pytest.approx(stats.spearmanr(scores, mos).statistic, abs=6e-5)
    assert found.figures.krocc == pytest.approx(stats.kendalltau(scores, mos).statistic, abs=6e-5)
    assert found.figures.plcc == pytest.approx(stats.pearsonr(mapped, mos).statistic, abs=6e-5)
    assert found.figures.rmse == pytest.approx(np.sqrt(((mapped - mos) ** 2).mean()), abs=6e-5)
    for name, (low, high) in found.intervals.items():
        assert low < getattr(found.figures, name) < high
        assert high - low < 0.3


def test_the_correlations_of_constant_scores_are_undefined() -> None:
    found = evaluate_mos([0.25] * 6, [1, 2, 3, 4, 5, 6], dataset="made up", command="none")
    assert (found.figures.srocc, found.figures.plcc, found.figures.krocc) == (None, None, None)
    assert [line.split() for line in found.lines[:3]] == [[name, "undefined"] for name in ("SROCC", "PLCC", "KROCC")]


def test_photos_are_scored_as_the_training_room_scores_them(photos: tuple[LabelledPhoto, ...]) -> None:
    torch.manual_seed(0)
    network = Linearity(LinearitySettings(short_side=64)).eval()
    for masked in (False, True):
        scores = list(score_photos(network, photos[:3], device=CPU, mask_corner=masked))
        expected = predict(network, photos[:3], mask_corner=masked).tolist()
        assert scores == pytest.approx(expected, abs=1e-6)


def test_masking_covers_what_stands_in_the_corner(photos: tuple[LabelledPhoto, ...]) -> None:
    plain, masked = (list(score_photos(Brightness(), photos, device=CPU, mask_corner=flag)) for flag in (False, True))
    for index, photo in enumerate(photos):
        with Image.open(photo.path) as picture:
            pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
        assert masked[index] == pytest.approx(mask_corner(pixels).float().mean().item() / 255, abs=1e-6)
        # The white corner is 1.4 % of the photo.
        assert (plain[index] - masked[index] > 0.004) == bool(index % 2)


def test_the_command_measures_an_own_model_with_table_and_plot(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate-mos", "--model", f"{root / 'net.py'}:make", "--dataset", "csv", "--root", str(root)]
    files = ["--csv", str(tmp_path / "table.csv"), "--png", str(tmp_path / "plot.png")]
    assert cli.main([*words, *files, "--mask-corner", "--device", "cpu", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["dataset"] == "scores, test split, lower left corner masked"
    assert report["command"].endswith("--dataset csv --split test --root FOLDER --mask-corner")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text())))
    assert [row["file"] for row in rows] == [f"{index}.png" for index in range(PHOTOS)]
    scores, mos, mapped = (np.array([float(row[key]) for row in rows]) for key in ("score", "mos", "mapped_score"))
    assert report["srocc"] == pytest.approx(stats.spearmanr(scores, mos).statistic, abs=6e-5)
    assert report["plcc"] == pytest.approx(stats.pearsonr(mapped, mos).statistic, abs=6e-5)
    fitted = report["logistic"]
    curve = (fitted["high"] - fitted["low"]) / (1 + np.exp(-(scores - fitted["middle"]) / abs(fitted["slope"])))
    assert mapped == pytest.approx(curve + fitted["low"], abs=1e-4)
    picture = Image.open(tmp_path / "plot.png")
    assert picture.text["Description"] == f"{report['command']} --png plot.png"
    # The blue of the photos, the orange of the curve.
    colours = {colour for _, colour in picture.convert("RGB").getcolors(1_000_000)}
    assert (0xD5, 0x5E, 0x00) in colours
    assert any(blue - red > 60 for red, _, blue in colours)
    assert cli.main([*words, "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "4-parameter logistic" in printed
    assert all(f"{name.upper():<6}" in printed for name in ("srocc", "plcc", "krocc", "rmse"))


def test_what_too_few_photos_do_not_define_is_undefined(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "three.csv"
    table.write_text("file,mos,split\n" + "".join(f"{index}.png,{index},test\n" for index in range(3)))
    words = ["evaluate-mos", "--model", f"{root / 'net.py'}:make", "--dataset", "csv", "--root", str(root)]
    words += ["--scores", str(table), "--device", "cpu"]
    assert cli.main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["srocc"] == 1.0
    assert [report[name] for name in ("plcc", "rmse", "plcc_interval", "logistic")] == [None] * 4
    assert report["command"].endswith(f"--scores {table}")
    table.write_text("file;mos;split\n" + "".join(f"{index}.png;0,5;test\n" for index in range(5)))
    assert cli.main([*words, "--png", str(tmp_path / "plot.png"), "--csv", str(tmp_path / "photos.csv")]) == 0
    printed = capsys.readouterr().out
    assert printed.count("undefined\n") == 4
    assert " 0.0000" not in printed
    assert (tmp_path / "photos.csv").read_text().splitlines()[1].endswith(",")
