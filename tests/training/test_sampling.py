from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robustiqa_core.training.sampling import (
    MOST_DRAWS,
    balanced_order,
    combined_seed,
    expected_draws,
    partly_better_order,
    random_order,
)

# Photos a tenth of the MOS in BIQ2021's training split.
BIQ2021 = (14, 315, 612, 459, 851, 980, 1386, 3414, 1942, 27)
TENTHS = torch.repeat_interleave(torch.arange(10), torch.tensor(BIQ2021))
MOS = (0.0, *(TENTHS[1:-1] / 10 + 0.05).tolist(), 1.0)


@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=60))
def test_the_draws_fill_an_epoch_and_none_comes_more_than_four_times(mos: list[float]) -> None:
    draws = expected_draws(mos)
    assert draws.sum().item() == pytest.approx(len(mos))
    assert draws.min() > 0
    assert draws.max() <= MOST_DRAWS + 1e-9


def test_rare_tenths_come_up_to_four_times_as_often_and_the_others_are_even() -> None:
    each = np.bincount(TENTHS, weights=expected_draws(MOS))
    common = np.array(BIQ2021) > 300
    assert each[~common] == pytest.approx(MOST_DRAWS * np.array(BIQ2021)[~common])
    assert each[common] == pytest.approx((len(MOS) - each[~common].sum()) / common.sum())


def test_an_epoch_shows_each_photo_its_expectation_rounded_down_or_up() -> None:
    draws = expected_draws(MOS)
    samples = balanced_order(MOS, seed=3, epoch=1)
    assert len(samples) == len(MOS)
    assert {sample.epoch for sample in samples} == {1}
    times = Counter(sample.index for sample in samples)
    counts = torch.tensor([times[index] for index in range(len(MOS))], dtype=torch.float64)
    assert (counts - draws).abs().max() < 1.0 + 1e-9
    repeats = {index: [sample.repeat for sample in samples if sample.index == index] for index in range(14)}
    assert all(found == [0, 1, 2, 3] for found in repeats.values())


def test_an_order_depends_on_seed_and_epoch_alone() -> None:
    mos = MOS[::50]
    first = balanced_order(mos, seed=1, epoch=2)
    assert first == balanced_order(mos, seed=1, epoch=2)
    assert first != balanced_order(mos, seed=1, epoch=3)
    assert first != balanced_order(mos, seed=2, epoch=2)
    shuffled = random_order(9, seed=1, epoch=2)
    assert shuffled == random_order(9, seed=1, epoch=2)
    assert sorted(sample.index for sample in shuffled) == list(range(9))


def test_photos_of_one_score_come_once_each() -> None:
    samples = balanced_order([0.5] * 7, seed=0, epoch=0)
    assert sorted(sample.index for sample in samples) == list(range(7))


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_some_batches_are_of_the_better_half(share: float) -> None:
    mos = torch.rand(80, generator=torch.Generator().manual_seed(0)).tolist()
    samples = partly_better_order(mos, 4, share=share, seed=2, epoch=1)
    assert samples == partly_better_order(mos, 4, share=share, seed=2, epoch=1)
    assert samples != partly_better_order(mos, 4, share=share, seed=3, epoch=1)
    assert len(set(samples)) == len(samples) == 80, "a photo that comes twice is another crop"
    half = sorted(mos)[39]
    good = [[mos[sample.index] >= half for sample in samples[place : place + 4]] for place in range(0, 80, 4)]
    kinds = [all(batch) for batch in good]
    wanted = [int((number + 1) * share) > int(number * share) for number in range(20)]
    assert all(kind for kind, better in zip(kinds, wanted, strict=True) if better)
    others = [value for batch, better in zip(good, wanted, strict=True) if not better for value in batch]
    assert share == 1.0 or 0.3 < sum(others) / len(others) < 0.7
    if share == 0.0:
        assert {sample.index for sample in samples} == set(range(80))


def test_seeds_of_other_numbers_differ_and_fit_into_63_bits() -> None:
    most = 1_000_000
    assert len({combined_seed(a, b, c) for a in range(5) for b in range(5) for c in range(5)}) == 125
    assert combined_seed(most, most, most) < 2**63
    assert 0 <= combined_seed(most, most, most, most) < 2**63
