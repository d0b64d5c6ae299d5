"""Activations: the inputs and outputs of chosen modules of a network."""

import copy
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from robustiqa_core.errors import ConfigurationError

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True, slots=True, eq=False)
class Activations:
    """The activations of a network for one photo.

    Args:
        image: (1, 3, H, W), the photo.
        entering: input of each watched module, by dotted path.
        leaving: output of each, likewise.
        score: (1,), what came out in the end.
    """

    image: Tensor
    entering: dict[str, Tensor]
    leaving: dict[str, Tensor]
    score: Tensor


def weight_sharing_copy(model: Model) -> Model:
    """Return a copy with its own modules but shared tensors: hooks on it affect nobody else.

    It takes a few milliseconds and no memory for weights, and is safe while other threads use the model.
    """
    tensors = itertools.chain(model.parameters(), model.buffers())
    return copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})


@torch.no_grad()
def pass_through(model: nn.Module, modules: Sequence[str], image: Tensor) -> Activations:
    """Return what enters and leaves `modules` (dotted paths) for an image (1, 3, H, W), without gradient.

    Raises:
        ConfigurationError: the image does not pass a module exactly once, from one tensor to one tensor.
    """
    return _recorded(model, modules, image)


@torch.inference_mode(False)
@torch.enable_grad()
def traced_pass(model: nn.Module, modules: Sequence[str], image: Tensor) -> Activations:
    """Return the same with a graph, so that everything can be differentiated with respect to `Activations.image`."""
    return _recorded(model, modules, image.detach().clone().requires_grad_())


def _recorded(model: nn.Module, modules: Sequence[str], image: Tensor) -> Activations:
    entering: dict[str, list[Any]] = {name: [] for name in modules}
    leaving: dict[str, list[Any]] = {name: [] for name in modules}

    def before(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        return lambda _, arguments: entering[name].extend(map(_copied, arguments))

    def after(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        return lambda _, __, output: leaving[name].append(_copied(output))

    handles = []
    try:
        for name in modules:
            module = model.get_submodule(name)
            handles += [module.register_forward_pre_hook(before(name)), module.register_forward_hook(after(name))]
        score = model(image)
    finally:
        for handle in handles:
            handle.remove()
    return Activations(image, _singly(entering), _singly(leaving), score)


def _copied(value: Any) -> Any:
    # A later module may work in place on what is kept here.
    return value.clone() if isinstance(value, Tensor) else value


def _singly(seen: dict[str, list[Any]]) -> dict[str, Tensor]:
    """Return the one tensor that each module saw, or raise."""
    for name, values in seen.items():
        if len(values) != 1 or not isinstance(values[0], Tensor):
            raise ConfigurationError(
                f"expected one tensor to pass the module {name!r} once, got {len(values)} values; "
                "measure at another module"
            )
    return {name: values[0] for name, values in seen.items()}


def watch(network: nn.Module, places: tuple[str, ...]) -> tuple[dict[str, Tensor], Callable[[], None]]:
    """Return a dictionary that holds the newest output of the modules at some paths, and what ends the watching.

    The hooks are on the network itself, so that what it makes while it learns is seen, with its graph.
    """
    newest: dict[str, Tensor] = {}

    def noting(place: str) -> Callable[..., None]:
        def note(module: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> None:
            newest[place] = output

        return note

    handles = [network.get_submodule(place).register_forward_hook(noting(place)) for place in places]

    def stop() -> None:
        for handle in handles:
            handle.remove()
        newest.clear()

    return newest, stop


def length(values: Tensor) -> float:
    """Return the Euclidean length of all values together."""
    return float(torch.linalg.vector_norm(values.detach()))
