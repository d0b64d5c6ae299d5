"""Masks: channels that stay switched off, whatever training does to weights.

A channel between two layers has no effect if the consumer ignores it. So a mask zeroes the consumer's weights for the
removed channels when they are read. Nothing else changes: the names and values of all weights stay, no gradient
reaches the layers that produce the channel, and what normalisations, optimisers or weight decay do to them does not
matter. (`torch.nn.utils.parametrize` is not used: copies of a module share the class that it makes, so that
removing it from a copy breaks the original.)
"""

import copy
from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustiqa_core.pruning.groups import channel_groups

Network = TypeVar("Network", bound=nn.Module)


class MaskedConv2d(nn.Conv2d):
    """A convolution that ignores some of its channels: `removed`, bool, (1, C, 1, 1)."""

    removed: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return what the convolution without the weights of the removed channels returns."""
        y: Tensor = self._conv_forward(x, self.weight.masked_fill(self.removed, 0.0), self.bias)
        return y


class MaskedLinear(nn.Linear):
    """A linear layer that ignores some of its inputs: `removed`, bool, (1, C)."""

    removed: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return what the layer without the weights of the removed inputs returns."""
        return F.linear(x, self.weight.masked_fill(self.removed, 0.0), self.bias)


_PLAIN: dict[type[nn.Module], type[nn.Module]] = {MaskedConv2d: nn.Conv2d, MaskedLinear: nn.Linear}


def mask_filters(network: Network, removed: Mapping[str, Sequence[int]]) -> Network:
    """Return a copy with these filters of the named groups masked; older masks are dropped."""
    copied = unmasked(network)
    for group in channel_groups(copied):
        if channels := group.channels(removed.get(group.name, ())):
            _mask(copied.get_submodule(group.consumer), channels)
    return copied


def unmasked(network: Network) -> Network:
    """Return a copy without masks, in which every channel counts again."""
    copied = copy.deepcopy(network)
    for module in copied.modules():
        if (plain := _PLAIN.get(type(module))) is not None:
            del module.removed
            module.__class__ = plain
    return copied


def is_masked(network: nn.Module) -> bool:
    """Return whether a network has masks; it is then neither smaller nor faster yet."""
    return any(type(module) in _PLAIN for module in network.modules())


def _mask(consumer: nn.Module, channels: Sequence[int]) -> None:
    """Make a convolution or linear layer, in place, ignore these channels."""
    weight = consumer.get_parameter("weight")
    kind, places = (MaskedLinear, ()) if isinstance(consumer, nn.Linear) else (MaskedConv2d, (1, 1))
    removed = torch.zeros(1, weight.shape[1], *places, dtype=torch.bool, device=weight.device)
    removed[:, channels] = True
    # Moves with the layer to other devices, but is not part of its state, which stays that of an unmasked network.
    consumer.register_buffer("removed", removed, persistent=False)
    consumer.__class__ = kind
