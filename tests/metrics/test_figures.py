"""The record of all figures, its intervals, and the paired tests."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from robustiqa_core.errors import InputError
from robustiqa_core.metrics.bootstrap import bootstrap_interval, resample
from robustiqa_core.metrics.comparison import compare_paired
from robustiqa_core.metrics.correlation import fit_logistic, plcc, rank_correlations, rmse, srocc
from robustiqa_core.metrics.figures import gain_intervals, rank_intervals, robustness_figures
from robustiqa_core.metrics.robustness import r_score, r_values
from robustiqa_core.metrics.scale import Scale
from robustiqa_core.scorer import ScoreRange

UNIT = Scale("own", ScoreRange(0.0, 1.0))
HUNDRED = Scale("fixed", ScoreRange(0.0, 100.0))


def scores(count: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clean and attacked scores from 0 to 1 and more, and MOS from 1 to 5."""
    generator = np.random.default_rng(3)
    clean = generator.random(count)
    mos = 1 + 4 * clean + 0.4 * generator.standard_normal(count)
    return clean, clean + 0.5 * generator.random(count), mos


def test_the_figures_are_those_of_the_scaled_scores() -> None:
    clean, attacked, mos = scores()
    figures = robustness_figures(100 * clean, 100 * attacked, HUNDRED, mos=mos)
    assert figures.scale is HUNDRED
    assert figures.images == 60
    assert figures.r_score == pytest.approx(r_score(clean, attacked))
    assert figures.absolute_gain == pytest.approx((attacked - clean).mean())
    assert figures.clean_range == pytest.approx(np.ptp(clean))
    assert figures.attacked_clean is not None
    assert figures.attacked_clean.rmse == pytest.approx(rmse(attacked, clean))
    assert figures.effect == "moved"


def test_the_logistic_of_the_clean_scores_is_kept_under_attack() -> None:
    clean, attacked, mos = scores()
    figures = robustness_figures(clean, attacked, UNIT, mos=mos)
    assert figures.mos_clean is not None
    assert figures.mos_attacked is not None
    assert figures.mos_clean.plcc == pytest.approx(plcc(fit_logistic(clean, mos), mos))
    assert figures.mos_clean.srocc == srocc(clean, mos)
    assert figures.mos_attacked.srocc == srocc(attacked, mos)
    # A mapping fitted to the attacked scores would hide the damage.
    assert figures.mos_attacked.rmse > 1.5 * rmse(fit_logistic(attacked, mos), mos)
    assert figures.mos_clean == robustness_figures(clean, attacked, HUNDRED, mos=mos).mos_clean


def test_what_is_not_defined_is_none_and_the_record_is_json() -> None:
    single = robustness_figures([0.5], [0.5], UNIT, mos=[3.0])
    undefined = {
        *("r_score_without_epsilon", "flip_rate", "range_ratio"),
        *("attacked_clean", "mos_clean", "mos_attacked"),
    }
    written = json.loads(json.dumps(single.to_json(), allow_nan=False))
    assert {name for name, value in written.items() if value is None} == undefined
    assert written["scale"] == {"convention": "own", "score_range": {"low": 0.0, "high": 1.0}}
    assert robustness_figures([-2.0], [0.0], UNIT).relative_gain is None


@pytest.mark.parametrize(("unmoved", "effect"), [(0, "moved"), (4, "moved"), (5, "partly"), (50, "nothing")])
def test_an_attack_that_did_nothing_is_flagged_and_not_praised(unmoved: int, effect: str) -> None:
    clean = np.linspace(0, 1, 100)
    attacked = clean + np.where(np.arange(100) < unmoved, 0.0, 0.3)
    figures = robustness_figures(clean, attacked, UNIT)
    assert figures.effect == effect
    assert figures.to_json()["effect"] == effect


def test_intervals_hold_the_figure_and_narrow_with_the_photos() -> None:
    widths = []
    for count in (40, 640):
        clean, attacked, mos = scores(count)
        intervals = gain_intervals(clean, attacked, UNIT, resamples=300)
        intervals |= rank_intervals(clean, attacked, mos=mos, resamples=300)
        figures = robustness_figures(clean, attacked, UNIT, mos=mos).to_json()
        for name, (low, high) in intervals.items():
            key, _, part = name.partition(".")
            value = figures[key][part] if part else figures[key]
            assert low <= value <= high
        low, high = intervals["r_score"]
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_the_interval_of_the_r_score_is_the_one_of_its_values() -> None:
    clean, attacked, _ = scores()
    expected = bootstrap_interval(lambda values: float(values.mean()), r_values(clean, attacked), resamples=200)
    assert gain_intervals(clean, attacked, UNIT, resamples=200)["r_score"] == pytest.approx(expected)
    ranks = rank_intervals(clean, attacked, resamples=200)["attacked_clean.srocc"]
    assert ranks == pytest.approx(bootstrap_interval(srocc, attacked, clean, resamples=200))


def test_relative_gain_has_no_interval_where_it_is_not_defined() -> None:
    assert "relative_gain" not in gain_intervals([-2.0, 0.5], [0.0, 0.6], UNIT, resamples=10)


def test_rank_correlations_of_rows_equal_spearmans() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 8, (2, 5, 30)).astype(float)
    first[4] = 1.0
    expected = [srocc(a, b) for a, b in zip(first, second, strict=True)]
    *found, constant = rank_correlations(first, second).tolist()
    assert found == pytest.approx(expected[:4])
    assert expected[4] is None
    assert np.isnan(constant)


def test_the_agreement_with_people_is_of_the_photos_that_they_rated() -> None:
    clean, attacked, mos = scores()
    some = np.where(np.arange(mos.size) % 3 == 0, np.nan, mos)
    known = ~np.isnan(some)
    figures = robustness_figures(clean, attacked, UNIT, mos=some)
    rated = robustness_figures(clean[known], attacked[known], UNIT, mos=mos[known])
    assert (figures.mos_images, figures.images) == (known.sum(), mos.size)
    assert (figures.mos_clean, figures.mos_attacked) == (rated.mos_clean, rated.mos_attacked)
    intervals, expected = (
        rank_intervals(clean[use], attacked[use], mos=some[use], resamples=50) for use in (known | True, known)
    )
    assert intervals["mos_attacked.srocc"] == expected["mos_attacked.srocc"]
    assert set(rank_intervals(clean, attacked, mos=np.full(mos.size, 3.0), resamples=50)) == {"attacked_clean.srocc"}


def test_photos_are_drawn_together_with_all_that_belongs_to_them() -> None:
    values = np.arange(10.0)
    difference = resample(lambda a, b: np.abs(a - 2 * b).max(-1), 2 * values, values, resamples=130)
    assert difference.shape == (130,)
    assert difference.max() == 0.0
    for wrong in (([1.0], [1.0, 2.0]), ([], [])):
        with pytest.raises(InputError, match="equal, non-zero length"):
            resample(lambda a, b: a.mean(-1), *wrong)


def test_a_paired_test_finds_a_shift_that_unpaired_photos_would_hide() -> None:
    generator = np.random.default_rng(1)
    first = generator.normal(0.0, 1.0, 50)
    second = first + 0.1 + 0.05 * generator.standard_normal(50)
    test = compare_paired(first, second)
    assert stats.ttest_ind(first, second).pvalue > 0.3
    assert test.wilcoxon_p < 1e-6
    assert test.bootstrap_p == pytest.approx(2 / 1001)
    assert test.interval[0] < test.mean_difference < test.interval[1]
    assert test.interval[0] > 0
    assert test.rank_biserial > 0.9
    back = compare_paired(second, first)
    assert back.mean_difference == pytest.approx(-test.mean_difference)
    assert back.rank_biserial == pytest.approx(-test.rank_biserial)


def test_a_paired_test_of_equal_figures_finds_nothing() -> None:
    test = compare_paired([0.1, 0.4, 0.4], [0.1, 0.4, 0.4])
    assert (test.mean_difference, test.wilcoxon_p, test.bootstrap_p, test.rank_biserial) == (0.0, 1.0, 1.0, 0.0)


def test_the_effect_size_is_worked_by_hand() -> None:
    # Differences 0.3, -0.1, 0.2, 0: ranks 3 and 2 up, 1 down, the unmoved photo left out.
    test = compare_paired([0, 0, 0, 0], [0.3, -0.1, 0.2, 0.0])
    assert test.rank_biserial == pytest.approx((3 + 2 - 1) / 6)
    assert test.photos == 4
    assert not math.isnan(test.wilcoxon_p)


def test_paired_p_values_keep_their_level_where_there_is_no_effect() -> None:
    generator = np.random.default_rng(7)
    tests = [compare_paired(*generator.normal(size=(2, 40)), resamples=200) for _ in range(200)]
    for name in ("wilcoxon_p", "bootstrap_p"):
        assert np.mean([getattr(test, name) < 0.05 for test in tests]) < 0.11
