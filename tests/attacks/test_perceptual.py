"""The perceptual attack: SSIM along a ray, a bound that always holds and is used up, changes that hide."""

import itertools
import math

import pytest
import torch
from attack_scorers import SmallNet, draw, linear, photos
from torch import Tensor

from robustiqa_core.attacks import Perceptual, complete
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.metrics.fidelity import ssim
from robustiqa_core.metrics.ssim import SSIM_C2, Ray, gaussian_mean, local_variance


def half_flat(height: int = 24, width: int = 40) -> Tensor:
    """Return photos that are grey on the left and busy on the right."""
    images = torch.full((2, 3, height, width), 0.5)
    images[..., width // 2 :] = photos(2, height=height, width=width - width // 2)
    return images


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_a_ray_has_the_ssim_of_its_points(share: float) -> None:
    images = photos().double()
    other = photos(4)[:3].double()
    shares = torch.full((3,), share, dtype=torch.float64)
    expected = ssim(images, torch.lerp(images, other, share))
    torch.testing.assert_close(Ray(images, other - images).at(shares).float(), expected, rtol=0, atol=1e-6)


def test_each_image_has_its_own_share() -> None:
    images, other = photos().double(), photos(4)[:3].double()
    ray = Ray(images, other - images)
    together = ray.at(torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64))
    assert together[1] == ray.at(torch.full((3,), 0.5, dtype=torch.float64))[1]


def test_the_local_variance_of_a_chessboard_is_that_of_its_squares() -> None:
    rows, columns = torch.meshgrid(torch.arange(30), torch.arange(30), indexing="ij")
    board = (0.5 + 0.1 * (-1.0) ** (rows + columns)).expand(1, 3, 30, 30)
    torch.testing.assert_close(local_variance(board)[..., 8:-8, 8:-8].mean().item(), 0.01, rtol=1e-3, atol=0)
    assert local_variance(torch.full((1, 3, 5, 6), 0.3)).max() < 1e-6


def test_the_window_is_cut_where_the_image_is_smaller() -> None:
    assert gaussian_mean(torch.ones(1, 3, 1, 30)).shape == (1, 3, 1, 20)
    torch.testing.assert_close(gaussian_mean(torch.ones(1, 3, 6, 4)), torch.ones(1, 3, 2, 2))


@pytest.mark.parametrize("min_ssim", [0.9, 0.99, 0.9999])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_ssim_never_falls_below_the_bound_and_the_bound_is_used_up(min_ssim: float, direction: str) -> None:
    images = photos(height=24, width=40)
    trials = list(Perceptual(min_ssim, direction=direction).iterate(SmallNet(), images))
    found = torch.stack([ssim(images, trial.adversarial) for trial in trials])
    assert found.min() >= min_ssim
    assert found[-1].max() <= min_ssim + 2e-3 * (1 - min_ssim) + 2e-6


def test_points_far_outside_and_flat_photos_are_brought_to_the_bound() -> None:
    images = torch.stack((torch.zeros(3, 20, 30), torch.full((3, 20, 30), 0.5), photos(1, height=20, width=30)[0]))
    far = images + draw(2, 3, 3, 20, 30)
    projected = Perceptual(0.95).project(far, images)
    assert ssim(images, projected).min() >= 0.95
    torch.testing.assert_close(ssim(images, projected), torch.full((3,), 0.95), rtol=0, atol=2e-3)
    assert torch.equal(Perceptual(0.95).project(projected, images), projected)


def test_a_bound_of_1_allows_nothing() -> None:
    images = photos()
    result = complete(Perceptual(1.0), SmallNet(), images)
    assert torch.equal(result.adversarial, images)


def test_a_lower_bound_never_gains_less() -> None:
    images = photos(inner=True, height=24, width=40)
    scorer = linear(images)
    gains = [complete(Perceptual(bound), scorer, images).adversarial_scores for bound in (0.999, 0.99, 0.9)]
    assert all((more > less).all() for less, more in itertools.pairwise(gains))


def test_on_a_grey_photo_the_gain_is_that_of_the_contrast_that_ssim_allows() -> None:
    # The variance of random signs under the window is nearly 1, so that SSIM is C2 / (change^2 + C2).
    images = torch.full((1, 3, 64, 64), 0.5)
    scorer = linear(images)
    result = complete(Perceptual(0.99), scorer, images)
    best = math.sqrt(SSIM_C2 * 0.01 / 0.99) * scorer.weight.abs().sum()
    torch.testing.assert_close(result.adversarial_scores - result.clean_scores, best.view(1), rtol=0.05, atol=0)


def test_changes_hide_in_texture() -> None:
    images = half_flat()
    result = complete(Perceptual(0.99), linear(images), images)
    change = (result.adversarial - images).abs().mean((0, 1, 2))
    assert change[25:].mean() > 5 * change[:15].mean()


def test_it_gains_more_than_an_even_change_of_the_same_ssim() -> None:
    images = half_flat()
    scorer = linear(images)
    attack = Perceptual(0.99)
    even = attack.project(images + 0.1 * scorer.weight.sign(), images)
    torch.testing.assert_close(ssim(images, even), torch.full((2,), 0.99), rtol=0, atol=1e-4)
    result = complete(attack, scorer, images)
    assert (result.adversarial_scores - result.clean_scores > 1.5 * (scorer(even) - result.clean_scores)).all()


@pytest.mark.parametrize("min_ssim", [0.0, 1.1, float("nan"), -0.5])
def test_bad_bounds_are_refused(min_ssim: float) -> None:
    with pytest.raises(ConfigurationError, match="min_ssim"):
        Perceptual(min_ssim)
