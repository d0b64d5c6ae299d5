"""What a table says: figures under every convention, areas, worst cases, comparisons; and tables that are refused."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from table_scorers import Contrast, plan, save_photos

from robustiqa_core.attacks import parse_attack
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.evaluation.tables.evaluate import evaluate
from robustiqa_core.evaluation.tables.rows import TableRow
from robustiqa_core.evaluation.tables.runs import ScoreRun, check_same_clean, clean_ranges, runs_of_rows, worst_runs
from robustiqa_core.evaluation.tables.score_table import read_score_table
from robustiqa_core.evaluation.tables.summary import Reference, summarise
from robustiqa_core.metrics.robustness import absolute_gain, area_under_curve, r_score
from robustiqa_core.metrics.scale import CONVENTIONS
from robustiqa_core.scorer import ScoreRange

IMAGES = tuple(f"photo {index}" for index in range(30))


def score_run(model: str, attack: str, strength: float | None, gain: float, *, width: float = 1.0) -> ScoreRun:
    """Scores of 30 photos that span `width` and rise by `gain` of it, photo by photo a little differently."""
    generator = np.random.default_rng(0)
    clean = np.linspace(0.0, width, len(IMAGES))
    rise = gain * width * generator.uniform(0.5, 1.5, len(IMAGES))
    return ScoreRun(model, attack, strength, IMAGES, clean, clean + rise)


def reference(runs: list[ScoreRun], baseline: str, fixed: ScoreRange | None = None) -> Reference:
    ranges = clean_ranges(runs)
    return Reference(ranges, dict.fromkeys(ranges, baseline), ranges, fixed)


def test_a_model_that_only_narrows_its_scores_is_seen_through_by_its_own_scale() -> None:
    runs = [score_run("base", "pgd", 4.0, 0.5), score_run("narrow", "pgd", 4.0, 0.5, width=0.25)]
    summaries = summarise(runs, reference(runs, "base", ScoreRange(0, 1)), CONVENTIONS, resamples=100)
    gains = {summary.convention: [run.figures.absolute_gain for run in summary.runs] for summary in summaries}
    assert gains["own"][1] == pytest.approx(gains["own"][0])
    assert gains["baseline"][1] == pytest.approx(gains["own"][0] / 4)
    assert gains["fixed"] == gains["baseline"]
    assert gains["photos"] == gains["own"], "a reference that is of these photos as well"
    # The narrowing itself is in the table.
    assert [run.figures.clean_range for run in summaries[2].runs] == pytest.approx([1.0, 0.25])
    own, _, baseline = (summary.comparisons[0] for summary in summaries[:3])
    assert own.test.mean_difference == pytest.approx(0.0)
    assert baseline.test.mean_difference == pytest.approx(-0.75 * gains["own"][0])
    assert baseline.test.rank_biserial == -1.0
    assert (baseline.model, baseline.baseline, baseline.convention) == ("narrow", "base", "baseline")
    for summary in summaries:
        assert {run.figures.scale.convention for run in summary.runs} == {summary.convention}


def test_the_range_of_the_photos_at_hand_sees_through_a_model_that_narrows_on_these() -> None:
    base, narrow = score_run("base", "pgd", 4.0, 0.5), score_run("narrow", "pgd", 4.0, 0.5, width=0.25)
    both = [base, narrow]
    wide = dict.fromkeys(("base", "narrow"), ScoreRange(0.0, 1.0))
    ranges = Reference(wide, dict.fromkeys(wide, "base"), wide)
    own, photos = summarise(both, ranges, ["own", "photos"], resamples=10)
    before, after = (run.figures.absolute_gain for run in own.runs)
    assert after == pytest.approx(before / 4)
    before, after = (run.figures.absolute_gain for run in photos.runs)
    assert after == pytest.approx(before)
    alone = [base.over(IMAGES[:1])]
    with pytest.raises(InputError, match="add images"):
        summarise(alone, ranges, ["photos"], resamples=10)


def test_intervals_and_areas_are_those_of_the_figures() -> None:
    runs = [score_run("base", "pgd", strength, strength / 10) for strength in (8.0, 2.0, 4.0)]
    summary = summarise(runs, reference(runs, "base"), ["own"], resamples=100)[0]
    for run in summary.runs:
        low, high = run.intervals["r_score"]
        assert low <= run.figures.r_score <= high
        assert "attacked_clean.srocc" in run.intervals
    (curve,) = summary.curves
    assert curve.strengths == (2.0, 4.0, 8.0)
    gains = [absolute_gain(run.clean, run.attacked) for run in runs]
    assert curve.areas["absolute_gain"] == pytest.approx(area_under_curve([8, 2, 4], gains))
    assert summary.comparisons == ()


def test_an_area_is_over_the_photos_that_all_strengths_have() -> None:
    runs = [score_run("base", "pgd", 2.0, 0.1), score_run("base", "pgd", 4.0, 0.3).over(IMAGES[10:])]
    summary = summarise(runs, reference(runs, "base"), ["own"], resamples=10)[0]
    assert summary.curves[0].images == 20
    alone = [score_run("base", "pgd", 2.0, 0.1), score_run("base", "noise", None, 0.1)]
    assert summarise(alone, reference(alone, "base"), ["own"], resamples=10)[0].curves == ()


def test_the_worst_case_is_taken_photo_by_photo() -> None:
    first, second = score_run("base", "pgd", 4.0, 0.3), score_run("base", "apgd", 4.0, 0.3)
    swapped = replace(second, attacked=second.clean + np.flip(second.attacked - second.clean))
    (worst,) = worst_runs([first, swapped, score_run("base", "pgd", 2.0, 0.1)])
    assert (worst.attack, worst.strength) == ("worst of 2", 4.0)
    assert r_score(worst.clean, worst.attacked) < r_score(first.clean, first.attacked) - 0.01
    assert worst.attacked.tolist() == np.maximum(first.attacked, swapped.attacked).tolist()


def test_a_summary_is_json_and_tells_what_its_convention_means() -> None:
    runs = [score_run("base", "pgd", 4.0, 0.0), score_run("hard", "pgd", 4.0, 0.1)]
    written = json.loads(json.dumps(summarise(runs, reference(runs, "base"), ["own"], resamples=10)[0].to_json()))
    assert written["meaning"] == "each model by the range of its own clean scores"
    assert written["runs"][0]["effect"] == "nothing"
    assert written["runs"][1]["effect"] == "moved"
    assert written["comparisons"][0]["test"]["photos"] == 30


def test_the_fixed_scale_is_not_guessed() -> None:
    runs = [score_run("base", "pgd", 4.0, 0.1)]
    with pytest.raises(ConfigurationError, match="nominal scale"):
        summarise(runs, reference(runs, "base"), ["fixed"], resamples=10)


def test_runs_of_rows_are_those_of_the_rounded_images_and_of_the_transfer(tmp_path: Path) -> None:
    paths = save_photos(tmp_path, [(64, 64)] * 3)
    first, second = Contrast(), Contrast(2.0)
    table = plan(first, second, attacks=(parse_attack("pgd:steps=1,eps=2/255"),), transfer=True)
    rows = [row for row in evaluate(paths, table) if isinstance(row, TableRow)]
    runs = {(run.model, run.attack): run for run in runs_of_rows(rows)}
    assert set(runs) == {
        *(("contrast-0", "pgd:steps=1"), ("contrast-1", "pgd:steps=1")),
        *(("contrast-0", "pgd:steps=1 from contrast-1"), ("contrast-1", "pgd:steps=1 from contrast-0")),
    }
    own, other = runs["contrast-1", "pgd:steps=1"], runs["contrast-1", "pgd:steps=1 from contrast-0"]
    assert own.images == tuple(map(str, paths))
    assert own.strength == 2 / 255
    assert own.clean.tolist() == other.clean.tolist()
    # Both models look for the same checkerboard, so that what fools one fools the other as much.
    assert other.attacked.tolist() == pytest.approx(own.attacked.tolist(), abs=0.02)
    assert own.mos is None


HEAD = "model,image,clean,attacked,attack,strength,mos\n"


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scores.csv"
    path.write_text(text)
    return path


def test_a_score_table_is_read_with_its_optional_columns(tmp_path: Path) -> None:
    lines = ["base,a,1,2,pgd,2,3.5", "base,b,2,2.5,pgd,2,4", "hard,a,1.5,1.75,noise,,", "hard,b,2,2,noise,,4"]
    base, hard = read_score_table(table(tmp_path, HEAD + "\n".join(lines)))
    assert (base.model, base.attack, base.strength, base.images) == ("base", "pgd", 2.0, ("a", "b"))
    assert base.mos is not None
    assert base.mos.tolist() == [3.5, 4.0]
    assert (hard.attack, hard.strength) == ("noise", None)
    assert hard.mos is not None
    assert np.isnan(hard.mos[0])
    assert hard.mos[1] == 4.0
    (only,) = read_score_table(table(tmp_path, "image,attacked,clean,model,note\na,2,1,m,x\nb,3,2,m,y\n"))
    assert (only.attack, only.clean.tolist(), only.attacked.tolist()) == ("attack", [1.0, 2.0], [2.0, 3.0])


def test_clean_scores_that_differ_between_runs_of_one_model_are_refused_by_name(tmp_path: Path) -> None:
    lines = ["m,a,0.1,0.5,pgd,,", "m,b,0.9,0.9,pgd,,", "m,a,0.1,0.2,noise,,", "m,b,0.7,0.8,noise,,"]
    with pytest.raises(
        InputError,
        match=r"one clean score of image 'b' by model 'm', got 0\.9 in the run 'm pgd' and 0\.7 in 'm noise'",
    ):
        read_score_table(table(tmp_path, HEAD + "\n".join(lines)))
    # Another rounding of the same scores is no other model.
    rounded = [line.replace("0.7", "0.9003") for line in lines]
    assert len(read_score_table(table(tmp_path, HEAD + "\n".join(rounded)))) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,image,clean\nm,a,1\n", r"got model, image, clean \(separated by commas\); add attacked"),
        ("", r"got none .*; add model, image, clean, attacked"),
        (HEAD, "at least one line below the header, got none"),
        (HEAD + "m,a,one,2,,,\n", r"line 2: expected a finite number as clean, got 'one'"),
        (HEAD + "m,a,1,nan,,,\n", "line 2: expected a finite number as attacked, got 'nan'"),
        (HEAD + "m,a,1,,,,\n", "line 2: expected a finite number as attacked, got nothing"),
        (HEAD + "m,a\n", "line 2: expected a finite number as clean, got nothing"),
        (HEAD + ",a,1,2,,,\n", "line 2: expected a name in the column model"),
        (HEAD + "m,a,1,2,,weak,\n", "line 2: expected a number or a fraction such as 4/255 as strength, got 'weak'"),
        (HEAD + "m,a,1,2,,,\nm,a,1,3,,,\n", "each image once for m attack, got 'a' twice"),
        (HEAD + "m,a,1,2,,,\nm,b,1,3,,,\n", "different clean scores of model 'm', got 1 for every image"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_score_table(table(tmp_path, text))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got no file"):
        read_score_table(tmp_path / "nowhere.csv")
    (tmp_path / "scores.csv").write_bytes(b"PK\x03\x04\x00\x00model")
    with pytest.raises(InputError, match="UTF-8"):
        read_score_table(tmp_path / "scores.csv")


def test_runs_are_compared_photo_by_photo_whatever_their_order() -> None:
    base = score_run("base", "pgd", 4.0, 0.5)
    hard = replace(score_run("hard", "pgd", 4.0, 0.1).over(IMAGES[::-1]))
    runs = [base, hard]
    check_same_clean(runs)
    test = summarise(runs, reference(runs, "base"), ["own"], resamples=50)[0].comparisons[0].test
    straight = [base, score_run("hard", "pgd", 4.0, 0.1)]
    again = summarise(straight, reference(straight, "base"), ["own"], resamples=50)[0].comparisons[0].test
    assert test.mean_difference == pytest.approx(again.mean_difference)
    assert test.rank_biserial == -1.0
    assert math.isclose(test.interval[0], again.interval[0])
