"""stAdv: the warp by hand and against another one, known optima, the budget in pixels, the flow of the result."""

import dataclasses
import itertools
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from attack_scorers import Quadratic, SmallNet, draw, linear, photos
from torch import Tensor

from robustiqa_core.attacks import PGD, StAdv, complete
from robustiqa_core.attacks.transformation import pull_back, roughness, warp
from robustiqa_core.errors import ConfigurationError

SLOPE = (0.003, 0.004)
"""Rise of the ramp per pixel to the right and down; 0.005 along its steepest direction."""


def lengths(flow: Tensor) -> Tensor:
    return flow.double().square().sum(1).sqrt()


def ramp(height: int = 16, width: int = 24) -> Tensor:
    """Return photos that rise evenly, so that warping them changes each value by the slope times the displacement."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    plane = 0.4 + SLOPE[0] * columns + SLOPE[1] * rows
    return plane.expand(2, 3, height, width).contiguous()


def inner_scorer(images: Tensor) -> Quadratic:
    """Return a linear scorer that does not see the border, beyond which a ramp goes on evenly."""
    weight = draw(1001, *images.shape[2:])
    weight[[0, 1, -2, -1]] = 0.0
    weight[:, [0, 1, -2, -1]] = 0.0
    return Quadratic(weight.expand(3, -1, -1))


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 2049)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_flow_of_0_returns_the_photo_to_the_last_bit(size: tuple[int, int], dtype: torch.dtype) -> None:
    images = photos(2, height=size[0], width=size[1]).to(dtype)
    assert torch.equal(warp(images, torch.zeros(2, 2, *size, dtype=dtype)), images)


def test_whole_pixels_move_the_photo_and_repeat_its_border() -> None:
    images = photos(1, height=4, width=5)
    flow = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 4, 5)
    rows, columns = torch.tensor([0, 0, 1, 2]), torch.tensor([2, 3, 4, 4, 4])
    assert torch.equal(warp(images, flow), images[:, :, rows][..., columns])


def test_the_warp_is_that_of_grid_sample_with_a_repeated_border() -> None:
    images, flow = photos(3).double(), 3.0 * draw(5, 3, 2, 12, 20).double()
    rows, columns = torch.meshgrid(torch.arange(12), torch.arange(20), indexing="ij")
    places = torch.stack((columns, rows)) + flow
    grid = (2.0 * places / torch.tensor([19.0, 11.0]).view(2, 1, 1) - 1.0).permute(0, 2, 3, 1)
    theirs = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=True)
    torch.testing.assert_close(warp(images, flow), theirs, rtol=0, atol=1e-12)


def test_the_gradient_with_respect_to_the_flow_is_that_of_finite_differences() -> None:
    images, flow = photos(2, height=5, width=6).double(), 0.5 + draw(6, 2, 2, 5, 6).clamp(-3, 3).double() / 8
    gradient = draw(3, 2, 3, 5, 6).double()
    pulled = pull_back(partial(warp, images), flow, gradient)
    way = draw(4, *flow.shape).double()
    rise = (gradient * (warp(images, flow + 1e-6 * way) - warp(images, flow - 1e-6 * way))).sum() / 2e-6
    torch.testing.assert_close((pulled * way).sum(), rise, rtol=1e-6, atol=0)


def test_roughness_counts_each_pair_of_neighbours_from_both_sides() -> None:
    flow = torch.zeros(2, 2, 3, 4)
    flow[0, :, 1, 1] = torch.tensor([3.0, 4.0])
    torch.testing.assert_close(roughness(flow), torch.tensor([4 * 2 * 5.0 / 12, 0.0]), rtol=0, atol=1e-5)


def test_the_gradient_of_the_roughness_is_finite_for_an_even_flow() -> None:
    gradient = pull_back(roughness, torch.zeros(1, 2, 3, 4), torch.ones(1))
    assert torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("max_flow", [0.25, 1.0, 1.5])
def test_on_a_ramp_the_gain_is_its_slope_times_the_displacement_times_the_weights(
    direction: str, max_flow: float
) -> None:
    images = ramp()
    scorer = inner_scorer(images)
    result = complete(StAdv(max_flow, smoothness=0.0, direction=direction), scorer, images)
    best = 0.005 * max_flow * scorer.weight.abs().sum() * (1 if direction == "up" else -1)
    torch.testing.assert_close(result.adversarial_scores - result.clean_scores, best.expand(2), rtol=1e-4, atol=0)


def test_a_target_within_reach_is_met() -> None:
    images = ramp()
    scorer = inner_scorer(images)
    target = (scorer(images)[0] + 0.5 * 0.005 * scorer.weight.abs().sum()).item()
    result = complete(StAdv(1.0, steps=40, direction="towards", target=target), scorer, images)
    reach = 0.005 * scorer.weight.abs().sum().item()
    assert (result.adversarial_scores - target).abs().max() < 0.03 * reach


@pytest.mark.parametrize("max_flow", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("smoothness", [0.0, 0.05, 1.0])
def test_no_pixel_moves_farther_than_allowed(max_flow: float, smoothness: float) -> None:
    trials = list(StAdv(max_flow, smoothness=smoothness).iterate(SmallNet(), photos()))
    assert max(lengths(trial.flow).max().item() for trial in trials) <= max_flow * (1 + 1e-6)
    assert lengths(trials[1].flow).max() > 0.9 * max_flow, "the budget is used"


def test_a_larger_displacement_never_gains_less_on_a_ramp() -> None:
    images = ramp()
    scorer = inner_scorer(images)
    gains = [complete(StAdv(flow), scorer, images).adversarial_scores for flow in (0.1, 0.3, 1.0, 2.0)]
    assert all((more > less).all() for less, more in itertools.pairwise(gains))


def test_a_vanishing_displacement_leaves_the_photo_as_it_is() -> None:
    images = photos()
    result = complete(StAdv(1e-6), SmallNet(), images)
    torch.testing.assert_close(result.adversarial, images, rtol=0, atol=2e-6)


def test_the_flow_of_the_result_makes_the_result() -> None:
    images = photos()
    result = complete(StAdv(), SmallNet(), images)
    assert result.flow is not None
    assert torch.equal(warp(images, result.flow).clamp(0.0, 1.0), result.adversarial)
    assert (lengths(result.flow).amax((1, 2)) > 0.5).all()


def test_the_flow_is_that_of_the_best_trial_and_0_where_the_photo_was_kept() -> None:
    images = photos(3)
    attack = StAdv(direction="towards", target=SmallNet()(images)[1].item())
    result = complete(attack, SmallNet(), images)
    assert result.flow is not None
    assert torch.equal(result.adversarial[1], images[1])
    assert torch.equal(result.flow[1], torch.zeros_like(result.flow[1]))
    assert torch.equal(warp(images, result.flow).clamp(0.0, 1.0), result.adversarial)


def test_an_attack_that_leaves_pixels_in_place_has_no_flow() -> None:
    assert complete(PGD(steps=1), SmallNet(), photos()).flow is None


def test_a_flat_photo_cannot_be_changed() -> None:
    images = torch.full((2, 3, 12, 20), 0.3)
    result = complete(StAdv(), linear(images), images)
    torch.testing.assert_close(result.adversarial, images, rtol=0, atol=1e-7)


def test_a_heavier_smoothness_gives_a_smoother_flow() -> None:
    rough = [
        roughness(complete(StAdv(smoothness=weight), SmallNet(), photos()).flow).mean() for weight in (0.0, 0.1, 0.5)
    ]
    assert rough[0] > rough[1] > rough[2]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("max_flow", 0.0), ("max_flow", float("nan")), ("smoothness", -0.1), ("smoothness", 2.0), ("steps", 0)],
)
def test_bad_settings_are_refused(setting: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        dataclasses.replace(StAdv(), **{setting: value})
