from collections.abc import Callable

import numpy as np
import pytest

from robustiqa_core.errors import InputError
from robustiqa_core.metrics.bootstrap import bootstrap_interval
from robustiqa_core.metrics.correlation import fit_logistic, krocc, logistic, plcc, rmse, spell_correlation, srocc

SCORES, MOS = [0.1, 0.4, 0.35, 0.8, 0.7], [1.0, 2.0, 3.0, 4.0, 5.0]


def test_srocc_equals_the_hand_computed_value() -> None:
    # Ranks 1 3 2 5 4 against 1 2 3 4 5: sum of squared differences 4; 1 - 6 * 4 / (5 * 24).
    assert srocc(SCORES, MOS) == pytest.approx(0.8)


def test_krocc_equals_the_hand_computed_value() -> None:
    # 2 of the 10 pairs are in the wrong order.
    assert krocc(SCORES, MOS) == pytest.approx(0.6)


def test_plcc_and_rmse_equal_the_hand_computed_values() -> None:
    assert plcc([1, 2, 4], [1, 3, 2]) == pytest.approx(0.3273268)
    assert rmse([1, 2], [2, 4]) == pytest.approx(2.5**0.5)


@pytest.mark.parametrize("figure", [srocc, krocc, plcc])
@pytest.mark.parametrize("constant", [[1, 1, 1], [0.1 + 0.2, 0.3, 0.3], [0, 0, 0]])
def test_the_correlation_with_a_constant_is_undefined_and_not_0(
    figure: Callable[..., float | None], constant: list[float]
) -> None:
    assert figure(constant, [1, 2, 3]) is None
    assert figure([1, 2, 3], constant) is None
    assert spell_correlation(figure(constant, [1, 2, 3])) == "undefined"
    assert bootstrap_interval(figure, constant, [1, 2, 3], resamples=10) is None
    # Draws of one photo only have no correlation, and do not count as 0.
    low, _ = bootstrap_interval(figure, [1, 2], [1, 2], resamples=50) or (0.0, 0.0)
    assert low == pytest.approx(1.0)


def test_the_logistic_fit_finds_the_curve_that_made_the_scores() -> None:
    scores = np.linspace(-2, 3, 60)
    mos = logistic(scores, 0.9, 0.1, 0.4, 0.6)
    assert np.abs(fit_logistic(scores, mos) - mos).max() < 1e-6
    assert plcc(scores, mos) < plcc(fit_logistic(scores, mos), mos)


def test_a_logistic_needs_as_many_photos_as_parameters() -> None:
    with pytest.raises(InputError, match="at least 4 photos, got 3"):
        fit_logistic([1, 2, 3], [1, 2, 3])


@pytest.mark.parametrize(("a", "b"), [([1.0], [1.0]), ([1, 2], [1, 2, 3]), ([1, np.nan], [1, 2]), ([[1, 2]], [[1, 2]])])
def test_lists_that_do_not_pair_are_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(InputError):
        srocc(a, b)


@pytest.mark.thorough
def test_the_bootstrap_interval_of_a_mean_is_the_usual_one() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = bootstrap_interval(lambda a, b: float(a.mean()), values, values, resamples=2000)
    half_width = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half_width, abs=0.03)
    assert high == pytest.approx(values.mean() + half_width, abs=0.03)
    assert bootstrap_interval(srocc, SCORES, MOS, seed=3) == bootstrap_interval(srocc, SCORES, MOS, seed=3)
