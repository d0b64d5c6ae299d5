"""Attacks on scorers whose best adversarial image is known in closed form."""

import pytest
import torch
from attack_scorers import EPS, Quadratic, draw, linear, photos
from torch import Tensor

from robustiqa_core.attacks import FGSM, PGD, Attack, Direction, Noise, complete, projections

UP_AND_DOWN = pytest.mark.parametrize("direction", ["up", "down"])


def attacks(norm: projections.Norm, direction: Direction) -> list[Attack]:
    """Return the gradient attacks, with a random start where there is one."""
    # A larger step turns faster from a random start on the sphere to the direction of the weights.
    step_size = EPS if norm == "l2" else None
    return [
        FGSM(EPS, norm=norm, direction=direction),
        PGD(EPS, steps=20, step_size=step_size, norm=norm, direction=direction),
        PGD(EPS, steps=20, step_size=step_size, norm=norm, direction=direction, random_start=False),
    ]


def sign(direction: Direction) -> float:
    """Return 1 for up, -1 for down."""
    return 1.0 if direction == "up" else -1.0


@UP_AND_DOWN
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_linf_gain_on_a_linear_scorer_is_eps_times_the_l1_norm_of_its_weights(
    direction: Direction, dtype: torch.dtype
) -> None:
    images = photos(inner=True).to(dtype)
    scorer = linear(images)
    expected = sign(direction) * EPS * scorer.weight.abs().sum().expand(3)
    for attack in attacks("linf", direction):
        result = complete(attack, scorer, images)
        gain = result.adversarial_scores - result.clean_scores
        torch.testing.assert_close(gain, expected, rtol=1e-5 if dtype == torch.float32 else 1e-12, atol=0)
        corner = images + sign(direction) * EPS * scorer.weight.sign()
        torch.testing.assert_close(result.adversarial, corner, rtol=0, atol=1e-6)


@UP_AND_DOWN
def test_ten_steps_of_the_default_size_reach_the_linf_optimum_from_a_random_start(direction: Direction) -> None:
    images = photos(inner=True)
    scorer = linear(images)
    result = complete(PGD(EPS, direction=direction), scorer, images)
    expected = sign(direction) * EPS * scorer.weight.abs().sum().expand(3)
    torch.testing.assert_close(result.adversarial_scores - result.clean_scores, expected, rtol=1e-5, atol=0)


@UP_AND_DOWN
def test_the_l2_gain_on_a_linear_scorer_is_the_radius_times_the_l2_norm_of_its_weights(direction: Direction) -> None:
    images = photos(inner=True)
    scorer = linear(images)
    radius = EPS * (3 * 12 * 20) ** 0.5
    expected = sign(direction) * radius * scorer.weight.norm().expand(3)
    for attack in attacks("l2", direction):
        result = complete(attack, scorer, images)
        gain = result.adversarial_scores - result.clean_scores
        torch.testing.assert_close(gain, expected, rtol=1e-5, atol=0)


@UP_AND_DOWN
def test_the_linf_optimum_is_reached_where_0_and_1_cut_the_ball(direction: Direction) -> None:
    images = photos()
    assert ((images < EPS) | (images > 1 - EPS)).float().mean() > 0.25, "many values near the ends"
    scorer = linear(images)
    corner = (images + sign(direction) * EPS * scorer.weight.sign()).clamp(0.0, 1.0)
    for attack in attacks("linf", direction):
        result = complete(attack, scorer, images)
        torch.testing.assert_close(result.adversarial, corner, rtol=0, atol=1e-6)
        torch.testing.assert_close(result.adversarial_scores, scorer(corner), rtol=1e-5, atol=1e-5)


@UP_AND_DOWN
def test_pgd_finds_a_peak_inside_the_ball_that_fgsm_steps_over(direction: Direction) -> None:
    # A parabola of each pixel with its top 2/255 from the photo's values, in the direction of the weights.
    images = torch.full((2, 3, 12, 20), 0.5)
    steepness = 100.0
    shift = 2 / 255 * draw(3, 3, 12, 20).sign()
    scorer = Quadratic(sign(direction) * steepness * shift, -sign(direction) * steepness)
    top = sign(direction) * 0.5 * steepness * (shift**2).sum()
    pgd = complete(PGD(EPS, steps=40, step_size=0.5 / 255, direction=direction), scorer, images)
    fgsm = complete(FGSM(EPS, direction=direction), scorer, images)
    torch.testing.assert_close((pgd.adversarial_scores - pgd.clean_scores) / top, torch.ones(2), rtol=0, atol=0.07)
    assert torch.equal(fgsm.adversarial, images), "8/255 lies farther beyond the top than the photo lies below it"
    assert torch.equal(fgsm.adversarial_scores, fgsm.clean_scores)


@UP_AND_DOWN
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_photo_at_the_top_is_returned_as_it_is(direction: Direction, norm: projections.Norm) -> None:
    images = torch.full((2, 3, 12, 20), 0.5)
    scorer = Quadratic(torch.zeros(3, 12, 20), -100.0 * sign(direction))
    for attack in attacks(norm, direction):
        result = complete(attack, scorer, images)
        assert torch.equal(result.adversarial, images)
        assert torch.equal(result.adversarial_scores, result.clean_scores)


@UP_AND_DOWN
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_random_start_gets_away_from_a_photo_without_gradient(direction: Direction, norm: projections.Norm) -> None:
    # At the bottom of a bowl every direction is as good; the optimum has each value at its end of the ball.
    images = torch.full((2, 3, 12, 20), 0.5)
    scorer = Quadratic(torch.zeros(3, 12, 20), 100.0 * sign(direction))
    stuck = complete(PGD(EPS, norm=norm, direction=direction, random_start=False), scorer, images)
    free = complete(PGD(EPS, norm=norm, direction=direction), scorer, images)
    assert torch.equal(stuck.adversarial, images)
    optimum = torch.full((2,), sign(direction) * 0.5 * 100.0 * EPS**2 * 3 * 12 * 20)
    torch.testing.assert_close(free.adversarial_scores - free.clean_scores, optimum, rtol=1e-3, atol=0)


@UP_AND_DOWN
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_noise_gains_far_less_than_one_gradient_step(direction: Direction, norm: projections.Norm) -> None:
    images = photos(inner=True)
    scorer = linear(images)
    noise = [complete(Noise(EPS, norm=norm, seed=seed), scorer, images) for seed in range(20)]
    change = torch.stack([result.adversarial_scores - result.clean_scores for result in noise])
    attacked = complete(FGSM(EPS, norm=norm, direction=direction), scorer, images)
    assert (change.abs().max(0).values < 0.25 * (attacked.adversarial_scores - attacked.clean_scores).abs()).all()
    assert (change > 0).any(), "noise is not turned in a direction"
    assert (change < 0).any(), "noise is not turned in a direction"


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_gradient_of_zero_leaves_the_image_where_it_is(norm: projections.Norm) -> None:
    images = photos()

    def flat(images: Tensor) -> Tensor:
        return (0.0 * images).sum((1, 2, 3))

    assert torch.equal(complete(FGSM(EPS, norm=norm), flat, images).adversarial, images)
