"""The prunable channels of a network: those between two layers inside a unit, on whose number no other layer depends.

Found from the modules' types and order, not by tracing, since the architectures are ours. The maps between units, the
taps, the insertion points that have a block, the products of DBCNN and the tokens of TReS keep their channels.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from robustiqa_core.errors import ConfigurationError
from robustiqa_core.models.dbcnn import DBCNN
from robustiqa_core.models.efficientnet_lite import ConvNorm, InvertedResidual
from robustiqa_core.models.linearity import Linearity
from robustiqa_core.models.transformer import EncoderLayer
from robustiqa_core.models.tres import TReS


@dataclass(frozen=True, slots=True)
class ChannelGroup:
    """The channels between two layers, and every layer that depends on their number.

    Args:
        producer: dotted path of the layer that makes the channels: convolution or linear.
        followers: paths of the layers that treat each channel by itself, in order: normalisations, depthwise and
            grouped convolutions.
        consumer: path of the layer that mixes the channels: convolution or linear.
        filters: what can be removed one by one.
        span: channels of a filter, which come and go together: 1, or those of one group of a grouped convolution.
    """

    producer: str
    followers: tuple[str, ...]
    consumer: str
    filters: int
    span: int = 1

    @property
    def name(self) -> str:
        """Name of the group, which is the path of its producer."""
        return self.producer

    def channels(self, filters: Sequence[int]) -> list[int]:
        """Return the channels of some filters.

        Example:
            >>> ChannelGroup("a", (), "b", filters=8, span=2).channels([0, 3])
            [0, 1, 6, 7]
        """
        return [self.span * index + offset for index in filters for offset in range(self.span)]


Layers = Iterator[tuple[str, nn.Module | None]]
"""Layers with their paths in forward order; None where the map is also used elsewhere."""


def channel_groups(network: nn.Module) -> tuple[ChannelGroup, ...]:
    """Return the groups of a network in depth order; a block splits a group.

    Raises:
        ConfigurationError: the network is not of this package.
    """
    match network:
        case Linearity():
            sequences = [
                _trunk(network.features, network.taps),
                _layers("dr6", network.dr6),
                _layers("dr7", network.dr7),
            ]
        case DBCNN():
            sequences = [_layers("features", network.features), _layers("scnn", network.scnn)]
        case TReS():
            encoder = network.encoder.layers.named_children()
            sequences = [
                _trunk(network.features, [stage.name for stage in network.taps]),
                *(_layers(f"encoder.layers.{name}", layer) for name, layer in encoder),
            ]
        case _:
            raise ConfigurationError(
                f"expected a network with known channel groups, got {type(network).__name__}; "
                "use one of robustiqa_core.models, or add it to pruning/groups.py"
            )
    return tuple(group for sequence in sequences for group in _groups(sequence))


def _trunk(trunk: nn.Sequential, taps: Sequence[str]) -> Layers:
    """Yield the layers of a trunk; the outputs of tapped stages are used elsewhere."""
    for name, stage in trunk.named_children():
        path = f"features.{name}"
        yield from _layers(path, stage)
        if name in taps:
            yield path, None


def _unit(module: nn.Module) -> tuple[str, ...]:
    """Return the parts of a unit in the order in which a map passes them, () for what is not a unit.

    The units of ResNets are known by their parts, since importing torchvision takes a second.
    """
    match module:
        case InvertedResidual():
            return "expand", "depthwise", "project"
        case EncoderLayer():
            return "linear1", "linear2"
        case nn.Module(conv1=nn.Conv2d(), bn1=nn.Module(), conv2=nn.Conv2d(), bn2=nn.Module(), conv3=nn.Conv2d()):
            return "conv1", "bn1", "conv2", "bn2", "conv3"
        case nn.Module(conv1=nn.Conv2d(), bn1=nn.Module(), conv2=nn.Conv2d()):
            return "conv1", "bn1", "conv2"
        case _:
            return ()


def _layers(path: str, module: nn.Module) -> Layers:
    """Yield the layers of a module."""
    if isinstance(module, nn.Sequential | ConvNorm):
        for name, child in module.named_children():
            yield from _layers(f"{path}.{name}", child)
    elif parts := _unit(module):
        # The first unit of EfficientNet-Lite has neither shortcut nor expansion: it goes on with the stem's channels.
        if not isinstance(module, InvertedResidual) or module.shortcut:
            yield path, None
        for part in parts:
            yield from _layers(f"{path}.{part}", module.get_submodule(part))
        yield path, None
    else:
        yield path, module


def _groups(layers: Iterable[tuple[str, nn.Module | None]]) -> Iterator[ChannelGroup]:
    """Yield the groups between layers that follow one another.

    All that may lie between keeps a channel of zeros at zero and apart from the others.
    """
    producer: str | None = None
    channels, span, followers = 0, 1, list[str]()
    for path, layer in layers:
        match layer:
            case nn.Conv2d(groups=1) | nn.Linear():
                if producer is not None:
                    yield ChannelGroup(producer, tuple(followers), path, channels // span, span)
                producer, channels = path, len(layer.weight)
                span, followers = 1, []
            case nn.Conv2d() if layer.in_channels == layer.out_channels:
                followers.append(path)
                span = math.lcm(span, layer.in_channels // layer.groups)
            case nn.BatchNorm2d() | nn.BatchNorm1d():
                followers.append(path)
            case nn.ReLU() | nn.MaxPool2d() | nn.Identity():
                pass
            case _:
                producer = None
