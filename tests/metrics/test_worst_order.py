"""Worst-case order, where it is known in closed form: on a linear scorer, and on scores worked by hand."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor

from robustiqa_core.attacks import APGD, PGD, AttackResult, run
from robustiqa_core.attacks.objective import Direction
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.metrics.correlation import srocc
from robustiqa_core.metrics.pairing import Array
from robustiqa_core.metrics.worst_order import rank_directions, strongest, swapped_share, worst_order

EPS = 4 / 255


def linear(weights: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda images: (images * weights).sum((1, 2, 3))


def attacked(scorer: Callable[[Tensor], Tensor], photos: Tensor, direction: Direction) -> list[Array]:
    scores = []
    for attack in (PGD(EPS, steps=4, direction=direction), APGD(EPS, steps=10, direction=direction)):
        *_, result = run(attack, scorer, photos)
        assert isinstance(result, AttackResult)
        scores.append(result.adversarial_scores.numpy())
    return scores


def test_on_a_linear_scorer_the_worst_order_is_the_closed_form() -> None:
    """An l_inf attack moves w . x by eps |w|_1, up or down, and by nothing else."""
    generator = torch.Generator().manual_seed(0)
    photos = 0.3 + 0.4 * torch.rand(12, 3, 8, 8, generator=generator)
    weights = torch.randn(3, 8, 8, generator=generator)
    scorer = linear(weights)
    clean = scorer(photos).numpy().astype(float)
    mos = np.arange(12.0)[np.random.default_rng(1).permutation(12)]
    directions = rank_directions(mos)
    up, down = (strongest(attacked(scorer, photos, way), np.full(12, sign)) for way, sign in (("up", 1), ("down", -1)))
    worst = np.where(directions > 0, up, down)
    reach = EPS * weights.abs().sum().item()
    assert_allclose(worst, clean + directions * reach, atol=1e-4)
    figures = worst_order(clean, worst, mos)
    assert_allclose([figures.gain_up, figures.gain_down], [reach / clean.std(), -reach / clean.std()], atol=1e-4)
    assert figures.srocc == srocc(clean + directions * reach, mos)
    assert figures.clean_srocc == srocc(clean, mos)
    assert figures.photos == 12
    # A pair can be swapped where the better photo's clean score is less than twice the reach above the worse one's.
    pairs = [(i, j) for i in range(12) for j in range(12) if mos[j] - mos[i] >= 3]
    by_hand = np.mean([clean[j] - clean[i] <= 2 * reach for i, j in pairs])
    assert swapped_share(up, down, mos, apart=3) == pytest.approx(by_hand)


def test_directions_push_the_lower_half_up_and_the_rest_down() -> None:
    assert rank_directions([3.0, 1.0, 2.0]).tolist() == [-1, 1, -1], "the middle one of an odd number goes down"
    assert rank_directions([1.0, 1.0, 1.0, 5.0]).tolist() == [-1] * 4, "there is no lower half"
    assert rank_directions([1.0, 2.0, 3.0, 4.0]).tolist() == [1, 1, -1, -1]


def test_the_strongest_is_taken_photo_by_photo() -> None:
    scores = [[0.1, 0.9, 0.3], [0.2, 0.5, 0.4], [0.0, 0.6, 0.2]]
    assert strongest(scores, [1, -1, -1]).tolist() == [0.2, 0.5, 0.2]


def test_a_total_swap_is_minus_one_and_no_change_is_the_clean_order() -> None:
    clean = np.array([0.1, 0.2, 0.6, 0.8])
    still = worst_order(clean, clean, clean)
    assert (still.srocc, still.own_srocc, still.swapped, still.gain_up, still.gain_down) == (1.0, 1.0, 0.0, 0.0, 0.0)
    turned = worst_order(clean, clean[::-1], clean)
    assert (turned.srocc, turned.swapped, turned.clean_swapped) == (-1.0, 1.0, 0.0)
    assert turned.gain_up == pytest.approx(0.55 / clean.std())
    assert turned.gain_down == pytest.approx(-0.55 / clean.std())


def test_narrowing_the_scores_changes_no_figure() -> None:
    generator = np.random.default_rng(0)
    clean, mos = generator.random(20), generator.random(20)
    worst = clean + 0.3 * rank_directions(mos)
    wide, narrow = worst_order(clean, worst, mos), worst_order(0.01 * clean + 5, 0.01 * worst + 5, mos)
    assert narrow.srocc == wide.srocc
    assert narrow.swapped == wide.swapped
    assert_allclose([narrow.gain_up, narrow.gain_down], [wide.gain_up, wide.gain_down])


@pytest.mark.parametrize("held", [1, -1])
def test_a_model_that_holds_in_one_direction_only_is_no_better(held: int) -> None:
    """What one half gains has to be twice as much, and the order is gone again."""
    mos = np.linspace(0, 1, 20)
    directions = rank_directions(mos)
    both = worst_order(mos, mos + directions * 1.0, mos)
    one = worst_order(mos, mos + np.where(directions == held, 0.0, 2.0 * directions), mos)
    assert one.srocc == both.srocc < 0
    assert one.swapped == both.swapped


def test_ties_count_half_and_close_pairs_can_be_left_out() -> None:
    mos = [0.0, 0.4, 1.0]
    assert swapped_share([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], mos) == 0.5
    scores = [0.5, 0.2, 0.9]
    assert swapped_share(scores, scores, mos) == pytest.approx(1 / 3)
    assert swapped_share(scores, scores, mos, apart=0.5) == 0.0
    assert swapped_share(scores, scores, mos, apart=2.0) == 0.0
    assert swapped_share([9.0, 9.0], [0.0, 0.0], [1.0, 1.0]) == 0.0, "equal photos have no order"


def test_what_does_not_pair_is_refused() -> None:
    with pytest.raises(InputError, match="same length"):
        worst_order([0.0, 1.0], [0.0], [0.0, 1.0])
    with pytest.raises(InputError, match="add photos of other quality"):
        worst_order([1.0, 1.0], [0.0, 1.0], [0.0, 1.0])
    with pytest.raises(InputError, match="finite"):
        worst_order([0.0, 1.0], [0.0, np.nan], [0.0, 1.0])
    with pytest.raises(ConfigurationError, match="apart"):
        swapped_share([0.0, 1.0], [0.0, 1.0], [0.0, 1.0], apart=-1.0)
    with pytest.raises(InputError, match="one row per attack"):
        strongest([0.0, 1.0], [1, -1])
    with pytest.raises(InputError, match="directions 1 or -1"):
        strongest([[0.0, 1.0]], [1, 0])
