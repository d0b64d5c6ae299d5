"""Networks with random weights in which every channel counts, and removing them by hand."""

import torch
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from robustiqa_core.models import QualityModel, build
from robustiqa_core.models.linearity import Linearity
from robustiqa_core.pruning import ChannelGroup
from robustiqa_core.scorer import ScoreRange


def lively(model: str, trunk: str = "efficientnet_lite0", **settings: object) -> QualityModel:
    """Return a network in double precision and eval mode, with statistics of normalisations that matter."""
    torch.manual_seed(0)
    network = build(model, {"backbone": trunk, "short_side": 64, **settings}, ScoreRange(0.0, 1.0))
    enliven(network)
    return network.double().eval()


def enliven(network: nn.Module) -> None:
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                module.bias.uniform_(-0.2, 0.4)
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
                module.weight.uniform_(0.5, 1.0)
                module.bias.uniform_(0.1, 0.5)
                module.running_mean.uniform_(-0.3, 0.3)
                module.running_var.uniform_(0.8, 1.2)


def with_bottlenecks() -> Linearity:
    """Return a Linearity network that begins with a unit of ResNet50 and one of ResNeXt, both made small."""
    network = lively("linearity", "resnet18")
    assert isinstance(network, Linearity)
    units = [Bottleneck(64, 16, base_width=128), Bottleneck(64, 16, groups=4, base_width=64)]
    network.features.layer1 = nn.Sequential(*units)
    enliven(network.features.layer1)
    return network.double().eval()


def photos(count: int = 2, height: int = 64, width: int = 66) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def silence(network: nn.Module, group: ChannelGroup, filters: list[int]) -> None:
    """Make filters give nothing, in place, by hand: every weight and shift that makes their channels is 0."""
    channels = [group.span * index + offset for index in filters for offset in range(group.span)]
    with torch.no_grad():
        for path in (group.producer, *group.followers):
            layer = network.get_submodule(path)
            for values in (layer.weight, layer.bias):
                if values is not None:
                    values[channels] = 0.0


def some(group: ChannelGroup, share: float = 0.3) -> list[int]:
    """Return some filters of a group, at random but always the same."""
    generator = torch.Generator().manual_seed(group.filters)
    order = torch.randperm(group.filters, generator=generator).tolist()
    return sorted(order[: max(1, int(share * group.filters))])


def others(group: ChannelGroup, filters: list[int]) -> list[int]:
    return [index for index in range(group.filters) if index not in filters]
