"""The commands `evaluate` and `score-table`."""

import argparse
import csv
import io
import json
import shlex
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from random_checkpoints import save_random
from table_scorers import save_photos

from robustiqa_core import cli
from robustiqa_core.cli import evaluate, score_table
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.folders import CHECKPOINTS_VARIABLE


def call(command: ModuleType, *words: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return int(command.run(parser.parse_args([str(word) for word in words])))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two Linearity networks with random weights; the hardened one spans twice the range."""
    root = tmp_path_factory.mktemp("checkpoints")
    save_random(root, side=64)
    return save_random(root, side=64, variant="hardened", high=0.3, seed=1)


@pytest.fixture
def folder(tmp_path: Path, checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(checkpoints))
    save_photos(tmp_path / "photos", [(64, 64)] * 3)
    (tmp_path / "photos" / "00.png").write_bytes(b"no photo")
    return tmp_path


MODELS = ("--model", "linearity", "--model", "linearity-hardened")


@pytest.mark.thorough
def test_evaluate_writes_the_table_and_prints_figures_with_their_convention(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "table.parquet"
    (folder / "mos.csv").write_text("file,mos\n01.png,3\n02.png,4\n")
    words = [folder / "photos", *MODELS, "--attack", "fgsm", "--eps", "2/255", "4/255", "--transfer", "--out", out]
    words += ["--mos", folder / "mos.csv", "--device", "cpu", "--resamples", "50"]
    assert call(evaluate, *words, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    frame = pd.read_parquet(out)
    # Two photos, two models, two strengths.
    assert len(frame) == told["rows"] == 8
    assert [record["image"] for record in told["skipped"]] == [str(folder / "photos" / "00.png")]
    assert told["convention"] == "own"
    assert {run["attack"] for run in told["runs"]} == {
        *("fgsm", "fgsm from linearity-baseline", "fgsm from linearity-hardened", "worst of 2")
    }
    assert told["command"].startswith("robustiqa evaluate ")
    (made,) = frame["table_command"].unique()
    assert told["command"] == f"{made} --convention own --resamples 50"
    assert frame["mos"].tolist() == [3.0] * 4 + [4.0] * 4
    assert frame["model_sha256"].nunique() == 2

    # Nothing is computed again, and another scale gives other figures of the same rows.
    before = out.read_bytes()
    assert call(evaluate, *words, "--convention", "baseline") == 1
    printed = capsys.readouterr()
    assert "baseline: every model by the range of the baseline's clean scores" in printed.out
    assert "linearity-hardened -0.1 to 0.1" in printed.out
    assert "gain (baseline)" in printed.out
    assert "linearity-hardened - linearity-baseline" in printed.out
    assert "left out" in printed.err
    assert "00.png" in printed.err
    assert out.read_bytes() == before


def test_the_command_of_a_row_repeats_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [folder / "photos" / "01.png", "--attack", "pgd:steps=2", "--out", folder / "table.csv", "--device", "cpu"]
    assert call(evaluate, *words, "--resamples", "10") == 0
    capsys.readouterr()
    (row,) = pd.read_csv(folder / "table.csv").to_dict("records")
    program, *command = shlex.split(row["command"].replace("--out .", f"--out {shlex.quote(str(folder / 'again'))}"))
    assert program == "robustiqa"
    assert cli.main(command) == 0
    again = json.loads(capsys.readouterr().out)
    for name in ("clean_score", "adversarial_score", "rounded_score", "ssim", "image_sha256"):
        assert again[name] == pytest.approx(row[name]) if isinstance(again[name], float) else again[name] == row[name]


def test_evaluate_refuses_what_makes_no_table(folder: Path) -> None:
    photo, out = folder / "photos" / "01.png", folder / "table.csv"
    with pytest.raises(ConfigurationError, match="must end in"):
        call(evaluate, photo, "--out", folder / "table.txt")
    with pytest.raises(ConfigurationError, match="linearity-baseline, linearity-hardened"):
        call(evaluate, photo, "--model", "niqe", "--out", out)
    with pytest.raises(ConfigurationError, match="a setting of noise"):
        call(evaluate, photo, "--attack", "noise:steps=3", "--out", out)
    with pytest.raises(ConfigurationError, match="give --fixed-range LOW HIGH"):
        call(evaluate, photo, "--convention", "fixed", "--out", out)
    with pytest.raises(ConfigurationError, match="linearity, linearity-hardened"):
        call(evaluate, photo, *MODELS, "--baseline", "best", "--out", out)
    with pytest.raises(InputError, match="got none"):
        call(evaluate, folder / "photos" / "00.png", "--out", out, "--device", "cpu")
    assert not out.exists()


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """A baseline on 0 to 100, a hardened model that only narrows its scores, and an attack that does nothing."""
    clean = np.linspace(0, 100, 40)
    path = tmp_path / "scores.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["model", "image", "clean", "attacked", "attack", "strength"])
        for model, factor in (("base", 1.0), ("narrow", 0.25)):
            for attack, strength, gain in (("pgd", 2, 20.0), ("pgd", 4, 40.0), ("idle", "", 0.0)):
                for index, score in enumerate(clean):
                    rise = gain * (1 + index % 3 / 10)
                    writer.writerow([model, f"{index}.png", factor * score, factor * (score + rise), attack, strength])
    return path


def test_score_table_shows_the_conventions_side_by_side_and_flags_an_idle_attack(
    scores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(score_table, scores, "--resamples", "20") == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert "baseline: base" in lines
    head = next(line for line in lines if line.startswith("model "))
    assert head.index("gain (own)") < head.index("gain (baseline)") < head.index("R (own)") < head.index("R (baseline)")
    narrow = next(line for line in lines if line.startswith("narrow") and " pgd " in line).split()
    # A gain of 0.2195 of its own range is a quarter of that on the baseline's.
    assert narrow[4:6] == ["+0.219", "+0.055"]
    idle = [line for line in lines if line.split()[1:2] == ["idle"]]
    assert len(idle) == 2
    assert all(line.endswith("did nothing") for line in idle)
    assert "no robustness here" in printed
    assert "--fixed-range LOW HIGH" in printed


def test_score_table_gives_json_and_csv(scores: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [scores, "--fixed-range", "0", "100", "--baseline", "base", "--resamples", "20"]
    assert call(score_table, *words, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [summary["convention"] for summary in told["conventions"]] == ["own", "baseline", "fixed"]
    narrowed = [summary["runs"][3] for summary in told["conventions"]]
    assert [run["model"] for run in narrowed] == ["narrow"] * 3
    gains = [run["absolute_gain"] for run in narrowed]
    assert gains[0] == pytest.approx(4 * gains[1])
    assert gains[1] == gains[2]
    assert narrowed[0]["intervals"]["r_score"]["low"] < narrowed[0]["r_score"]
    assert call(score_table, *words, "--csv") == 0
    frame = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert len(frame) == 3 * 6
    assert frame["scale.convention"].unique().tolist() == ["own", "baseline", "fixed"]
    assert frame.loc[3, "absolute_gain"] == pytest.approx(gains[0])
    assert {"intervals.r_score.low", "intervals.r_score.high", "attacked_clean.srocc", "effect"} <= set(frame)
    with pytest.raises(ConfigurationError, match="base, narrow"):
        call(score_table, scores, "--baseline", "best")
