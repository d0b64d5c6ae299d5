import copy

import pytest
import torch
from pruning_networks import lively, others, photos, silence, some, with_bottlenecks
from torch import nn

from robustiqa_core.blocks import BlockSettings, insert
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.models import ARCHITECTURES, build
from robustiqa_core.models.backbones import BACKBONES, tap
from robustiqa_core.models.linearity import Linearity
from robustiqa_core.pruning import PruningSettings, bake, channel_groups, narrow, plan_from
from robustiqa_core.pruning.surgery import keep_filters
from robustiqa_core.scorer import ScoreRange

pytestmark = pytest.mark.thorough

LITE = "efficientnet_lite0"


@pytest.mark.parametrize(
    ("model", "trunk"), [*((model, LITE) for model in ARCHITECTURES), ("linearity", "resnet18"), ("linearity", "units")]
)
def test_removing_the_channels_of_a_group_is_the_same_as_silencing_them(model: str, trunk: str) -> None:
    """Group by group, each in a network whose earlier groups are silenced in part already.

    The trunk that all three have is looked at in the first of them.
    """
    network, x = with_bottlenecks() if trunk == "units" else lively(model, trunk), photos(1)
    with torch.no_grad():
        before = network(x)
        for group in channel_groups(network):
            if model != "linearity" and group.name.startswith("features."):
                continue
            gone = some(group)
            silence(network, group, gone)
            silent = network(x)
            narrowed = keep_filters(network, {group.name: others(group, gone)})
            assert torch.allclose(narrowed(x), silent, rtol=1e-10, atol=0), group
            # Else the channels would not matter to the score, and the line above would show nothing.
            assert not torch.allclose(silent, before, rtol=1e-8, atol=0), group
            before = silent


@pytest.mark.parametrize(("model", "trunk"), [("dbcnn", "vgg16"), ("dbcnn", LITE), ("tres", LITE)])
def test_removing_channels_everywhere_is_exact(model: str, trunk: str) -> None:
    network, x = lively(model, trunk), photos(1)
    groups = channel_groups(network)
    with torch.no_grad():
        whole = network(x)
        narrowed = keep_filters(network, {group.name: others(group, some(group)) for group in groups})(x)
        for group in groups:
            silence(network, group, some(group))
        assert torch.allclose(narrowed, network(x), rtol=1e-10, atol=0)
        assert not torch.allclose(narrowed, whole, rtol=1e-3, atol=0)


def test_channels_of_a_grouped_convolution_go_group_by_group() -> None:
    network = with_bottlenecks()
    plain, _, grouped = channel_groups(network)[:3]
    assert (plain.filters, plain.span) == (32, 1)
    assert (grouped.producer, grouped.consumer) == ("features.layer1.1.conv1", "features.layer1.1.conv3")
    assert (grouped.filters, grouped.span) == (4, 16)
    conv = keep_filters(network, {grouped.name: [0, 3]}).get_submodule("features.layer1.1.conv2")
    assert isinstance(conv, nn.Conv2d)
    assert (conv.groups, conv.in_channels, conv.out_channels, tuple(conv.weight.shape)) == (2, 32, 32, (32, 16, 3, 3))


@pytest.mark.parametrize(
    ("model", "trunk"),
    [*(("linearity", trunk) for trunk in BACKBONES), ("dbcnn", "vgg16"), ("tres", "vgg16"), ("tres", "resnet50")],
)
def test_a_network_of_half_the_channels_works_with_its_shapes_unchanged(model: str, trunk: str) -> None:
    """On the meta device: the declared numbers of channels fit, and what is tapped keeps its channels."""
    with torch.device("meta"):
        network = build(model, {"backbone": trunk}, ScoreRange(0, 1)).eval()
    groups = channel_groups(network)
    # A layer makes the channels of one group, and takes those of one.
    for role in ("producer", "consumer"):
        assert len({getattr(group, role) for group in groups}) == len(groups) >= 8
    halves = narrow(network, {group.name: group.filters // 2 for group in groups})
    for group in channel_groups(halves):
        layers = [halves.get_submodule(path) for path in (group.producer, *group.followers)]
        assert {len(layer.weight) for layer in layers} == {group.filters * group.span}
    x = torch.rand(2, 3, 128, 96, device="meta")
    assert halves(x).shape == (2,)
    names = tuple(stage if isinstance(stage, str) else stage.name for stage in getattr(network, "taps", ()))
    if names:
        shapes = [[y.shape for y in tap(one.features, x, names)] for one in (network, halves)]
        assert shapes[0] == shapes[1]


def test_the_units_that_are_pruned_are_those_of_the_documentation() -> None:
    def names(model: str, trunk: str = LITE) -> list[str]:
        with torch.device("meta"):
            return [group.name for group in channel_groups(build(model, {"backbone": trunk}, ScoreRange(0, 1)))]

    lite = names("linearity")
    assert lite[:2] == ["features.stem.conv", "features.stage2.0.expand.conv"]
    assert sum(name.endswith("expand.conv") for name in lite) == 15
    assert lite[-4:] == ["dr6.0", "dr6.2", "dr7.0", "dr7.2"]
    assert names("tres")[-2:] == ["encoder.layers.0.linear1", "encoder.layers.1.linear1"]
    assert names("dbcnn")[-8:] == [f"scnn.scnn{number}.conv" for number in range(1, 9)]
    # Linearity taps the fourth stage of VGG16, so that its last convolution keeps its channels; DBCNN does not.
    assert set(names("dbcnn", "vgg16")) - set(names("linearity", "vgg16")) >= {"features.stage4.5"}


def test_a_block_parts_the_group_that_it_lies_in() -> None:
    with torch.device("meta"):
        network = build("dbcnn", {}, ScoreRange(0, 1)).eval()
        hardened = insert(network, "after_scnn3", BlockSettings(width=8, grid=3))
        hardened = insert(hardened, "after_stage5", BlockSettings(width=8, grid=3))
    found = {group.name for group in channel_groups(network)} - {group.name for group in channel_groups(hardened)}
    assert found == {"scnn.scnn3.conv"}


def test_a_network_is_left_as_it_was_and_its_copy_keeps_mode_freedom_and_layout() -> None:
    network = lively("linearity").to(memory_format=torch.channels_last).train()
    network.features.requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    group = channel_groups(network)[1]
    narrowed = keep_filters(network, {group.name: [0, 5, 7]})
    assert narrowed.training
    assert {name for name, value in narrowed.named_parameters() if not value.requires_grad} == {
        name for name, value in network.named_parameters() if not value.requires_grad
    }
    depthwise = narrowed.get_submodule(group.followers[1])
    assert isinstance(depthwise, nn.Conv2d)
    assert (depthwise.groups, tuple(depthwise.weight.shape)) == (3, (3, 1, 3, 3))
    assert narrowed.get_submodule(group.consumer).weight.is_contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        for value in narrowed.state_dict().values():
            value.zero_()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_pruned_network_can_be_pruned_again() -> None:
    network, x = lively("linearity"), photos(1)
    settings = PruningSettings(ratio=0.25, multiple=1)

    def halve(one: Linearity) -> Linearity:
        groups = channel_groups(one)
        return bake(one, plan_from(one, settings, {group.name: torch.arange(group.filters) for group in groups}))

    assert isinstance(network, Linearity)
    twice = halve(halve(network))
    assert [group.filters for group in channel_groups(twice)][:2] == [18, 54]
    with torch.no_grad():
        assert twice(x).isfinite().all()


def test_mistakes_are_named() -> None:
    with pytest.raises(ConfigurationError, match=r"robustiqa_core\.models"):
        channel_groups(nn.Sequential())
    with torch.device("meta"):
        network = build("linearity", {}, ScoreRange(0, 1))
    with pytest.raises(ConfigurationError, match=r"features\.stem\.conv"):
        narrow(network, {"features.stem": 3})
    with pytest.raises(
        ConfigurationError, match=r"filters of features\.stem\.conv must be a whole number from 1 to 32"
    ):
        narrow(network, {"features.stem.conv": 33})
