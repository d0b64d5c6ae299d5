"""The colour attack: its map against another implementation, known optima, colours that stay together and in order."""

import numpy as np
import pytest
import torch
from attack_scorers import EPS, SmallNet, draw, linear, photos
from scipy.interpolate import RegularGridInterpolator
from torch import Tensor

from robustiqa_core.attacks import Colour, complete
from robustiqa_core.attacks.colour import LEVELS
from robustiqa_core.attacks.transformation import recolour

LATTICE = (3, LEVELS, LEVELS, LEVELS)


def few_colours() -> Tensor:
    """Return photos of five colours in random places."""
    palette = 0.2 + 0.6 * torch.rand((5, 3), generator=torch.Generator().manual_seed(1))
    places = torch.randint(0, 5, (2, 12, 20), generator=torch.Generator().manual_seed(2))
    return palette[places].permute(0, 3, 1, 2).contiguous()


def test_a_lattice_of_0_returns_the_photo_to_the_last_bit() -> None:
    images = photos()
    assert torch.equal(recolour(images, torch.zeros(3, *LATTICE)), images)


def test_the_map_is_the_trilinear_one_of_scipy() -> None:
    images, lattice = photos(2).double(), 0.1 * draw(3, 2, *LATTICE).double()
    mapped = recolour(images, lattice)
    levels = np.linspace(0.0, 1.0, LEVELS)
    for image, shifts, found in zip(images, lattice, mapped, strict=True):
        for channel in range(3):
            # The last axis of the lattice is red.
            shift = RegularGridInterpolator((levels,) * 3, shifts[channel].numpy())
            expected = image[channel] + torch.from_numpy(shift(image.flip(0).permute(1, 2, 0).numpy()))
            torch.testing.assert_close(found[channel], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_photo_of_one_colour_moves_as_a_whole(direction: str) -> None:
    images = torch.tensor([0.3, 0.5, 0.6]).view(1, 3, 1, 1).expand(2, 3, 12, 20).contiguous()
    scorer = linear(images)
    sign = 1.0 if direction == "up" else -1.0
    result = complete(Colour(EPS, direction=direction), scorer, images)
    shift = sign * EPS * scorer.weight.sum((1, 2)).sign()
    torch.testing.assert_close(result.adversarial, images + shift.view(1, 3, 1, 1), rtol=0, atol=1e-6)


def test_the_gain_on_a_linear_scorer_is_eps_times_the_l1_norm_of_the_lattices_gradient() -> None:
    images = photos(inner=True)
    scorer = linear(images)
    lattice = torch.zeros((3, *LATTICE), requires_grad=True)
    (gradient,) = torch.autograd.grad(scorer(recolour(images, lattice)).sum(), lattice)
    result = complete(Colour(EPS), scorer, images)
    best = EPS * gradient.abs().sum((1, 2, 3, 4))
    torch.testing.assert_close(result.adversarial_scores - result.clean_scores, best, rtol=1e-4, atol=0)


def test_equal_colours_stay_equal() -> None:
    images = few_colours()
    result = complete(Colour(16 / 255), SmallNet(), images)
    assert not torch.equal(result.adversarial, images)
    for image, changed in zip(images, result.adversarial, strict=True):
        pairs = torch.cat((image, changed)).flatten(1).T.unique(dim=0)
        assert len(pairs) == 5


def test_no_colour_moves_farther_than_allowed() -> None:
    images = photos()
    for trial in Colour(EPS).iterate(SmallNet(), images):
        assert (trial.adversarial - images).abs().max() <= EPS * (1 + 1e-5)


def test_colours_that_differ_in_one_channel_do_not_change_places_up_to_18_levels() -> None:
    lattice = 18 / 255 * draw(9, 1, *LATTICE).sign().expand(3, *LATTICE)
    for channel in range(3):
        images = torch.full((3, 3, 1, 256), 0.37)
        images[:, channel] = torch.linspace(0.0, 1.0, 256)
        assert (recolour(images, lattice)[:, channel].diff(dim=-1) > 0).all()
