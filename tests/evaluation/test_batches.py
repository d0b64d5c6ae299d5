"""Commands over many photos: each good photo counts, each bad one is named, and the exit status says so."""

import io
import json
import shlex
from pathlib import Path

import pandas as pd
import pytest
from table_scorers import save_photos

from robustiqa_core import cli

pytestmark = pytest.mark.thorough

NET = "def make(): return lambda images: 0.5 + images[:, 0].mean((1, 2)) * images[:, 1].std((1, 2))\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six photos, one of which is damaged, a text, and a model."""
    save_photos(tmp_path / "photos", [(64, 64)] * 6)
    whole = (tmp_path / "photos" / "01.png").read_bytes()
    (tmp_path / "photos" / "01.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "photos" / "notes.txt").write_text("no photo")
    (tmp_path / "net.py").write_text(NET)
    rows = [f"photos/{place:02}.png,{place * 7 % 5}" for place in range(6)]
    (tmp_path / "mos.csv").write_text("file,mos\n" + "\n".join(rows) + "\n")
    return tmp_path


def call(folder: Path, *words: object, net: str = "net") -> int:
    return cli.main([str(word) for word in words] + ["--model", f"{folder / net}.py:make", "--device", "cpu"])


def test_score_goes_on_past_bad_photos_and_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["score", folder / "photos", folder / "photos" / "02.png", folder / "nowhere.png"]
    out = folder / "scores.csv"
    assert call(folder, *words, "--json", "--csv", out) == 1
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    names = [Path(row["image"]).stem for row in rows]
    assert names == ["00", "02", "03", "04", "05", "nowhere", "01"]
    assert [row["score"] is None for row in rows] == [False] * 5 + [True] * 2
    assert "damaged" in rows[-1]["error"]
    left_out = [line for line in printed.err.splitlines() if line.startswith("left out ")]
    assert len(left_out) == 2
    assert all(len(line) < 500 for line in left_out)
    frame = pd.read_csv(out)
    assert frame["score"].tolist()[:5] == pytest.approx([row["score"] for row in rows[:5]])
    assert frame["image"].tolist() == [row["image"] for row in rows]
    assert call(folder, *words[:2]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert call(folder, "score", folder / "photos" / "02.png") == 0
    assert call(folder, "score", folder / "photos" / "01.png") == 2


@pytest.mark.parametrize("command", ["score", "certify", "evaluate-mos"])
def test_no_work_is_begun_where_its_result_cannot_be_kept(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "kept.csv").write_text("kept")
    more = {"certify": ["--radius", "0.05"], "evaluate-mos": ["--mos", folder / "mos.csv"]}.get(command, [])
    for place in ("kept.csv", ".", "kept.csv/below.csv", f"{'x' * 300}.csv", "a.pdf"):
        assert call(folder, command, folder / "photos", *more, "--csv", folder / place) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.count("\n") == 1
    assert (folder / "kept.csv").read_text() == "kept"


def test_certified_bounds_hold_the_score_and_are_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["certify", folder / "photos", "--radius", "8/255", "--sigma", "0.1", "--samples", "60"]
    assert call(folder, *words, "--json", "--csv", folder / "bounds.csv") == 1
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 6
    assert all(row["low"] < row["score"] < row["high"] for row in rows[:5])
    assert rows[0]["radius"] == 8 / 255
    assert pd.read_csv(folder / "bounds.csv")["low"].notna().sum() == 5
    assert call(folder, "certify", folder / "photos", "--radius", "3") == 2
    assert "no bound is finite" in capsys.readouterr().err


def test_evaluate_mos_takes_photos_and_their_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate-mos", folder / "photos", "--mos", folder / "mos.csv"]
    assert call(folder, *words, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["photos"] == 5
    assert [Path(record["image"]).name for record in report["left_out"]] == ["01.png"]
    program, *command = shlex.split(report["command"])
    assert program == "robustiqa"
    assert cli.main([*command, "--device", "cpu", "--json"]) == 1
    again = json.loads(capsys.readouterr().out)
    assert again == report
    assert call(folder, "evaluate-mos", folder / "photos") == 2
    assert call(folder, "evaluate-mos", "--dataset", "csv") == 2


def test_evaluate_mos_goes_on_past_photos_that_are_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "mos.csv").open("a") as table:
        table.write("photos/gone.png,3\n")
    words = ["evaluate-mos", "--dataset", "csv", "--root", folder, "--scores", folder / "mos.csv", "--split", "train"]
    assert call(folder, *words, "--json") == 1
    printed = capsys.readouterr()
    assert {Path(record["image"]).name for record in json.loads(printed.out)["left_out"]} == {"01.png", "gone.png"}
    assert "line 8: expected a photo at" in printed.err


def test_the_command_that_evaluate_prints_gives_the_same_figures(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", folder / "photos", "--attack", "noise", "--eps", "4/255", "--out", folder / "t.csv"]
    words += ["--convention", "fixed", "--fixed-range", "0", "2.5", "--resamples", "30", "--mos", folder / "mos.csv"]
    assert call(folder, *words, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["runs"][0]["mos_images"] == 5
    _, *command = shlex.split(told["command"])
    assert cli.main([*command, "--json"]) == 1
    again = json.loads(capsys.readouterr().out)
    assert again["runs"] == told["runs"]
    assert again["convention"] == "fixed"
    assert call(folder, *words) == 1
    assert "agreement with MOS" in capsys.readouterr().out


def test_an_attack_that_changes_nothing_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["attack", folder / "photos" / "02.png", "--attack", "fgsm"]
    # Whose gradient points up while its score goes down.
    (folder / "peak.py").write_text(
        "def make():\n    return lambda images: images.mean((1, 2, 3)) - 2 * images.mean((1, 2, 3)).detach()\n"
    )
    assert call(folder, *words, "--json", net="peak") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["linf"] == 0
    assert "nothing better than the photo itself" in report["notes"][-1]
    assert call(folder, *words, net="peak") == 0
    assert "nothing better than the photo itself" in capsys.readouterr().err


def test_score_table_reads_one_column_a_strength_and_lower_is_better(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = folder / "niqe.csv"
    lines = [f"{place}.png;{place / 10:.1f};{place / 10 - 0.2:.1f};{place / 10 - 0.4:.1f}" for place in range(6)]
    head = "image_name;clear_val;attacked_val_eps=2/255;attacked_val_eps=4/255\n"
    table.write_text(head + "\n".join(lines).replace(".", ",").replace(",png", ".png"))
    words = ["score-table", str(table), "--resamples", "20"]
    assert cli.main([*words, "--json", "--lower-is-better", "--fixed-range", "0", "1"]) == 0
    told = json.loads(capsys.readouterr().out)
    own, _, fixed = told["conventions"]
    assert [(run["model"], run["attack"], run["strength"]) for run in own["runs"]] == [
        ("niqe", "attack", 2 / 255),
        ("niqe", "attack", 4 / 255),
    ]
    assert [run["absolute_gain"] for run in fixed["runs"]] == pytest.approx([0.2, 0.4])
    assert fixed["curves"][0]["areas"]["absolute_gain"] == pytest.approx(0.3)
    assert cli.main([*words, "--csv"]) == 0
    frame = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert (frame["absolute_gain"] < 0).all()
    assert cli.main(words) == 0
    assert "by the trapezoid rule" in capsys.readouterr().out
    table.write_text(head.replace("=4/255", "=4") + "a;0;1;2\nb;1;2;3\n")
    assert cli.main(words) == 2
    assert "strengths in one unit" in capsys.readouterr().err


def test_one_missing_human_score_leaves_the_others(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = folder / "scores.csv"
    rows = [f"m,{place},0.{place},0.{place + 2},{place if place else ''}" for place in range(6)]
    table.write_text("model,image,clean,attacked,mos\n" + "\n".join(rows))
    assert cli.main(["score-table", str(table), "--json", "--resamples", "20"]) == 0
    printed = capsys.readouterr()
    (run,) = json.loads(printed.out)["conventions"][0]["runs"]
    assert run["mos_images"] == 5
    assert run["mos_clean"]["srocc"] == 1.0
    assert "5 of 6 photos" in printed.err
