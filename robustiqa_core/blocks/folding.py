"""Folding of blocks: their matrices are computed once, not at every call."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from robustiqa_core.blocks.robust_block import RobustBlock


def fold_blocks(network: nn.Module) -> None:
    """Fold the blocks of a network for good, in place: its weights must not change any more; see `RobustBlock.fold`."""
    for block in _unfolded(network):
        block.fold()


@contextmanager
def folded_blocks(network: nn.Module) -> Iterator[None]:
    """Fold the blocks of a network within the `with` block, in which its weights do not change.

    For measurements between training steps; blocks that are already folded stay so.
    """
    blocks = _unfolded(network)
    for block in blocks:
        block.fold()
    try:
        yield
    finally:
        for block in blocks:
            block.unfold()


def _unfolded(network: nn.Module) -> list[RobustBlock]:
    return [module for module in network.modules() if isinstance(module, RobustBlock) and not module.is_folded]
