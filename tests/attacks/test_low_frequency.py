"""The low-frequency attack: its splines against SciPy's, its optimum on linear scorers, and the waves that it lacks."""

import numpy as np
import pytest
import torch
from attack_scorers import EPS, SmallNet, draw, linear, photos
from scipy.interpolate import BSpline
from torch import Tensor

from robustiqa_core.attacks import LowFrequency, complete
from robustiqa_core.attacks.low_frequency import spline_weights


def weights_of(size: int, spacing: int) -> Tensor:
    return spline_weights(size, spacing, like=torch.empty(0, dtype=torch.float32))


@pytest.mark.parametrize(("size", "spacing"), [(1, 2), (12, 5), (64, 8), (65, 8), (40, 64)])
def test_the_weights_are_the_cubic_b_splines_of_scipy(size: int, spacing: int) -> None:
    weights = weights_of(size, spacing).double().numpy()
    knots = np.arange(-3, weights.shape[1] + 2, dtype=float)
    places = (np.arange(size) + 0.5) / spacing
    expected = BSpline.design_matrix(places, knots, 3).toarray()
    np.testing.assert_allclose(weights, expected[:, : weights.shape[1]], atol=1e-7)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-6)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_the_gain_on_a_linear_scorer_is_eps_times_the_l1_norm_of_the_knots_gradient(direction: str) -> None:
    images = photos(inner=True)
    scorer = linear(images)
    down, across = weights_of(12, 8), weights_of(20, 8)
    best = EPS * (down.T @ scorer.weight @ across).abs().sum()
    result = complete(LowFrequency(EPS, direction=direction), scorer, images)
    gain = result.adversarial_scores - result.clean_scores
    torch.testing.assert_close(gain, ((1 if direction == "up" else -1) * best).expand(3), rtol=1e-4, atol=0)


def share_above(perturbation: Tensor, frequency: float) -> float:
    """Return the share of the energy above a frequency in cycles per pixel, on either axis."""
    power = torch.fft.fft2(perturbation.double()).abs().square()
    rows, columns = (torch.fft.fftfreq(size).abs() for size in perturbation.shape[-2:])
    high = (rows[:, None] > frequency) | (columns[None] > frequency)
    return float(power[..., high].sum() / power.sum())


@pytest.mark.parametrize("spacing", [4, 8, 16])
def test_the_pattern_has_no_waves_shorter_than_its_spacing(spacing: int) -> None:
    # A photo that its mirror image continues has no edge where the transform takes it for a tile.
    side = 128
    images = photos(1, inner=True, height=side, width=side)
    result = complete(LowFrequency(EPS, spacing=spacing), linear(images), images)
    perturbation = result.adversarial - images
    window = torch.hann_window(side)[:, None] * torch.hann_window(side)
    assert share_above(perturbation * window, 1 / spacing) < 1e-3
    assert share_above((draw(5, 1, 3, side, side) * window), 1 / spacing) > 0.5


def test_no_value_moves_farther_than_eps_and_nothing_is_clipped_to_keep_that() -> None:
    images = photos(inner=True)
    for trial in LowFrequency(EPS).iterate(SmallNet(), images):
        assert (trial.adversarial - images).abs().max() <= EPS * (1 + 1e-5)
    knots = EPS * draw(3, 5, 6).sign()
    pattern = weights_of(12, 8)[:, :5] @ knots @ weights_of(20, 8).T[:6]
    assert pattern.abs().max() <= EPS * (1 + 1e-6)
