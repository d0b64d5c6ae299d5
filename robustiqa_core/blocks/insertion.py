"""Inserting blocks into a network, and listing those it has."""

import copy
from typing import TypeVar

from torch import nn

from robustiqa_core.blocks.robust_block import RobustBlock, new_block
from robustiqa_core.blocks.settings import BlockSettings
from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.scorer import InsertionPoint

Network = TypeVar("Network", bound=nn.Module)

CHILD = "block"
"""Name of a block among the children of the module that it follows, and so in the names of its weights."""


def insertion_points(network: nn.Module) -> tuple[InsertionPoint, ...]:
    """Return the places of a network where a block can go, in depth order.

    Raises:
        ConfigurationError: the network is not of this package.
    """
    points = getattr(network, "insertion_points", None)
    if points is None:
        raise ConfigurationError(
            f"expected a network with insertion points, got {type(network).__name__}; use one of robustiqa_core.models"
        )
    found: tuple[InsertionPoint, ...] = points(network.settings)
    return found


def insert(network: Network, point_name: str, settings: BlockSettings) -> Network:
    """Return a copy of a network with a block at an insertion point; the network itself is not touched.

    The block becomes the last child, called `block`, of the sequence of layers there, so that no other weight changes
    its name. It has the network's device, precision and mode, and can be trained if any weight of the network can.

    Args:
        network: of `robustiqa_core.models`, with or without blocks at other places.
        point_name: name of the place, such as `after_stage5`.
        settings: the block.

    Raises:
        ConfigurationError: no such place, the place has a block, or this block does not fit.
    """
    points = {point.name: point for point in insertion_points(network)}
    point = points[check_choice("insertion point", point_name, points)]
    if point_name in blocks_of(network):
        raise ConfigurationError(
            f"expected a free place, got {point_name}, which has a block; use the network without it"
        )
    like = next(parameter for parameter in network.parameters() if parameter.is_floating_point())
    block = new_block(settings, point.channels).to(like.device, like.dtype)
    block.requires_grad_(any(parameter.requires_grad for parameter in network.parameters()))
    hardened = copy.deepcopy(network)
    _place(hardened, point).add_module(CHILD, block.train(network.training))
    return hardened


def block_at(network: nn.Module, point_name: str) -> RobustBlock:
    """Return the block at an insertion point; raise ConfigurationError that lists the places if there is none."""
    found = _blocks(network)
    return found[check_choice("place of a block", point_name, found)]


def blocks_of(network: nn.Module) -> dict[str, BlockSettings]:
    """Return the settings of a network's blocks by insertion point, in depth order."""
    return {name: block.settings for name, block in _blocks(network).items()}


def _place(network: nn.Module, point: InsertionPoint) -> nn.Sequential:
    """Return the sequence of layers that a block is added to."""
    module = network.get_submodule(point.module)
    if not isinstance(module, nn.Sequential):
        raise ConfigurationError(
            f"expected an nn.Sequential at insertion point {point.name} ({point.module}), "
            f"got {type(module).__name__}; name one in the architecture's insertion_points"
        )
    return module


def _blocks(network: nn.Module) -> dict[str, RobustBlock]:
    """Return a network's blocks by insertion point, in depth order."""
    children = {point.name: _place(network, point)._modules.get(CHILD) for point in insertion_points(network)}
    return {name: child for name, child in children.items() if isinstance(child, RobustBlock)}
