import numpy as np
import pytest
import torch

from robustiqa_core.models.tres import TReSOutputs
from robustiqa_core.training.losses import linearity_loss, norm_in_norm, ranking_loss, tres_loss


def hand_computed(predictions: list[float], mos: list[float]) -> float:
    a, b = np.array(predictions) - np.mean(predictions), np.array(mos) - np.mean(mos)
    return float(np.abs(a / np.sqrt((a**2).sum()) - b / np.sqrt((b**2).sum())).sum() / (2 * np.sqrt(len(a))))


def test_norm_in_norm_equals_its_formula_and_stays_between_0_and_1() -> None:
    predictions, mos = [0.3, -1.0, 2.0, 0.1], [0.5, 0.2, 0.9, 0.7]
    found = norm_in_norm(torch.tensor(predictions)[:, None], torch.tensor(mos))
    assert found.item() == pytest.approx(hand_computed(predictions, mos), abs=1e-6)
    worst = norm_in_norm(-torch.tensor([0.0, 1.0])[:, None], torch.tensor([0.0, 1.0]))
    assert worst.item() == pytest.approx(1.0, abs=1e-6)


def test_the_training_loss_weighs_the_taps_by_a_tenth() -> None:
    mos = torch.tensor([0.0, 1.0])
    perfect, worst = mos, -mos
    loss = linearity_loss(torch.stack((perfect, worst, worst), 1), mos)
    assert loss.item() == pytest.approx(0.2 / 1.2, abs=1e-6)


def test_the_ranking_loss_equals_its_formula_worked_by_hand() -> None:
    # Sorted by MOS: predictions 0.2, 0.6, 0.5 with MOS 0, 0.4, 1; span 0.3.
    found = ranking_loss(torch.tensor([0.5, 0.2, 0.6]), torch.tensor([1.0, 0.0, 0.4]))
    assert found.item() == pytest.approx((0.4 - 0.3 + 0.6) + (0.1 - 0.3 + 0.4), abs=1e-6)


def test_the_tres_loss_is_zero_for_perfect_and_consistent_outputs_and_counts_each_part() -> None:
    mos = torch.tensor([0.0, 0.4, 1.0])
    maps = torch.zeros(3, 2, 1, 1)
    perfect = TReSOutputs(mos[:, None], maps, maps, maps)
    assert tres_loss(perfect, perfect, mos).item() == pytest.approx(0.0, abs=1e-6)
    moved = TReSOutputs(mos[:, None], maps + 0.25, maps - 0.5, maps)
    assert tres_loss(perfect, moved, mos).item() == pytest.approx(0.75 / 100, abs=1e-6)
    halved = TReSOutputs(0.5 * mos[:, None], maps, maps, maps)
    ranking = ranking_loss(0.5 * mos, mos).item()
    expected = 0.5 * mos.mean().item() + 0.5 * ranking + 0.05 * ranking
    assert tres_loss(perfect, halved, mos).item() == pytest.approx(expected, abs=1e-6)
