"""The ensemble `worst`: never behind an independent attack at equal gradients; a batch with mixed directions."""

import pytest
import torch
from attack_scorers import EPS, SmallNet, photos
from torch import Tensor

from robustiqa_core.attacks import AttackResult, Worst, complete
from robustiqa_core.attacks.directions import run_directed
from robustiqa_core.attacks.objective import Direction


def by_momentum(images: Tensor, sign: float, steps: int, step: float) -> Tensor:
    """Return the best scores (N,) of a momentum attack written here, with so many gradients."""
    network, point = SmallNet(), images.clone()
    momentum, best = torch.zeros_like(images), torch.full((len(images),), -torch.inf)
    for _ in range(steps):
        point = point.detach().requires_grad_()
        signed = sign * network(point)
        (gradient,) = torch.autograd.grad(signed.sum(), point)
        best = torch.maximum(best, signed.detach())
        momentum = 0.75 * momentum + gradient / gradient.abs().mean((1, 2, 3), keepdim=True)
        point = torch.min(torch.max(point + step * momentum.sign(), images - EPS), images + EPS).clamp(0, 1)
    return torch.maximum(best, (sign * network(point)).detach())


@pytest.mark.thorough
def test_an_independent_attack_in_small_steps_does_not_beat_it_at_equal_gradients() -> None:
    images = photos(6)
    for direction, sign in (("up", 1.0), ("down", -1.0)):
        way: Direction = "up" if direction == "up" else "down"
        result = complete(Worst(EPS, steps=100, direction=way), SmallNet(), images)
        assert result.gradient_calls == 100
        ours = sign * (result.adversarial_scores - result.clean_scores)
        for share in (7, 14, 28):
            theirs = by_momentum(images, sign, 100, EPS / share) - sign * result.clean_scores
            assert (ours >= theirs * (1 - 1e-3)).all()


def test_each_part_of_it_is_run_and_all_gradients_are_spent() -> None:
    attack = Worst(EPS, steps=100)
    names = [type(part).__name__ for part, _ in attack.openings()]
    assert names == ["LowFrequency", "MIFGSM", "APGD", "APGD"]
    result = complete(attack, SmallNet(), photos())
    assert result.gradient_calls == attack.steps
    assert result.queries >= attack.queries
    short = Worst(EPS, steps=3)
    assert not short.openings()
    assert complete(short, SmallNet(), photos()).gradient_calls == 3


def test_its_seed_is_that_of_the_random_start() -> None:
    seeds = [getattr(Worst(EPS, seed=seed).openings()[-1][0], "seed", None) for seed in (0, 7)]
    assert seeds == [0, 7]


def test_a_photo_in_a_batch_of_mixed_directions_gets_what_it_gets_alone() -> None:
    images = photos(4)
    directions = torch.tensor([1, -1, -1, 1])
    *steps, result = run_directed(Worst(EPS, steps=30), SmallNet(), images, directions)
    assert isinstance(result, AttackResult)
    assert len(steps) == 31
    for place, sign in enumerate(directions.tolist()):
        way: Direction = "up" if sign > 0 else "down"
        alone = complete(Worst(EPS, steps=30, direction=way), SmallNet(), images[place : place + 1])
        torch.testing.assert_close(result.adversarial_scores[place : place + 1], alone.adversarial_scores)
        assert sign * (result.adversarial_scores[place] - result.clean_scores[place]) > 0
