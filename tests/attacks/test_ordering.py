"""The order of photos as the attack's goal."""

import itertools

import pytest
import torch
from attack_scorers import EPS, RANGE, SmallNet, draw, linear, photos
from torch import Tensor

from robustiqa_core.attacks import FGSM, PGD, AttackResult, AttackStep, Noise, complete
from robustiqa_core.attacks.ordering import Swap, away_from_order, lower_correlation, swap_order
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.metrics.correlation import srocc

GRID = [eps / 255 for eps in (0.5, 1, 2, 4, 8, 16)]


class Brightness:
    """The mean of all values: an l_inf attack moves it by exactly eps, whatever the size of the photo."""

    score_range = RANGE

    def __call__(self, images: Tensor) -> Tensor:
        return images.mean((1, 2, 3))


def grey(value: float, height: int = 6, width: int = 8) -> Tensor:
    return torch.full((1, 3, height, width), value)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("apart", "needed"), [(1.5, 1), (3.9, 2), (4.1, 4), (20, 16), (40, None)])
def test_the_smallest_strength_that_flips_the_order_comes_last(
    apart: float, needed: float | None, turned: bool
) -> None:
    # Each photo moves by eps towards the other, and past it where eps is more than half of what lies between.
    pair = (grey(0.5, 6, 8), grey(0.5 + apart / 255, 9, 5))
    records = list(swap_order([FGSM(eps) for eps in GRID], Brightness(), *(pair[::-1] if turned else pair)))
    swaps = [record for record in records if isinstance(record, Swap)]
    assert records[-1] is swaps[-1]
    assert all(swap.better == (0 if turned else 1) for swap in swaps)
    assert [swap.flipped for swap in swaps[:-1]] == [False] * (len(swaps) - 1)
    assert swaps[-1].flipped == (needed is not None)
    assert swaps[-1].attack.eps == (16 if needed is None else needed) / 255
    assert swaps[-1].attack == FGSM(swaps[-1].attack.eps), "as it was given"


def test_a_swap_is_two_attacks_each_for_itself() -> None:
    net, images = SmallNet(), photos(2)
    attack = PGD(EPS, steps=3)
    *steps, swap = swap_order([attack], net, images[:1], images[1:])
    better = int(net(images).argmax())
    lowered = complete(PGD(EPS, steps=3, direction="down"), net, images[better : better + 1])
    raised = complete(PGD(EPS, steps=3), net, images[1 - better : 2 - better])
    assert swap.better == better
    assert torch.equal(swap.lowered.adversarial, lowered.adversarial)
    assert torch.equal(swap.raised.adversarial, raised.adversarial)
    assert swap.flipped == bool(lowered.adversarial_scores < raised.adversarial_scores)
    assert swap.rounded_flipped == bool(lowered.rounded_scores < raised.rounded_scores)
    assert [step.step for step in steps] == [0, 1, 2, 3] * 2
    assert all(isinstance(step, AttackStep) for step in steps)


def test_a_stronger_attack_of_the_grid_is_not_begun_after_a_flip() -> None:
    records = swap_order([FGSM(eps) for eps in GRID], Brightness(), grey(0.5), grey(0.5 + 1.5 / 255))
    assert sum(isinstance(record, AttackStep) for record in records) == 2 * 2 * 2


@pytest.mark.parametrize("towards", [False, True])
def test_the_direction_that_an_attack_came_with_does_not_count(towards: bool) -> None:
    attack = FGSM(EPS, direction="towards", target=0.1) if towards else FGSM(EPS, direction="down")
    *_, swap = swap_order([attack], Brightness(), grey(0.5), grey(0.51))
    assert swap.flipped


def test_what_cannot_be_swapped_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="an attack with a direction, got Noise"):
        swap_order([Noise()], Brightness(), grey(0.5), grey(0.6))
    with pytest.raises(ConfigurationError, match="one or more attacks"):
        swap_order([], Brightness(), grey(0.5), grey(0.6))
    with pytest.raises(InputError, match="got 3 and 1"):
        swap_order([PGD()], Brightness(), photos(3), grey(0.6))


def smooth_covariance(scores: Tensor, reference: Tensor, reach: float) -> Tensor:
    """Return the covariance of the reference's ranks with the smooth ranks of the scores."""
    ranks = torch.tensor([float((reference < value).sum()) for value in reference], dtype=scores.dtype)
    smooth = torch.stack([((1 + torch.tanh((score - scores) / reach)) / 2).sum() for score in scores])
    return ((ranks - ranks.mean()) * (smooth - smooth.mean())).sum()


@pytest.mark.parametrize("reach", [0.02, 0.1, 1.0, 100.0])
def test_photos_move_against_the_gradient_of_the_smooth_rank_correlation(reach: float) -> None:
    scores = draw(5, 24, dtype=torch.float64).requires_grad_()
    reference = scores.detach() + draw(6, 24, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(smooth_covariance(scores, reference, reach), scores)
    raised = away_from_order(scores.detach(), reference, reach=reach)
    clear = gradient.abs() > 1e-9
    assert clear.sum() > 12
    assert torch.equal(raised[clear], (gradient < 0)[clear])


def test_with_a_wide_reach_photos_above_the_median_go_down_and_those_below_up() -> None:
    scores = draw(5, 25)
    assert torch.equal(away_from_order(scores, scores), scores <= scores.median())
    reference = draw(6, 25)
    for reach in (None, 1e4):
        assert torch.equal(away_from_order(scores, reference, reach=reach), reference <= reference.median())


def test_ties_in_the_reference_share_a_rank() -> None:
    reference = torch.tensor([1.0, 2.0, 2.0, 2.0, 9.0])
    assert away_from_order(torch.arange(5.0), reference).tolist() == [True, True, True, True, False]


@pytest.mark.parametrize("own", [True, False])
def test_a_strong_attack_turns_the_order_of_a_set_round(own: bool) -> None:
    images = photos(8, inner=True)
    scorer = linear(images)
    clean = scorer(images)
    reference = clean if own else clean + 0.5 * clean.std() * draw(9, 8)
    raised = away_from_order(clean, reference)
    found = {}
    for eps in (1e-4, 0.1):
        records = list(lower_correlation(FGSM(eps), scorer, images.split(1), raised))
        results = [record for record in records if isinstance(record, AttackResult)]
        assert [type(record) for record in records] == [AttackStep, AttackStep, AttackResult] * 8
        found[eps] = srocc(torch.cat([result.adversarial_scores for result in results]), reference)
    assert srocc(clean, reference) > 0.6
    assert found[0.1] < -0.5
    assert found[1e-4] <= srocc(clean, reference)


def test_each_photo_of_a_set_gets_what_it_gets_alone_and_may_have_its_own_size() -> None:
    sets = [photos(1, height=height) for height in (8, 12, 16)]
    raised = torch.tensor([True, False, True])
    records = lower_correlation(PGD(EPS, steps=2), SmallNet(), sets, raised)
    results = [record for record in records if isinstance(record, AttackResult)]
    for result, photo, direction in zip(results, sets, ("up", "down", "up"), strict=True):
        alone = complete(PGD(EPS, steps=2, direction=direction), SmallNet(), photo)
        assert torch.equal(result.adversarial, alone.adversarial)


def test_directions_for_other_photos_are_refused() -> None:
    images = photos(3)
    for sets, raised in itertools.product([images.split(1), [images]], [torch.tensor([True] * 2)]):
        with pytest.raises(InputError, match="directions"):
            lower_correlation(PGD(), SmallNet(), sets, raised)
    with pytest.raises(InputError, match="shapes"):
        away_from_order(torch.zeros(3), torch.zeros(2))
    with pytest.raises(ConfigurationError, match="reach"):
        away_from_order(torch.zeros(3), torch.zeros(3), reach=0.0)
