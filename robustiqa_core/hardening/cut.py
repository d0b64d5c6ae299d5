"""A network cut in two just before a block: the prefix, computed once for a photo, and the suffix, which learns.

No architecture says where it can be cut. Autograd knows what depends on what: two passes of a small photo tell which
modules the block reaches, and which outputs of the others those need.
"""

import contextlib
import copy
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from robustiqa_core.blocks import block_at, insertion_points
from robustiqa_core.blocks.insertion import CHILD
from robustiqa_core.checks import MIN_SIDE
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.models import QualityModel
from robustiqa_core.spectra.activations import weight_sharing_copy


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a network is cut: just before the block at an insertion point.

    Args:
        block: path of the block, whose input is kept.
        front: paths of the modules that the block does not reach, the outermost of each.
        kept: those of them whose output the rest needs besides the block's input, such as an earlier tap, or the whole
            other branch of DBCNN.
    """

    block: str
    # Not `prefix`: the names of these fields are part of the keys of what is kept on the disk.
    front: tuple[str, ...]
    kept: tuple[str, ...]

    def is_front(self, name: str) -> bool:
        """Return whether a parameter or buffer of this name belongs to the front."""
        return any(name.startswith(f"{path}.") for path in self.front)


def find_cut(network: QualityModel, point_name: str) -> Cut:
    """Return where to cut a network that has a block at an insertion point; it is not touched.

    Raises:
        ConfigurationError: there is no block at that point.
    """
    block_at(network, point_name)
    block = next(f"{point.module}.{CHILD}" for point in insertion_points(network) if point.name == point_name)
    calls = _reached(_frozen_copy(network), block)
    front = tuple(_outermost(network, "", block, calls))
    return Cut(block, front, tuple(_needed(_frozen_copy(network), block, front)))


def _frozen_copy(network: QualityModel) -> QualityModel:
    """Return a copy in eval mode that shares the values of the weights and wants no gradient for them."""
    tensors = {id(value): value.detach() for value in network.buffers()}
    tensors |= {id(value): nn.Parameter(value.detach(), requires_grad=False) for value in network.parameters()}
    return copy.deepcopy(network, tensors).eval()


def _leaf(x: Tensor) -> Tensor:
    return x.detach().requires_grad_()


def _score_of_grey(network: QualityModel) -> Tensor:
    """Return the score of a small grey photo, with gradient."""
    with torch.enable_grad():
        grey = torch.full((1, 3, MIN_SIDE, MIN_SIDE), 0.5, device=network.k.device, dtype=network.k.dtype)
        score: Tensor = network(grey)
    return score


def _reached(probe: QualityModel, block: str) -> dict[str, list[bool]]:
    """Return for each module that is called, call by call, whether its output depends on the block's."""
    calls: dict[str, list[bool]] = {}

    def noting(name: str) -> Callable[..., None]:
        return lambda module, arguments, output: calls.setdefault(name, []).append(output.requires_grad)

    for name, module in probe.named_modules():
        if name:
            module.register_forward_hook(noting(name))
    probe.get_submodule(block).register_forward_pre_hook(lambda module, arguments: (_leaf(arguments[0]),))
    _score_of_grey(probe)
    return calls


def _outermost(module: nn.Module, path: str, block: str, calls: Mapping[str, list[bool]]) -> Iterator[str]:
    """Yield the paths of the outermost modules within `module` that run once and that the block does not reach.

    One that runs more than once (a shared dropout) has no single output, and is left where it is.
    """
    for name, child in module.named_children():
        inner = f"{path}.{name}" if path else name
        if calls.get(inner) == [False]:
            yield inner
        elif inner != block:
            yield from _outermost(child, inner, block, calls)


def _needed(probe: QualityModel, block: str, front: Sequence[str]) -> Iterator[str]:
    """Yield those of the front modules from whose output the score can be reached without passing another of them."""
    leaves: dict[str, Tensor] = {}

    def cutting(name: str) -> Callable[..., Tensor]:
        def cut(module: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> Tensor:
            leaves[name] = _leaf(output)
            # A leaf must not be written to, which the next layer may do.
            return leaves[name].clone()

        return cut

    for name in front:
        probe.get_submodule(name).register_forward_hook(cutting(name))
    probe.get_submodule(block).register_forward_pre_hook(lambda module, arguments: (_leaf(arguments[0]),))
    gradients = torch.autograd.grad(_score_of_grey(probe), list(leaves.values()), allow_unused=True)
    yield from (name for name, gradient in zip(leaves, gradients, strict=True) if gradient is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What the front of a network made of N photos of one size: all that the rest needs.

    Args:
        tensors: (N, ...) by path: the block's input and the outputs of `Cut.kept`.
        shapes: of the outputs of all front modules for one photo, which the code between the modules asks for.
        size: (height, width) of the photos.
    """

    tensors: Mapping[str, Tensor]
    shapes: Mapping[str, tuple[int, ...]]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    @property
    def bytes(self) -> int:
        """Memory of the tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values())

    def to(self, device: torch.device) -> "Maps":
        """Return the maps on a device."""
        return Maps({name: tensor.to(device) for name, tensor in self.tensors.items()}, self.shapes, self.size)

    def pick(self, indices: Sequence[int]) -> "Maps":
        """Return the maps of some of the photos."""
        picked = {name: tensor[torch.tensor(indices, device=tensor.device)] for name, tensor in self.tensors.items()}
        return Maps(picked, self.shapes, self.size)

    @staticmethod
    def join(parts: Sequence["Maps"]) -> "Maps":
        """Return the maps of several batches of photos of one size as one."""
        joined = {name: torch.cat([part.tensors[name] for part in parts]) for name in parts[0].tensors}
        return Maps(joined, parts[0].shapes, parts[0].size)


class _Enough(Exception):  # noqa: N818  (nothing went wrong)
    """Everything that the rest needs is known: ends a pass, whose last layers nobody asks for."""


class Prefix:
    """What comes before the cut: from photos to maps. The network is not touched, and may be in use elsewhere."""

    def __init__(self, network: QualityModel, cut: Cut) -> None:
        """Watch a copy that shares the weights.

        Args:
            network: with a block.
            cut: from `find_cut`, of this network.
        """
        self._cut = cut
        self._network = weight_sharing_copy(network).eval()
        self._tensors: dict[str, Tensor] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._awaited: set[str] = set()
        for name in cut.front:
            self._network.get_submodule(name).register_forward_hook(self._noting(name))
        self._network.get_submodule(cut.block).register_forward_pre_hook(self._entering)

    def _noting(self, name: str) -> Callable[..., None]:
        def note(module: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> None:
            self._shapes[name] = tuple(output.shape[1:])
            if name in self._cut.kept:
                # The next layer may write to it.
                self._tensors[name] = output.clone()
            self._tick_off(name)

        return note

    def _entering(self, module: nn.Module, arguments: tuple[Any, ...]) -> None:
        self._tensors[self._cut.block] = arguments[0].clone()
        self._tick_off(self._cut.block)

    def _tick_off(self, name: str) -> None:
        self._awaited.discard(name)
        if not self._awaited:
            raise _Enough

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Maps:
        """Return what the rest needs of images (N, 3, H, W), float, RGB in [0, 1], on the network's device.

        Raises:
            ConfigurationError: the network makes several maps of a photo, as TReS does with `crops`.
        """
        self._awaited = {*self._cut.front, self._cut.block}
        with contextlib.suppress(_Enough):
            self._network(images)
        for tensor in self._tensors.values():
            if len(tensor) != len(images):
                raise ConfigurationError(
                    f"expected one map per photo, got {len(tensor)} for {len(images)}; tune all layers instead"
                )
        return Maps(dict(self._tensors), dict(self._shapes), (images.shape[2], images.shape[3]))


class _Recall(nn.Module):
    """Stands where a front module was: gives what that had given, or zeros of that shape where nobody looks."""

    output: Tensor

    def forward(self, *arguments: Tensor) -> Tensor:
        return self.output


class _Resume(nn.Module):
    """Stands where the block was: gives the block the input that it had."""

    input: Tensor

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(self.input)
        return y


class Suffix:
    """What follows the cut: from maps to scores, exactly as the whole network has them.

    `network` is a copy of the whole one that shares its weights, with memories in the places of the front modules: to
    train it is to train the whole one. Called with what `recall` returns, it goes on from the maps; so do its
    `predictions` and everything else that it does with photos.
    """

    def __init__(self, network: QualityModel, cut: Cut) -> None:
        """Make the copy.

        Args:
            network: with a block.
            cut: from `find_cut`, of this network.
        """
        self.network = weight_sharing_copy(network).eval()
        self._cut = cut
        self._recalls = {name: _Recall() for name in cut.front}
        self._resume = _Resume(self.network.get_submodule(cut.block))
        for path, module in itertools.chain(self._recalls.items(), [(cut.block, self._resume)]):
            self.network.set_submodule(path, module)

    def recall(self, maps: Maps) -> Tensor:
        """Take the maps of N photos to go on from; return what to call the network with: N photos without content."""
        nothing = self.network.k.new_zeros(())
        for name, recall in self._recalls.items():
            kept = maps.tensors.get(name)
            # A copy, since the next layer may write to it.
            recall.output = nothing.expand(len(maps), *maps.shapes[name]) if kept is None else kept.clone()
        self._resume.input = maps.tensors[self._cut.block]
        return nothing.expand(len(maps), 3, *maps.size)

    def scores(self, maps: Maps) -> Tensor:
        """Return the scores (N,) of the photos whose maps these are."""
        scores: Tensor = self.network(self.recall(maps))
        return scores
