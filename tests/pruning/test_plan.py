import copy
import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pruning_networks import lively, photos
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.models import ARCHITECTURES, QualityModel, build
from robustiqa_core.pruning import (
    CRITERIA,
    SCOPES,
    ChannelGroup,
    PruningPlan,
    PruningSettings,
    Scope,
    bake,
    channel_groups,
    filter_importance,
    masked,
    network_cost,
    plan,
    plan_from,
)
from robustiqa_core.pruning.choice import choose_filters, normalise
from robustiqa_core.scorer import ScoreRange

THREE = [ChannelGroup("a", (), "b", 4), ChannelGroup("b", (), "c", 2), ChannelGroup("d", (), "e", 2)]


@pytest.fixture(scope="module")
def network() -> QualityModel:
    return lively("linearity")


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_plan_takes_the_least_important_share_and_touches_nothing(
    network: QualityModel, criterion: str, scope: Scope
) -> None:
    before = copy.deepcopy(network.state_dict())
    settings = PruningSettings(criterion, 0.3, scope, multiple=1, seed=3)
    made = plan(network, settings, images=[photos(5)])
    assert made.settings == settings
    assert [(layer.group, layer.filters) for layer in made.layers] == [
        (group.name, group.filters) for group in channel_groups(network)
    ]
    assert made.removed == pytest.approx(0.3 * made.filters, abs=len(made.layers) / 2)
    for layer in made.layers:
        assert sorted((*layer.kept, *layer.removed)) == list(range(layer.filters))
        most = max((layer.importance[index] for index in layer.removed), default=0.0)
        assert most <= min(layer.importance[index] for index in layer.kept)
        if scope == "layer":
            assert len(layer.removed) == pytest.approx(0.3 * layer.filters, abs=0.5)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def chosen(importances: list[list[float]], ratio: float, scope: Scope, multiple: int = 1) -> list[tuple[int, ...]]:
    tensors = [torch.tensor(values, dtype=torch.float64) for values in importances]
    return choose_filters(THREE, tensors, PruningSettings("l1", ratio, scope, multiple))


def test_choices_on_importances_worked_by_hand() -> None:
    values = [[4.0, 1.0, 3.0, 2.0], [1.0, 2.0], [100.0, 300.0]]
    assert chosen(values, 0.5, "layer") == [(1, 3), (0,), (0,)]
    assert chosen(values, 0.25, "layer") == [(1,), (), ()]
    # Divided by the root mean squares 2.74, 1.58 and 223.6: 1.46 .37 1.10 .73 | .63 1.26 | .45 1.34; three of eight go.
    assert chosen(values, 0.375, "global") == [(1,), (0,), (0,)]
    assert chosen(values, 0.0, "global") == [(), (), ()]


def test_equal_filters_go_in_their_order_and_a_silent_group_goes_first_but_for_one() -> None:
    assert chosen([[1.0] * 4, [1.0, 1.0], [0.0, 0.0]], 0.5, "global") == [(0, 1), (), (0,)]
    assert chosen([[1.0] * 4, [1.0, 1.0], [0.0, 0.0]], 0.5, "layer") == [(0, 1), (0,), (0,)]


def test_what_stays_is_a_multiple_where_a_group_is_large_enough() -> None:
    group = [ChannelGroup("a", (), "b", count, span) for count, span in ((48, 1), (144, 1), (32, 4), (4, 1), (20, 1))]
    values = [torch.arange(one.filters, dtype=torch.float64) for one in group]
    gone = choose_filters(group, values, PruningSettings("l1", 0.1, "layer", 8))
    # 43.2 -> 40, 129.6 -> 128, 28.8 of four channels each -> 28, fewer than 8 stay, 18 -> 16
    assert [one.filters - len(indices) for one, indices in zip(group, gone, strict=True)] == [40, 128, 28, 4, 16]
    assert all(not indices for indices in choose_filters(group, values, PruningSettings("l1", 0.0, "layer", 8)))


@given(
    st.lists(st.lists(st.floats(0, 1e3), min_size=1, max_size=40), min_size=1, max_size=6),
    st.floats(0, 0.5),
    st.sampled_from(SCOPES),
    st.integers(1, 16),
)
def test_one_filter_stays_in_every_group_and_no_other_than_its_own_go(
    importances: list[list[float]], ratio: float, scope: Scope, multiple: int
) -> None:
    groups = [ChannelGroup(str(number), (), "", len(values)) for number, values in enumerate(importances)]
    tensors = [torch.tensor(values, dtype=torch.float64) for values in importances]
    gone = choose_filters(groups, tensors, PruningSettings("l1", ratio, scope, multiple))
    for group, indices in zip(groups, gone, strict=True):
        assert len(set(indices)) == len(indices) < group.filters
        assert set(indices) <= set(range(group.filters))
    if ratio == 0:
        assert not any(gone)


def test_groups_compare_by_their_root_mean_square() -> None:
    values = torch.tensor([3.0, 4.0, 0.0])
    assert torch.allclose(normalise(values), normalise(17 * values))
    assert float(normalise(values).square().mean()) == pytest.approx(1.0)
    assert normalise(torch.zeros(3)).tolist() == [0, 0, 0]


def test_a_plan_survives_json(network: QualityModel) -> None:
    made = plan(network, PruningSettings("l2", 0.2, "global"))
    assert PruningPlan.from_json(json.loads(json.dumps(made.to_json())), place="test") == made


@pytest.mark.thorough
def test_the_ratio_can_be_changed_without_measuring_again(network: QualityModel) -> None:
    found = filter_importance(network, "pls_vip", images=[photos(4)])
    settings = PruningSettings("pls_vip", 0.5)
    assert plan_from(network, settings, found) == plan(network, settings, images=[photos(4)])


@pytest.mark.thorough
@pytest.mark.parametrize("model", ARCHITECTURES)
def test_costs_are_those_of_the_network_before_and_after_baking(model: str) -> None:
    """Parity with torch's own counter, on real tensors."""
    network = lively(model).float()
    made = plan(network, PruningSettings("l1", 0.5))
    x = photos(1, 64, 64).float()
    for cost, one in ((made.before, network), (made.after, bake(network, made))):
        assert cost.parameters == sum(parameter.numel() for parameter in one.parameters())
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            one(x)
        assert 2 * cost.multiply_adds == counter.get_total_flops()
    assert made.after.multiply_adds < 0.75 * made.before.multiply_adds
    assert made.after.parameters < made.before.parameters


def test_the_cost_of_crops_is_that_of_all_of_them() -> None:
    with torch.device("meta"):
        one, four = (build("tres", {"short_side": 256, "crops": crops}, ScoreRange(0, 1)) for crops in (1, 2))
    assert network_cost(four).multiply_adds == 4 * network_cost(one).multiply_adds


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"criterion": "l3"}, "l1, l2, random, pls_vip"),
        ({"ratio": 0.6}, r"in \[0, 0.5\], got 0.6"),
        ({"ratio": float("nan")}, r"in \[0, 0.5\]"),
        ({"scope": "all"}, "layer, global"),
        ({"multiple": 0}, "multiple"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        PruningSettings.from_json(values, place="test")


def changed(made: PruningPlan, key: str, value: object) -> dict[str, object]:
    return {**made.to_json(), key: value}


@pytest.mark.thorough
def test_a_plan_that_is_none_is_refused(network: QualityModel) -> None:
    made = plan(network, PruningSettings())
    layer = made.to_json()["layers"][0]
    for value in (
        {},
        changed(made, "layers", 3),
        changed(made, "layers", [{"group": "a"}]),
        changed(made, "size", 3),
        changed(made, "settings", {"ratios": 0.1}),
    ):
        with pytest.raises(InputError, match="restore it"):
            PruningPlan.from_json(value, place="test")
    for removed, message in (([3, 1], "ascending"), ([40], "index of a filter"), (list(range(32)), "must stay")):
        with pytest.raises(ConfigurationError, match=message):
            PruningPlan.from_json(changed(made, "layers", [{**layer, "removed": removed}]), place="test")


@pytest.mark.thorough
def test_a_plan_for_another_network_is_refused(network: QualityModel) -> None:
    made = plan(network, PruningSettings("l1", 0.5))
    pruned = bake(network, made)
    for act in (masked, bake):
        with pytest.raises(ConfigurationError, match=r"1024 filters in the plan and 512 in the network"):
            act(pruned, replace(made, layers=made.layers[-4:-3]))
        with pytest.raises(ConfigurationError, match="plan again"):
            act(pruned, made)


@pytest.mark.thorough
def test_batches_of_photos_are_taken_one_after_the_other(network: QualityModel) -> None:
    taken: list[int] = []

    def batches() -> "list[Tensor]":
        for number in range(4):
            taken.append(number)
            yield photos(2)

    plan(network, PruningSettings("pls_vip"), images=batches())
    assert taken == [0, 1, 2, 3]
