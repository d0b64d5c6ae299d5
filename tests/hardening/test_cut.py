"""A network cut at any point gives what the whole one gives."""

import copy

import pytest
import torch
from hardening_networks import lively
from torch import Tensor

from robustiqa_core.blocks import BlockSettings, insert, insertion_points
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening import Cut, Maps, Prefix, Suffix, find_cut
from robustiqa_core.hardening.tuning import scores_of
from robustiqa_core.models import ARCHITECTURES, QualityModel, build
from robustiqa_core.pruning import PruningSettings, masked, plan
from robustiqa_core.scorer import ScoreRange

pytestmark = pytest.mark.thorough

PAPER = BlockSettings("paper", width=8, grid=3)


@pytest.fixture(
    scope="module",
    params=[*((name, "efficientnet_lite0") for name in ARCHITECTURES), ("linearity", "resnet18")],
    ids="-".join,
)
def network(request: pytest.FixtureRequest) -> QualityModel:
    return lively(*request.param)


def test_front_and_rest_give_the_scores_of_the_whole_network_at_every_point(
    network: QualityModel, images: Tensor
) -> None:
    for point in insertion_points(network):
        whole = insert(network, point.name, PAPER)
        cut = find_cut(whole, point.name)
        maps = Prefix(whole, cut)(images)
        with torch.no_grad():
            expected, found = whole(images), Suffix(whole, cut).scores(maps)
        assert torch.allclose(found, expected, rtol=0, atol=1e-6 * expected.abs().max().item()), point.name
        # The photos took no part in it: other ones would have given other scores.
        assert not torch.allclose(expected[0], expected[1], rtol=1e-4), point.name


def test_the_front_is_everything_that_the_block_does_not_reach(images: Tensor) -> None:
    network = lively("dbcnn")
    trunk = insert(network, "after_stage5", PAPER)
    cut = find_cut(trunk, "after_stage5")
    assert cut.kept == ("scnn",)
    assert "features.stage4" in cut.front
    assert not any(path.startswith(("features.stage6", "fc")) for path in cut.front)
    branch = find_cut(insert(network, "after_scnn4", PAPER), "after_scnn4")
    assert branch.kept == ("features",)
    tapped = find_cut(insert(lively("tres"), "after_stage6", PAPER), "after_stage6")
    assert tapped.kept == ("poolings.0", "poolings.1", "poolings.2")


def test_scores_of_maps_are_computed_on_the_device_of_the_network(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, cut = cut_network()
    maps, suffix = Prefix(network, cut)(images), Suffix(network, cut)
    suffix.network.to("meta")
    seen: list[torch.device] = []

    def scores(part: Maps) -> Tensor:
        seen.extend(tensor.device for tensor in part.tensors.values())
        return torch.zeros(len(part))

    monkeypatch.setattr(suffix, "scores", scores)
    assert scores_of(suffix, maps).shape == (2,)
    assert {device.type for device in seen} == {"meta"}


def cut_network(position: str = "after_stage5", model: str = "linearity") -> tuple[QualityModel, Cut]:
    network = insert(lively(model).requires_grad_(True), position, BlockSettings(width=8, grid=3))
    return network, find_cut(network, position)


def test_the_front_is_not_run_again(images: Tensor) -> None:
    network, cut = cut_network()
    maps = Prefix(network, cut)(images)
    suffix = Suffix(network, cut)
    for name in cut.front:
        for parameter in network.get_submodule(name).parameters():
            parameter.data.fill_(torch.nan)
    assert suffix.scores(maps).isfinite().all()


def test_the_front_does_not_run_what_follows_the_block(images: Tensor) -> None:
    network, cut = cut_network()
    maps = Prefix(network, cut)(images)
    assert set(maps.tensors) == {cut.block, *cut.kept}
    network.get_submodule("features.stage7").register_forward_pre_hook(lambda *_: pytest.fail("ran on"))
    network.get_submodule(cut.block).register_forward_hook(lambda *_: pytest.fail("ran the block"))
    again = Prefix(network, cut)(images)
    assert all(torch.equal(tensor, maps.tensors[name]) for name, tensor in again.tensors.items())


def test_gradients_are_those_of_the_whole_network(images: Tensor) -> None:
    network, cut = cut_network()
    learning = {name: value for name, value in network.named_parameters() if not cut.is_front(name)}
    suffix = Suffix(network, cut)
    expected = torch.autograd.grad(network(images).sum(), list(learning.values()), allow_unused=True)
    scores = suffix.scores(Prefix(network, cut)(images))
    found = torch.autograd.grad(scores.sum(), list(learning.values()), allow_unused=True)
    reached = 0
    for name, one, other in zip(learning, expected, found, strict=True):
        assert (one is None) == (other is None), name
        if one is not None and other is not None:
            reached += 1
            assert torch.allclose(one, other, rtol=1e-4, atol=1e-6 * one.abs().max().item()), name
    assert reached > 50


def test_training_the_rest_trains_the_network_and_leaves_its_front(images: Tensor) -> None:
    network, cut = cut_network()
    before = copy.deepcopy(network.state_dict())
    maps, suffix = Prefix(network, cut)(images), Suffix(network, cut)
    optimizer = torch.optim.SGD(suffix.network.parameters(), lr=1e-3)
    suffix.scores(maps).sum().backward()
    optimizer.step()
    with torch.no_grad():
        assert torch.equal(suffix.scores(maps), network(images))
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert not any(cut.is_front(name) for name in changed)


def test_cutting_touches_nothing(images: Tensor) -> None:
    network, _ = cut_network()
    network.train()
    before = copy.deepcopy(network.state_dict())
    names = [name for name, _ in network.named_modules()]
    cut = find_cut(network, "after_stage5")
    suffix, maps = Suffix(network, cut), Prefix(network, cut)(images)
    suffix.scores(maps)
    assert [name for name, _ in network.named_modules()] == names
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert network.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_a_masked_network_is_cut_as_well(images: Tensor) -> None:
    network, _ = cut_network()
    network = masked(network, plan(network, PruningSettings(ratio=0.3)))
    cut = find_cut(network, "after_stage5")
    maps, suffix = Prefix(network, cut)(images), Suffix(network, cut)
    with torch.no_grad():
        assert torch.equal(suffix.scores(maps), network(images))
    suffix.scores(maps).sum().backward()
    weight = network.get_parameter("features.stage6.0.project.conv.weight")
    assert weight.grad is not None
    blind = weight.grad.flatten(2).abs().sum((0, 2)) == 0
    assert 0.2 < blind.float().mean() < 0.4


def test_maps_of_batches_are_the_maps_of_all(images: Tensor) -> None:
    network, cut = cut_network("after_stage6", "tres")
    prefix, suffix = Prefix(network, cut), Suffix(network, cut)
    both = Maps.join([prefix(images[:1]), prefix(images[1:])])
    assert len(both) == 2
    assert both.bytes == 2 * prefix(images[:1]).bytes
    with torch.no_grad():
        swapped = suffix.scores(both.pick([1, 0]))
        assert torch.allclose(swapped, network(images).flip(0), rtol=1e-5)


def test_several_maps_a_photo_and_a_missing_block_are_refused() -> None:
    cropping = build("tres", {"short_side": 240, "crops": 2}, ScoreRange(0, 1)).eval()
    network = insert(cropping, "after_stage7", PAPER)
    with pytest.raises(ConfigurationError, match="tune all layers"):
        Prefix(network, find_cut(network, "after_stage7"))(torch.rand(1, 3, 240, 240))
    with pytest.raises(ConfigurationError, match="place of a block"):
        find_cut(network, "after_stage5")
