"""The parts of the square attack."""

import pytest
import torch
from attack_scorers import EPS, draw, linear, photos

from robustiqa_core.attacks import Square
from robustiqa_core.attacks.square import bump, bump_pair, move_energy, tiles

LIKE = torch.zeros(1, dtype=torch.float64)


def test_a_bump_has_the_values_of_the_equation() -> None:
    # n = 1: in the middle 1/1 + 1/4, round it 1/4.
    ring = [0.25, 0.25, 0.25]
    assert bump(3, 3, like=LIKE).tolist() == [ring, [0.25, 1.25, 0.25], ring]


@pytest.mark.parametrize("side", [1, 2, 3, 8, 13])
@pytest.mark.parametrize("upright", [False, True])
def test_a_pair_of_bumps_has_length_1_and_two_signs(side: int, upright: bool) -> None:
    pair = bump_pair(side, like=LIKE, upright=upright)
    assert pair.shape == (side, side)
    assert pair.norm().item() == pytest.approx(1.0)
    flat = pair.T if upright else pair
    assert (flat[: side // 2] > 0).all()
    assert (flat[side // 2 :] < 0).all() or side == 1


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 9), (20, 20), (23, 31)])
def test_tiles_cover_the_photo_but_for_what_is_left_over(height: int, width: int) -> None:
    images = torch.full((2, 3, height, width), 0.5)
    grid = tiles(images, draw(1, 7, 1, 3, 1, 1).sign())
    side = max(min(height, width) // 5, 1)
    covered = (height // side * side) * (width // side * side)
    assert (grid != 0).sum() == 3 * covered


@pytest.mark.parametrize("other", [0, 2, 9])
def test_energy_is_moved_and_none_is_lost(other: int) -> None:
    perturbation = draw(2, 2, 3, 16, 16, dtype=torch.float64)
    here = (slice(None), slice(None), slice(1, 6), slice(1, 6))
    there = (slice(None), slice(None), slice(other, other + 5), slice(other, other + 5))
    full = perturbation.square().sum((1, 2, 3))
    energy = 1.5 * full.max().item()
    moved = move_energy(perturbation, here, there, bump_pair(5, like=LIKE, upright=False), energy)
    torch.testing.assert_close(moved.square().sum((1, 2, 3)), torch.full_like(full, energy))
    outside = torch.ones(16, 16, dtype=torch.bool)
    outside[here[2:]] = outside[there[2:]] = False
    assert torch.equal(moved[..., outside], perturbation[..., outside])
    alone = torch.zeros(16, 16, dtype=torch.bool)
    alone[there[2:]] = True
    alone[here[2:]] = False
    assert (moved[..., alone] == 0).all()


def test_every_point_of_the_l_inf_search_has_its_values_at_the_border_of_the_ball_or_at_the_photo() -> None:
    images = photos(inner=True)
    *_, last = Square(EPS, queries=30).iterate(linear(images), images)
    moves = ((last.adversarial - images) / EPS).abs()
    assert ((moves - 1).abs() < 1e-5).logical_or(moves == 0).all()
    assert (moves > 0.5).any()


def test_stripes_that_make_it_worse_are_not_kept() -> None:
    # The score falls with any change: nothing is better than the photo.
    images = photos(inner=True)
    trials = list(Square(EPS, queries=40).iterate(lambda x: -(x - images).abs().sum((1, 2, 3)), images))
    assert all(torch.equal(trial.adversarial, images) for trial in trials)
    # A score that rises with the stripes alone: they are kept from the first query on.
    stripes = next(iter(list(Square(EPS, queries=2).iterate(lambda x: (x - images).abs().sum((1, 2, 3)), images))[1:]))
    assert ((stripes.adversarial - images).abs() - EPS).abs().max() < 1e-6
    assert (stripes.adversarial - images).std(dim=2).max() < 1e-6, "the same down each column"
