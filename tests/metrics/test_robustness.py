"""Robustness figures by hand, against plain formulas, and what they must not depend on."""

import math

import msu_formulas as msu
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.metrics import robustness
from robustiqa_core.metrics.distribution import energy_score, wasserstein_score
from robustiqa_core.metrics.scale import CONVENTIONS, Scale, choose_scale
from robustiqa_core.scorer import ScoreRange

# Steps of 1/64 on [-0.25, 1.25]: sums are exact, ties and unmoved images are frequent.
GRID = st.integers(-16, 80).map(lambda value: value / 64)
PAIRS = st.lists(st.tuples(GRID, GRID), min_size=2, max_size=20)
QUICK = settings(max_examples=60, deadline=None)


def split(pairs: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    clean, attacked = zip(*pairs, strict=True)
    return np.array(clean), np.array(attacked)


def test_values_worked_by_hand() -> None:
    clean, attacked = [0.2, 0.5, 0.9], [0.6, 0.5, 1.0]
    assert robustness.absolute_gain(clean, attacked) == pytest.approx(0.5 / 3)
    assert robustness.relative_gain(clean, attacked) == pytest.approx((0.4 / 1.2 + 0 + 0.1 / 1.9) / 3)
    # log10 of 0.8 / 0.4, 0.5 / 1e-6 and 0.9 / 0.1.
    assert robustness.r_score(clean, attacked) == pytest.approx((0.30103 + 5.69897 + 0.954243) / 3, abs=1e-5)
    assert robustness.unmoved_share(clean, attacked) == pytest.approx(1 / 3)
    # After the attack 0.6, 0.5, 1.0: one of three pairs is reversed.
    assert robustness.flip_rate(clean, attacked) == pytest.approx(1 / 3)
    assert robustness.range_ratio(attacked, clean) == pytest.approx(0.5 / 0.7)
    # Sorted 0.2 0.5 0.9 against 0.5 0.6 1.0: 0.3, 0.1 and 0.1.
    assert wasserstein_score(clean, attacked) == pytest.approx(0.5 / 3)
    # Two single scores at distance d: sqrt(2 d).
    assert energy_score([0.5], [0.3]) == pytest.approx(-math.sqrt(0.4))


def test_the_variant_without_epsilon_is_worked_by_hand() -> None:
    clean, attacked = [0.2, 0.5], [0.6, 0.9]
    # Room: max(0.9 - 0.6, 0.2 - 0.2) = 0.3 and max(0, 0.5 - 0.2) = 0.3; change 0.4 and 0.4.
    assert robustness.r_score_without_epsilon(clean, attacked) == pytest.approx(math.log10(0.75))


def test_the_variant_without_epsilon_is_not_defined_where_an_image_did_not_move() -> None:
    assert math.isnan(robustness.r_score_without_epsilon([0.2, 0.5], [0.2, 0.9]))
    # The worst before and the best after: no room at all.
    assert math.isnan(robustness.r_score_without_epsilon([0.2, 0.5], [0.9, 0.6]))


def test_an_attack_that_did_nothing_has_an_r_score_of_nearly_6() -> None:
    assert robustness.r_score([0.0, 1.0], [0.0, 1.0]) == pytest.approx(6.0)
    assert robustness.unmoved_share([0.0, 1.0], [0.0, 1.0]) == 1.0


def test_relative_gain_has_no_meaning_below_minus_one() -> None:
    assert math.isnan(robustness.relative_gain([-1.0, 0.5], [0.0, 0.6]))


def test_flips_of_constant_scores() -> None:
    assert math.isnan(robustness.flip_rate([0.5, 0.5], [0.1, 0.9]))
    assert robustness.flip_rate([0.1, 0.9], [0.5, 0.5]) == 0.5
    assert math.isnan(robustness.range_ratio([0.1, 0.9], [0.5, 0.5]))


@QUICK
@given(PAIRS)
def test_figures_equal_an_independent_implementation(pairs: list[tuple[float, float]]) -> None:
    clean, attacked = split(pairs)
    figures = {
        robustness.absolute_gain: msu.absolute_gain,
        robustness.relative_gain: msu.relative_gain,
        robustness.r_score: msu.r_score,
        wasserstein_score: msu.wasserstein,
    }
    for ours, theirs in figures.items():
        assert ours(clean, attacked) == pytest.approx(theirs(clean, attacked), abs=1e-9)
    # The square root of a rounding error of 1e-16 is 1e-8.
    assert energy_score(clean, attacked) == pytest.approx(msu.energy(clean, attacked), abs=1e-7)
    if np.ptp(clean) > 0:
        assert robustness.flip_rate(clean, attacked) == pytest.approx(msu.reversed_pairs(clean, attacked), abs=1e-9)


@QUICK
@given(PAIRS, st.floats(0.01, 100), st.floats(-100, 100))
def test_a_linear_map_of_a_models_scores_changes_no_figure_on_its_own_scale(
    pairs: list[tuple[float, float]], factor: float, offset: float
) -> None:
    clean, attacked = split(pairs)
    mapped = ScoreRange(offset, factor + offset)
    for figure in (robustness.absolute_gain, robustness.r_score, robustness.unmoved_share, wasserstein_score):
        before = figure(*(Scale("own", ScoreRange(0, 1)).apply(scores) for scores in (clean, attacked)))
        after = figure(*(Scale("own", mapped).apply(factor * scores + offset) for scores in (clean, attacked)))
        assert after == pytest.approx(before, abs=1e-6)


@QUICK
@given(PAIRS, st.integers(1, 5))
def test_the_variant_and_the_flips_do_not_depend_on_any_scale(pairs: list[tuple[float, float]], power: int) -> None:
    clean, attacked = split(pairs)
    assume((clean != attacked).all())
    # A power of two maps floats exactly, so that ties stay ties.
    for figure in (robustness.r_score_without_epsilon, robustness.flip_rate, robustness.range_ratio):
        mapped = figure(2.0**power * clean + 1, 2.0**power * attacked + 1)
        assert mapped == pytest.approx(figure(clean, attacked), abs=1e-9, nan_ok=True)


def test_a_model_that_merely_narrows_its_scores_gains_on_the_baselines_scale_only() -> None:
    generator = np.random.default_rng(0)
    clean = generator.random(100)
    attacked = clean + 0.3 * generator.random(100)
    baseline, narrow = ScoreRange(0, 1), ScoreRange(0.4, 0.65)
    gains = {}
    for convention in CONVENTIONS:
        scale = choose_scale(convention, own=narrow, baseline=baseline, fixed=baseline, photos=narrow)
        narrowed = (scale.apply(0.4 + 0.25 * scores) for scores in (clean, attacked))
        gains[convention] = robustness.absolute_gain(*narrowed)
    true = robustness.absolute_gain(clean, attacked)
    assert gains == pytest.approx({"own": true, "photos": true, "baseline": true / 4, "fixed": true / 4})


@QUICK
@given(PAIRS)
def test_distances_of_the_sets_have_the_sign_of_the_mean_change_and_at_least_its_size(
    pairs: list[tuple[float, float]],
) -> None:
    clean, attacked = split(pairs)
    gain = robustness.absolute_gain(clean, attacked)
    assert abs(wasserstein_score(clean, attacked)) >= abs(gain) - 1e-12
    for figure in (wasserstein_score, energy_score):
        assert figure(clean, attacked) * gain >= 0
        if gain != 0:
            assert figure(attacked, clean) == pytest.approx(-figure(clean, attacked))


@QUICK
@given(st.lists(st.tuples(GRID, GRID, GRID), min_size=1, max_size=10))
def test_the_worst_case_is_at_least_as_far_as_each_attack_and_is_one_of_them(
    triples: list[tuple[float, float, float]],
) -> None:
    clean, first, second = (np.array(scores) for scores in zip(*triples, strict=True))
    worst = robustness.worst_case(clean, [first, second])
    assert ((worst == first) | (worst == second)).all()
    for attacked in (first, second):
        assert (np.abs(worst - clean) >= np.abs(attacked - clean)).all()
        assert robustness.r_score(clean, worst) <= robustness.r_score(clean, attacked) + 1e-12


def test_the_worst_case_needs_an_attack() -> None:
    with pytest.raises(InputError, match="at least one attack, got none"):
        robustness.worst_case([0.5], [])


@QUICK
@given(st.dictionaries(st.integers(1, 32), GRID, min_size=2, max_size=6), st.randoms())
def test_the_area_under_a_curve_does_not_depend_on_the_order(curve: dict[int, float], random: object) -> None:
    points = list(curve.items())
    random.shuffle(points)  # type: ignore[attr-defined]
    strengths, figures = zip(*points, strict=True)
    found = robustness.area_under_curve(strengths, figures)
    assert found == pytest.approx(msu.area(strengths, figures))
    assert min(figures) - 1e-12 <= found <= max(figures) + 1e-12


def test_the_area_needs_different_strengths() -> None:
    with pytest.raises(InputError, match="different strengths"):
        robustness.area_under_curve([2, 2], [0.1, 0.2])


@pytest.mark.parametrize(
    ("clean", "attacked"), [([], []), ([0.1], [0.1, 0.2]), ([0.1, math.nan], [0.1, 0.2]), ([[0.1]], [[0.2]])]
)
def test_scores_that_do_not_pair_are_refused(clean: list[float], attacked: list[float]) -> None:
    for figure in (robustness.absolute_gain, robustness.r_score, robustness.unmoved_share, wasserstein_score):
        with pytest.raises(InputError):
            figure(clean, attacked)


def test_a_scale_names_its_convention_and_is_refused_without_its_range() -> None:
    own, baseline = ScoreRange(0, 1), ScoreRange(0, 2)
    assert choose_scale("own", own=own, baseline=baseline).score_range is own
    assert choose_scale("baseline", own=own, baseline=baseline) == Scale("baseline", baseline)
    assert choose_scale("photos", own=own, baseline=baseline, photos=ScoreRange(0, 0.5)).score_range.high == 0.5
    with pytest.raises(ConfigurationError, match="clean scores of the photos at hand"):
        choose_scale("photos", own=own, baseline=baseline)
    with pytest.raises(ConfigurationError, match="nominal scale"):
        choose_scale("fixed", own=own, baseline=baseline)
    with pytest.raises(ConfigurationError, match="own, photos, baseline, fixed"):
        Scale("mine", own)  # type: ignore[arg-type]
