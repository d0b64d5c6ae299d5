"""Cutting channels out of the weights of a copy, so that it is smaller and faster."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from robustiqa_core.checks import check_choice, check_count
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.pruning.groups import channel_groups
from robustiqa_core.pruning.masks import unmasked

Network = TypeVar("Network", bound=nn.Module)


def keep_filters(network: Network, kept: Mapping[str, Sequence[int]]) -> Network:
    """Return a copy with these filters only, in the groups of these names; masks are dropped, zeros stay."""
    narrowed = unmasked(network)
    for group in channel_groups(narrowed) if kept else ():
        if group.name not in kept:
            continue
        channels = group.channels(kept[group.name])
        for path in (group.producer, *group.followers):
            _cut_outputs(narrowed.get_submodule(path), channels)
        _cut_inputs(narrowed.get_submodule(group.consumer), channels)
    return narrowed


def narrow(network: Network, filters: Mapping[str, int]) -> Network:
    """Return a copy with so many filters in the groups of these names, whatever their weights.

    For a network whose weights are filled in afterwards; on the `meta` device nothing is computed.

    Args:
        network: not touched.
        filters: from `remaining`.

    Raises:
        ConfigurationError: no such group, or a number that it cannot have.
    """
    groups = {group.name: group for group in channel_groups(network)} if filters else {}
    for name, count in filters.items():
        check_choice("group of channels", name, groups)
        check_count(f"the number of filters of {name}", count, high=groups[name].filters)
    return keep_filters(network, {name: range(count) for name, count in filters.items()})


def remaining(network: nn.Module, whole: nn.Module) -> dict[str, int]:
    """Return the filters of each group in which a network has fewer than the whole one; {} if it was not pruned.

    Args:
        network: perhaps baked, perhaps with blocks.
        whole: of the same architecture and settings, with no channel removed.

    Raises:
        ConfigurationError: the network has a group that the whole one lacks.
    """
    filters = {group.name: group.filters for group in channel_groups(whole)}
    found = {group.name: group.filters for group in channel_groups(network)}
    if unknown := sorted(found.keys() - filters.keys()):
        raise ConfigurationError(
            f"expected a network with the architecture and settings of its card, got one with {unknown[0]}; "
            "correct the card"
        )
    return {name: count for name, count in found.items() if count < filters[name]}


def _cut_outputs(layer: nn.Module, channels: Sequence[int]) -> None:
    """Leave a producer or follower these channels."""
    count = len(channels)
    match layer:
        case nn.Conv2d(groups=1):
            layer.out_channels = count
        case nn.Conv2d():
            layer.groups = count * layer.groups // layer.in_channels
            layer.in_channels = layer.out_channels = count
        case nn.Linear():
            layer.out_features = count
        case nn.BatchNorm2d() | nn.BatchNorm1d():
            layer.num_features = count
    for name in ("weight", "bias", "running_mean", "running_var"):
        _cut(layer, name, channels, axis=0)


def _cut_inputs(layer: nn.Module, channels: Sequence[int]) -> None:
    """Leave a consumer these input channels."""
    match layer:
        case nn.Conv2d():
            layer.in_channels = len(channels)
        case nn.Linear():
            layer.in_features = len(channels)
    _cut(layer, "weight", channels, axis=1)


def _cut(layer: nn.Module, name: str, channels: Sequence[int], *, axis: int) -> None:
    """Leave a layer's parameter or buffer these channels of an axis, with its kind and memory layout."""
    value = getattr(layer, name, None)
    if not isinstance(value, Tensor):
        return
    cut = value.detach().index_select(axis, torch.tensor(channels, device=value.device))
    if value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last):
        cut = cut.contiguous(memory_format=torch.channels_last)
    kept = nn.Parameter(cut, requires_grad=value.requires_grad) if isinstance(value, nn.Parameter) else cut
    setattr(layer, name, kept)
