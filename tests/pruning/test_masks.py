import copy

import pytest
import torch
from pruning_networks import lively, photos, silence
from torch import Tensor

from robustiqa_core.blocks import BlockSettings, insert
from robustiqa_core.checkpoints.storage import as_scorer
from robustiqa_core.models import ARCHITECTURES, QualityModel
from robustiqa_core.pruning import PruningPlan, PruningSettings, bake, channel_groups, is_masked, masked, plan, unmasked

pytestmark = pytest.mark.thorough

THIRD = PruningSettings("random", 0.3, multiple=1)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def planned(request: pytest.FixtureRequest) -> tuple[QualityModel, PruningPlan]:
    network = lively(request.param)
    return network, plan(network, THIRD)


@pytest.fixture(scope="module")
def linearity() -> tuple[QualityModel, PruningPlan]:
    network = lively("linearity")
    return network, plan(network, THIRD)


def tune(network: QualityModel, optimizer: torch.optim.Optimizer, steps: int = 2) -> None:
    """Take steps as training does, in train mode, so that the statistics of normalisations move."""
    network.train()
    for step in range(steps):
        loss = (network(photos(2, 64, 64) * (0.5 + 0.2 * step)) - torch.arange(2)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()


def test_the_masked_network_scores_as_the_silenced_and_the_baked_one_do(
    planned: tuple[QualityModel, PruningPlan],
) -> None:
    (network, made), x = planned, photos(2)
    by_hand = copy.deepcopy(network)
    for group, layer in zip(channel_groups(network), made.layers, strict=True):
        silence(by_hand, group, list(layer.removed))
    with torch.no_grad():
        expected = by_hand(x)
        assert torch.allclose(masked(network, made)(x), expected, rtol=1e-10, atol=0)
        assert torch.allclose(bake(network, made)(x), expected, rtol=1e-10, atol=0)
        assert not torch.allclose(network(x), expected, rtol=1e-3, atol=0)
        # And in the precision that is used.
        single = copy.deepcopy(network).float()
        scores = [act(single, made)(x.float()) for act in (masked, bake)]
    assert torch.allclose(scores[0], scores[1], rtol=1e-5, atol=1e-5)


def test_masks_hold_through_training_and_baking_keeps_what_was_learnt(
    planned: tuple[QualityModel, PruningPlan],
) -> None:
    (network, made), x = planned, photos(1)
    tuned = masked(network, made)
    tune(tuned, torch.optim.AdamW(tuned.parameters(), lr=1e-3, weight_decay=0.5))
    before = network.state_dict()
    moved = {name for name, value in tuned.state_dict().items() if not torch.equal(value, before[name])}
    assert {name for name, _ in network.named_parameters()} <= moved
    assert any(name.endswith("running_var") for name in moved)
    with torch.no_grad():
        assert torch.allclose(bake(tuned, made)(x), tuned(x), rtol=1e-9, atol=0)
        # What the removed channels have become does not matter, and that of the others does.
        assert not torch.allclose(unmasked(tuned)(x), tuned(x), rtol=1e-6, atol=0)
        expected = tuned(x)
        for group, layer in zip(channel_groups(tuned), made.layers, strict=True):
            silence(tuned, group, list(layer.removed))
        assert torch.allclose(tuned(x), expected, rtol=1e-10, atol=0)


def test_no_gradient_reaches_a_removed_channel(linearity: tuple[QualityModel, PruningPlan]) -> None:
    tuned = masked(*linearity).train()
    tuned(photos(3)).sum().backward()
    for group, layer in zip(channel_groups(tuned), linearity[1].layers, strict=True):
        columns = tuned.get_parameter(f"{group.consumer}.weight").grad
        rows = [tuned.get_parameter(f"{path}.weight").grad for path in (group.producer, *group.followers)]
        assert columns is not None
        assert not columns[:, list(layer.removed)].any()
        assert columns[:, list(layer.kept)].any()
        for gradient in rows:
            assert gradient is not None
            assert not gradient[list(layer.removed)].any(), group


def test_a_masked_network_has_the_state_of_the_network_and_can_be_copied_and_averaged(
    linearity: tuple[QualityModel, PruningPlan],
) -> None:
    (network, made), x = linearity, photos(1)
    tuned = masked(network, made)
    assert list(tuned.state_dict()) == list(network.state_dict())
    assert [name for name, _ in tuned.named_parameters()] == [name for name, _ in network.named_parameters()]
    tune(tuned, torch.optim.SGD(tuned.parameters(), lr=1e-4), steps=1)
    other = masked(network, made)
    with torch.no_grad():
        assert torch.equal(copy.deepcopy(tuned)(x), tuned(x))
        other.load_state_dict(tuned.state_dict(), strict=True)
        assert torch.equal(other(x), tuned(x))
        assert copy.deepcopy(tuned).to("meta")(x.to("meta")).shape == (1,)


def test_the_network_is_not_touched_and_the_copy_keeps_mode_and_freedom(
    linearity: tuple[QualityModel, PruningPlan],
) -> None:
    network, made = copy.deepcopy(linearity[0]).train(), linearity[1]
    network.features.requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    kinds = [type(module) for module in network.modules()]
    tuned = masked(network, made)
    assert (is_masked(network), is_masked(tuned)) == (False, True)
    assert tuned.training
    for name, parameter in tuned.named_parameters():
        assert parameter.requires_grad != name.startswith("features."), name
    free = unmasked(tuned)
    assert (is_masked(free), is_masked(tuned)) == (False, True)
    with torch.no_grad():
        for parameter in (*tuned.parameters(), *free.parameters()):
            parameter.zero_()
    assert [type(module) for module in network.modules()] == [type(module) for module in free.modules()] == kinds
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_later_plan_decides_alone(linearity: tuple[QualityModel, PruningPlan]) -> None:
    (network, made), x = linearity, photos(1)
    tuned = masked(network, made)
    nothing = plan(network, PruningSettings("l1", 0.0))
    with torch.no_grad():
        assert torch.equal(masked(tuned, nothing)(x), network(x))
        assert torch.equal(masked(masked(network, nothing), made)(x), tuned(x))
    assert not is_masked(masked(tuned, nothing))


def test_folding_keeps_the_scores_of_masked_and_baked_networks(linearity: tuple[QualityModel, PruningPlan]) -> None:
    """Scorers, which attacks use, are folded; those of a network that is being tuned as well."""
    (network, made), x = linearity, photos(2)
    with torch.no_grad():
        expected = bake(network, made)(x)
        assert torch.allclose(as_scorer(masked(network, made))(x), expected, rtol=1e-10, atol=0)
        assert torch.allclose(as_scorer(bake(network, made))(x), expected, rtol=1e-10, atol=0)
        # A folded network has the same groups.
        folded = as_scorer(copy.deepcopy(network))
        assert torch.allclose(bake(folded, made)(x), expected, rtol=1e-10, atol=0)
        assert torch.allclose(masked(folded, made)(x), expected, rtol=1e-10, atol=0)


def test_masks_and_blocks_go_together() -> None:
    network, x = lively("dbcnn"), photos(1)
    for place in ("after_stage3", "after_scnn5"):
        network = insert(network, place, BlockSettings("paper", width=8, grid=3))
    made = plan(network, THIRD)
    with torch.no_grad():
        expected: Tensor = masked(network, made)(x)
        assert torch.allclose(bake(network, made)(x), expected, rtol=1e-8, atol=0)
        assert not torch.allclose(network(x), expected, rtol=1e-3, atol=0)
