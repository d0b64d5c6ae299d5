"""A folded block is the block, made of its weights once."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from block_layers import TRAINED, maps
from torch import Tensor, nn

from robustiqa_core.blocks import (
    ORTHOGONALIZATIONS,
    VARIANTS,
    BlockSettings,
    RobustBlock,
    fold_blocks,
    folded_blocks,
    new_block,
)
from robustiqa_core.blocks.settings import Variant

EACH = pytest.mark.parametrize("name", ORTHOGONALIZATIONS)
BOTH = pytest.mark.parametrize("variant", VARIANTS)


def shaken(variant: Variant, name: str = "cayley", *, grid: int = 2) -> RobustBlock:
    """Return a frozen block away from its start."""
    block = new_block(BlockSettings(variant, name, width=3, grid=grid), 6).eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))
    return block.requires_grad_(False)


def with_weights(block: RobustBlock, factor: float) -> RobustBlock:
    """Return a block with other weights."""
    other = copy.deepcopy(block)
    other.unfold()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(factor).add_(0.1)
    return other


def builds(block: RobustBlock, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Return a list that grows with the grid of each kernel that the block builds."""
    built: list[tuple[int, int]] = []
    build = block.convolution.build
    monkeypatch.setattr(block.convolution, "build", lambda *grid: built.append(grid) or build(*grid))
    return built


@EACH
@BOTH
@pytest.mark.parametrize("size", [(5, 4), (64, 96)], ids=["small", "large"])
def test_folding_changes_scores_and_gradients_by_rounding_only(
    variant: Variant, name: str, size: tuple[int, int]
) -> None:
    block, x = shaken(variant, name, grid=8), maps(2, 6, *size).requires_grad_()
    along = maps(2, 6, *size, seed=2)

    def found() -> tuple[Tensor, Tensor]:
        y = block(x)
        return y.detach(), torch.autograd.grad((y * along).sum(), x)[0]

    before = found()
    block.fold()
    for _ in range(2):
        for one, other in zip(before, found(), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=2e-5)
    block.unfold()
    assert all(torch.equal(one, other) for one, other in zip(before, found(), strict=True))


@pytest.mark.parametrize("name", TRAINED)
@BOTH
def test_a_folded_block_builds_its_kernel_once_for_each_grid(
    variant: Variant, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = shaken(variant, name, grid=3)
    built = builds(block, monkeypatch)
    block.fold()
    for batch, *size in ((1, 5, 4), (3, 5, 4), (1, 7, 9)):
        block(maps(batch, 6, *size))
    assert built == [(3, 3)]
    block(maps(1, 6, 2, 2))
    assert built[1:] == ([] if variant == "paper" else [(2, 2)])


@BOTH
def test_an_unfolded_block_is_that_of_its_weights_at_every_call(variant: Variant) -> None:
    block, x = shaken(variant), maps(2, 6, 5, 4)
    before = block(x)
    for parameter, value in zip(block.parameters(), with_weights(block, 1.5).parameters(), strict=True):
        parameter.data.copy_(value)
    assert not torch.allclose(block(x), before, atol=1e-3)


@BOTH
def test_blocks_are_folded_within_the_context_and_as_before_at_its_end(variant: Variant) -> None:
    network, x = nn.Sequential(shaken(variant), shaken(variant, "aoc")), maps(1, 6, 5, 4)
    network[1].fold()
    with folded_blocks(network):
        assert all(block.is_folded for block in network)
        with folded_blocks(network):
            pass
        assert all(block.is_folded for block in network)
    assert [block.is_folded for block in network] == [False, True]
    before = network(x)
    with pytest.raises(ZeroDivisionError), folded_blocks(network):
        network(x)
        raise ZeroDivisionError
    network[0].load_state_dict(with_weights(network[0], 1.5).state_dict())
    assert not torch.allclose(network(x), before, atol=1e-3)
    fold_blocks(network)
    assert all(block.is_folded for block in network)


@BOTH
def test_a_folded_block_that_is_to_learn_unfolds_and_learns(variant: Variant) -> None:
    block, x = shaken(variant), maps(1, 6, 5, 4)
    block.fold()
    before = block(x)
    block.requires_grad_(True)
    with torch.no_grad():
        assert torch.equal(block(x), before)
        assert block.is_folded
    optimizer = torch.optim.SGD(block.parameters(), lr=0.5)
    (block(x) * maps(1, 6, 5, 4, seed=7)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in block.parameters())
    optimizer.step()
    block.requires_grad_(False)
    assert not torch.allclose(block(x), before, atol=1e-3)


def moved(block: RobustBlock) -> RobustBlock:
    block.double()
    return block


@pytest.mark.parametrize("change", [copy.deepcopy, lambda block: pickle.loads(pickle.dumps(block)), moved])  # noqa: S301
@BOTH
def test_copies_and_conversions_of_a_folded_block_are_folded_and_right(
    variant: Variant, change: Callable[[RobustBlock], RobustBlock]
) -> None:
    block, x = shaken(variant), maps(1, 6, 5, 4)
    block.fold()
    block(x)
    other = change(block)
    assert other.is_folded
    fresh = copy.deepcopy(other)
    fresh.unfold()
    y = x.to(next(other.parameters()).dtype)
    torch.testing.assert_close(other(y), fresh(y), rtol=0, atol=1e-11 if y.dtype == torch.float64 else 1e-5)


def test_what_is_kept_does_not_travel_with_copies_and_pickles() -> None:
    block = new_block(BlockSettings(width=16, grid=8), 16).eval().requires_grad_(False)
    block.fold()
    empty = len(pickle.dumps(block))
    block(maps(1, 16, 9, 9))
    assert len(pickle.dumps(block)) == empty


@BOTH
def test_what_was_kept_in_inference_mode_serves_where_gradients_are_wanted(variant: Variant) -> None:
    block, x = shaken(variant), maps(1, 6, 5, 4)
    block.fold()
    with torch.inference_mode():
        block(x)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(block(leaf).square().sum(), leaf)
    assert gradient.abs().max() > 0


@BOTH
def test_folding_changes_no_name_and_no_weight(variant: Variant) -> None:
    block = shaken(variant)
    before = {name: value.clone() for name, value in block.state_dict().items()}
    block.fold()
    block(maps(1, 6, 5, 4))
    after = block.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
