"""The texture-aware attack: its map of activity by hand, its optimum on linear scorers, its box for each pixel."""

import pytest
import torch
from attack_scorers import EPS, SmallNet, linear, photos
from torch import Tensor

from robustiqa_core.attacks import PGD, TextureAware, complete
from robustiqa_core.attacks.texture import FLAT_SHARE, HALF_WAY, activity


def chessboard(contrast: float, side: int = 30) -> Tensor:
    """Return a photo of alternating pixels, `contrast` above and below grey."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return (0.5 + contrast * (-1.0) ** (rows + columns)).expand(1, 3, side, side)


def test_a_flat_photo_has_the_least_activity() -> None:
    flat = activity(torch.full((2, 3, 9, 7), 0.7))
    torch.testing.assert_close(flat, torch.full((2, 1, 9, 7), FLAT_SHARE), rtol=0, atol=1e-4)


def test_activity_is_half_way_at_the_deviation_of_that_name_and_grows_to_1() -> None:
    inner = [activity(chessboard(contrast))[..., 8:-8, 8:-8].mean().item() for contrast in (HALF_WAY, 0.1, 0.5)]
    assert inner[0] == pytest.approx(FLAT_SHARE + (1 - FLAT_SHARE) / 2, abs=1e-3)
    assert inner[0] < inner[1] < inner[2] <= 1.0
    assert inner[2] > 0.99


def test_changes_of_colour_alone_do_not_count_as_texture() -> None:
    red_green = torch.cat((chessboard(0.2)[:, :1], 1.0 - chessboard(0.2)[:, :1], torch.full((1, 1, 30, 30), 0.5)), 1)
    torch.testing.assert_close(activity(red_green), torch.full((1, 1, 30, 30), FLAT_SHARE), rtol=0, atol=1e-4)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_the_gain_on_a_linear_scorer_is_the_strength_of_each_pixel_times_its_weight(direction: str) -> None:
    images = photos(inner=True)
    scorer = linear(images)
    result = complete(TextureAware(EPS, direction=direction), scorer, images)
    best = (1 if direction == "up" else -1) * EPS * (activity(images) * scorer.weight.abs()).sum((1, 2, 3))
    torch.testing.assert_close(result.adversarial_scores - result.clean_scores, best, rtol=1e-4, atol=0)


def test_no_pixel_leaves_its_own_box() -> None:
    images = photos()
    box = EPS * activity(images)
    for trial in TextureAware(EPS).iterate(SmallNet(), images):
        assert ((trial.adversarial - images).abs() <= box * (1 + 1e-6) + 1e-7).all()


def test_a_flat_sky_stays_within_less_than_half_a_level() -> None:
    images = torch.full((1, 3, 24, 40), 0.6)
    images[..., 20:] = photos(1, height=24, width=20)
    result = complete(TextureAware(8 / 255), linear(images), images)
    change = 255 * (result.adversarial - images).abs()
    assert change[..., :14].max() < 0.5
    assert torch.equal(result.rounded[..., :14], images.mul(255).round().div(255)[..., :14])
    assert change[..., 26:].mean() > 5


def test_it_gains_less_than_an_attack_with_the_whole_box() -> None:
    images = photos()
    gains = [
        complete(attack, SmallNet(), images).adversarial_scores
        for attack in (TextureAware(EPS), PGD(EPS, random_start=False))
    ]
    assert (gains[0] < gains[1]).all()
