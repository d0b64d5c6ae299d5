"""The norm balls: exact where they can be, within rounding elsewhere, the same for an image in every batch."""

import math

import pytest
import torch
from attack_scorers import draw
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from robustiqa_core.attacks.projections import NORMS, Norm, project, random_point, size, steepest

BOTH = pytest.mark.parametrize("norm", NORMS)


@st.composite
def cases(draw_value: st.DrawFn) -> tuple[Tensor, Tensor, float]:
    """Return photos, points far and near round them (0 and 1 included), and a strength."""
    count, height, width = (draw_value(st.integers(1, high)) for high in (3, 6, 7))
    seed = draw_value(st.integers(0, 2**32))
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand((count, 3, height, width), generator=generator).mul(1.5).sub(0.25).clamp(0.0, 1.0)
    spread = draw_value(st.sampled_from([1e-4, 1e-2, 1.0, 100.0]))
    points = images + spread * torch.randn(images.shape, generator=generator)
    return images, points, draw_value(st.floats(1e-4, 1.0))


@BOTH
@given(case=cases())
@settings(deadline=None, max_examples=60)
def test_a_projected_point_is_in_the_ball_and_in_0_1(norm: Norm, case: tuple[Tensor, Tensor, float]) -> None:
    images, points, eps = case
    projected = project(points, images, eps=eps, norm=norm)
    assert (size(projected.double() - images.double(), norm) <= eps * (1 + 1e-6) + 3e-7).all()
    assert projected.min() >= 0.0
    assert projected.max() <= 1.0


@BOTH
@given(case=cases())
@settings(deadline=None, max_examples=60)
def test_projecting_twice_is_projecting_once_to_the_last_bit(norm: Norm, case: tuple[Tensor, Tensor, float]) -> None:
    images, points, eps = case
    projected = project(points, images, eps=eps, norm=norm)
    assert torch.equal(project(projected, images, eps=eps, norm=norm), projected)


@BOTH
@pytest.mark.parametrize("eps", [1e-5, 1e-4, 1e-3, 4 / 255])
def test_projecting_twice_is_projecting_once_though_the_rounding_of_pixels_counts(norm: Norm, eps: float) -> None:
    for seed in range(50):
        images = torch.rand((2, 3, 2, 3), generator=torch.Generator().manual_seed(seed))
        projected = project(images + draw(seed, 2, 3, 2, 3), images, eps=eps, norm=norm)
        assert torch.equal(project(projected, images, eps=eps, norm=norm), projected)


@BOTH
@given(case=cases(), share=st.floats(0.0, 0.999))
@settings(deadline=None, max_examples=60)
def test_an_inner_point_is_left_alone_to_the_last_bit(
    norm: Norm, case: tuple[Tensor, Tensor, float], share: float
) -> None:
    images, points, eps = case
    inner = (images + share * eps * steepest(points - images, norm)).clamp(0.0, 1.0)
    assert torch.equal(project(inner, images, eps=eps, norm=norm), inner)


@given(case=cases())
@settings(deadline=None, max_examples=60)
def test_the_linf_projection_is_the_nearest_point(case: tuple[Tensor, Tensor, float]) -> None:
    images, points, eps = case
    low, high = (images - eps).clamp_min(0.0), (images + eps).clamp_max(1.0)
    nearest = torch.where(points < low, low, torch.where(points > high, high, points))
    assert torch.equal(project(points, images, eps=eps, norm="linf"), nearest)


def test_the_l2_projection_scales_an_outer_perturbation_to_the_surface() -> None:
    images = torch.full((2, 3, 8, 9), 0.5)
    perturbation = draw(0, 2, 3, 8, 9)
    projected = project(images + perturbation, images, eps=0.01, norm="l2")
    expected = 0.01 * math.sqrt(3 * 8 * 9) * perturbation / perturbation.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    torch.testing.assert_close(projected - images, expected, rtol=1e-4, atol=1e-7)


def test_each_image_of_a_batch_has_its_own_ball() -> None:
    images = torch.full((2, 3, 8, 9), 0.5)
    perturbation = torch.stack((torch.full((3, 8, 9), 0.4), torch.full((3, 8, 9), 0.001)))
    projected = project(images + perturbation, images, eps=0.01, norm="l2") - images
    torch.testing.assert_close(size(projected, "l2"), torch.tensor([0.01, 0.001]), rtol=1e-4, atol=0)


@BOTH
def test_the_size_is_that_of_the_definition_at_the_size_of_a_large_photo(norm: Norm) -> None:
    perturbation = draw(0, 1, 3, 600, 1000)
    exact = perturbation.double()
    expected = exact.abs().max() if norm == "linf" else exact.square().mean().sqrt()
    torch.testing.assert_close(size(perturbation, norm)[0].double(), expected, rtol=1e-6, atol=0)


def test_the_l2_ball_contains_the_linf_ball_and_touches_its_corners() -> None:
    corner = 0.03 * draw(0, 1, 3, 8, 9).sign()
    torch.testing.assert_close(size(corner, "linf"), size(corner, "l2"))


@BOTH
@pytest.mark.parametrize("scale", [1e-38, 1e-25, 1.0, 1e25, 1e37])
def test_the_steepest_step_has_size_1_whatever_the_scale_of_the_gradient(norm: Norm, scale: float) -> None:
    gradient = draw(0, 2, 3, 8, 9)
    torch.testing.assert_close(size(steepest(gradient * scale, norm), norm), torch.ones(2), rtol=1e-5, atol=0)


@BOTH
def test_no_perturbation_of_size_1_rises_more_than_the_steepest(norm: Norm) -> None:
    gradient = draw(0, 1, 3, 8, 9)
    best = (gradient * steepest(gradient, norm)).sum()
    for seed in range(1, 200):
        # Most candidates lie near the steepest one, where a wrong formula would show.
        other = steepest(gradient + 10.0 ** (-seed % 5) * draw(seed, 1, 3, 8, 9), norm)
        assert (gradient * other).sum() <= best * (1 + 1e-6)
    expected = gradient.abs().sum() if norm == "linf" else math.sqrt(3 * 8 * 9) * gradient.norm()
    torch.testing.assert_close(best, expected)


@BOTH
def test_a_gradient_of_zero_gives_no_step(norm: Norm) -> None:
    assert torch.equal(steepest(torch.zeros(1, 3, 4, 5), norm), torch.zeros(1, 3, 4, 5))


@BOTH
def test_a_random_point_depends_on_the_seed_and_not_on_the_batch(norm: Norm) -> None:
    images = torch.full((3, 3, 8, 9), 0.5)
    images[1] += 0.1
    points = random_point(images, eps=0.05, norm=norm, seed=4)
    for index in range(3):
        alone = random_point(images[index : index + 1], eps=0.05, norm=norm, seed=4)
        assert torch.equal(points[index : index + 1], alone)
    assert not torch.equal(points, random_point(images, eps=0.05, norm=norm, seed=5))


@BOTH
def test_a_random_point_leaves_the_global_random_numbers_alone(norm: Norm) -> None:
    before = torch.get_rng_state()
    random_point(torch.full((1, 3, 8, 9), 0.5), eps=0.05, norm=norm, seed=4)
    assert torch.equal(torch.get_rng_state(), before)


def test_linf_points_are_uniform_between_minus_eps_and_eps() -> None:
    images = torch.full((1, 3, 100, 120), 0.5)
    shift = (random_point(images, eps=0.1, norm="linf", seed=0) - images).flatten() / 0.1
    levels = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95])
    # Five standard errors of a quantile of 36,000 uniform numbers.
    torch.testing.assert_close(shift.quantile(levels), 2 * levels - 1, rtol=0, atol=0.03)


def test_l2_points_are_at_the_surface_in_no_preferred_direction() -> None:
    images = torch.full((1, 3, 100, 120), 0.5)
    shift = random_point(images, eps=0.05, norm="l2", seed=0) - images
    torch.testing.assert_close(size(shift, "l2"), torch.tensor([0.05]), rtol=1e-2, atol=0)
    assert shift.mean().abs() < 5 * 0.05 / math.sqrt(3 * 100 * 120)


def test_l2_points_fill_the_ball_of_few_pixels_uniformly() -> None:
    # In three dimensions the cube of the radius is uniform.
    images = torch.full((1, 3, 1, 1), 0.5)
    points = torch.cat([random_point(images, eps=0.1, norm="l2", seed=seed) for seed in range(2000)])
    cubes = (size(points - images, "l2") / 0.1) ** 3
    levels = torch.tensor([0.1, 0.5, 0.9])
    torch.testing.assert_close(cubes.quantile(levels), levels, rtol=0, atol=0.06)
