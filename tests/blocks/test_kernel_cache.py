"""A kernel that is kept is never stale."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from block_layers import TRAINED, maps, new
from torch import Tensor

from robustiqa_core.blocks import ConstrainedConvolution
from robustiqa_core.blocks.cache import KernelCache
from robustiqa_core.blocks.spectral import SpectralConvolution

Change = Callable[[ConstrainedConvolution], ConstrainedConvolution]


def changed_weights(layer: ConstrainedConvolution) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return {
        name: value + 0.3 * torch.randn(value.shape, generator=generator) for name, value in layer.state_dict().items()
    }


def load(layer: ConstrainedConvolution) -> ConstrainedConvolution:
    layer.load_state_dict(changed_weights(layer))
    return layer


def assign(layer: ConstrainedConvolution) -> ConstrainedConvolution:
    layer.load_state_dict(changed_weights(layer), assign=True)
    return layer.requires_grad_(False)


def step(layer: ConstrainedConvolution) -> ConstrainedConvolution:
    layer.requires_grad_(True)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.3)
    (layer(maps(1, 3, 4, 4)) * maps(1, 3, 4, 4, seed=7)).sum().backward()
    optimizer.step()
    return layer.requires_grad_(False)


def replace_data(layer: ConstrainedConvolution) -> ConstrainedConvolution:
    """Twice, so that the memory of the first weights would be used again if nobody held it."""
    for _ in range(2):
        for name, value in changed_weights(layer).items():
            layer.get_parameter(name).data = value
    return layer


def write_in_place(layer: ConstrainedConvolution) -> ConstrainedConvolution:
    with torch.no_grad():
        for name, value in changed_weights(layer).items():
            layer.get_parameter(name).copy_(value)
    return layer


def write_through_data(layer: ConstrainedConvolution) -> ConstrainedConvolution:
    """Invisible to version counters; the change of mode that goes with training saves the day."""
    layer.train()
    for name, value in changed_weights(layer).items():
        layer.get_parameter(name).data.copy_(value)
    return layer.eval()


def convert(layer: ConstrainedConvolution) -> ConstrainedConvolution:
    return load(layer.double()).float()


def copy_and_change(layer: ConstrainedConvolution) -> ConstrainedConvolution:
    return load(copy.deepcopy(layer))


CHANGES = [load, assign, step, replace_data, write_in_place, write_through_data, convert, copy_and_change]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("name", TRAINED)
def test_after_a_change_the_kernel_is_that_of_the_new_weights(name: str, change: Change) -> None:
    layer, x = new(name, 3, 3).eval().requires_grad_(False), maps(1, 3, 4, 4)
    before = layer(x)
    after = change(layer)
    fresh = new(name, 3, 3)
    fresh.load_state_dict(after.state_dict())
    assert torch.equal(after(x), fresh(x))
    assert not torch.allclose(after(x), before, atol=1e-3)


@pytest.mark.parametrize("name", TRAINED)
def test_the_kernel_is_built_once_and_for_another_grid_where_it_depends_on_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, built = new(name, 3, 3).eval().requires_grad_(False), []
    build = layer.build
    monkeypatch.setattr(layer, "build", lambda *grid: built.append(grid) or build(*grid))
    for batch in (1, 2, 1):
        layer(maps(batch, 3, 4, 4))
    assert built == [(4, 4)]
    assert torch.equal(layer(maps(1, 3, 5, 3)), new(name, 3, 3)(maps(1, 3, 5, 3)))
    assert len(built) == (2 if isinstance(layer, SpectralConvolution) else 1)


@pytest.mark.parametrize("name", TRAINED)
def test_a_kept_kernel_does_not_cut_gradients(name: str) -> None:
    layer, x = new(name, 3, 3).eval(), maps(1, 3, 4, 4)
    with torch.inference_mode():
        layer(x)
    (layer(x) * maps(1, 3, 4, 4, seed=3)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in layer.parameters())
    layer.requires_grad_(False)
    with torch.inference_mode():
        layer(x)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(leaf).square().sum(), leaf)
    assert gradient.abs().max() > 0


def test_weights_made_in_inference_mode_are_read_anew_each_time() -> None:
    x = maps(1, 3, 4, 4)
    with torch.inference_mode():
        layer = new("cayley", 3, 3).eval()
        before = layer(x)
        layer.weight.copy_(maps(3, 3, 3, 3))
        assert not torch.allclose(layer(x), before, atol=1e-3)


def test_kernels_do_not_travel_with_copies_and_pickles() -> None:
    layer = new("cayley", 16, 16).eval().requires_grad_(False)
    empty = len(pickle.dumps(layer))
    layer(maps(1, 16, 9, 9))
    assert len(pickle.dumps(layer)) == empty
    assert copy.deepcopy(layer)._kernels._entry is None
    assert layer._kernels._entry is not None


def test_the_cache_keeps_the_newest_value_only() -> None:
    cache, built = KernelCache[int](), []

    def get(key: int, source: Tensor) -> int:
        return cache.get(key, (source,), lambda: built.append(key) or len(built))

    first, second = torch.zeros(2), torch.zeros(2)
    assert [get(1, first), get(1, first), get(2, first), get(1, first), get(1, second)] == [1, 1, 2, 3, 4]
    second.add_(1)
    assert get(1, second) == 5
    cache.clear()
    assert get(1, second) == 6
