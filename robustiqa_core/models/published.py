"""Reading other people's PyTorch checkpoints safely, and loading their weights strictly under our names."""

import math
import pickle
import re
import struct
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from robustiqa_core.errors import ConfigurationError, InputError, MissingWeightsError
from robustiqa_core.files import is_file

Network = TypeVar("Network", bound=nn.Module)
Rename = Callable[[str], str]
"""From the name of a tensor in our network to its name in the published layout."""

# What torch's restricted unpickler and its archive readers raise on files that are not checkpoints.
_UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    OverflowError,
    struct.error,
    SafetensorError,
)
_WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "net", "network", "model")
"""Names under which training programs keep a state dict: pyiqa and BasicSR, Lightning, and what many write by hand."""
_PREFIXES = ("module.", "model.", "net.", "network.")
"""Before every name: of `nn.DataParallel`, and of the attribute in which a Lightning module keeps its network."""
_COMPILED = "_orig_mod."
"""What `torch.compile` puts before the names of what it has compiled, the whole network or a part."""
_DEEPEST = 5
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_SHOWN = 6
"""Names that an error lists of each kind."""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the dictionary in a PyTorch checkpoint file, on the CPU; no code in the file is run.

    Raises:
        MissingWeightsError: no file at `path`.
        InputError: the file is not a PyTorch checkpoint, holds more than tensors, numbers, strings and containers of
            these, or no dictionary.
    """
    if not is_file(path):
        raise MissingWeightsError(f"expected a PyTorch checkpoint at {path}, got no file; download the published one")
    try:
        with warnings.catch_warnings():
            # torch warns of TorchScript archives before it refuses them.
            warnings.simplefilter("ignore")
            value = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise InputError(
            f"expected a PyTorch checkpoint of plain tensors in {path}, "
            f"got a file that cannot be read safely ({_plain_reason(error)}); "
            "save the network's state_dict() with torch.save and import that"
        ) from error
    if not isinstance(value, dict):
        raise InputError(
            f"expected a dictionary of tensors in {path}, got {type(value).__name__}; "
            "save the network's state_dict() with torch.save and import that"
        )
    return value


def _plain_reason(error: Exception) -> str:
    """Return the gist of a torch error about a file."""
    text = _ESCAPES.sub("", str(error)).strip()
    if found := re.search(r"Unsupported (?:global|class)\W+(?:GLOBAL )?([\w.]+)|GLOBAL ([\w.]+) was not", text):
        return f"it holds a {found.group(1) or found.group(2)}, which is code or an object and no plain tensor"
    if found := re.search(r"WeightsUnpickler error:\s*([^\n]+)", text):
        return f"it holds more than plain tensors: {found.group(1).split('. ')[0].strip()}"
    first = (text or type(error).__name__).splitlines()[0]
    return "it holds more than plain tensors" if "weights_only" in first or "Weights only" in first else first


def unwrapped(checkpoint: Mapping[str, Any], *, kept: Collection[str] = ()) -> Mapping[str, Any]:
    """Return the state dict in a checkpoint as other programs write it: without what surrounds it and its prefixes.

    Args:
        checkpoint: of `read_checkpoint`.
        kept: names that are part of the published layout and no wrapper.
    """
    state = without_prefixes(checkpoint)
    # A damaged file may hold itself.
    for _ in range(_DEEPEST):
        inner = next(
            (state[name] for name in _WRAPPERS if name not in kept and isinstance(state.get(name), Mapping)), None
        )
        if inner is None:
            break
        state = without_prefixes(inner)
    return state


def without_prefixes(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a state dict without common prefixes and without the marks of `torch.compile`.

    Example:
        >>> without_prefixes({"model._orig_mod.fc.weight": 1, "model._orig_mod.fc.bias": 2})
        {'fc.weight': 1, 'fc.bias': 2}
    """
    if not state or not all(isinstance(name, str) for name in state):
        return state
    plain = {name.replace(_COMPILED, ""): value for name, value in state.items()}
    while prefix := next((prefix for prefix in _PREFIXES if all(name.startswith(prefix) for name in plain)), None):
        plain = {name.removeprefix(prefix): value for name, value in plain.items()}
    return plain if len(plain) == len(state) else state


def plain_tensors(state: object, place: str) -> dict[str, Tensor]:
    """Return a state dict of plain tensors, without the prefixes of `without_prefixes`.

    Args:
        state: what a checkpoint holds.
        place: where, for the error.

    Raises:
        InputError: not a dictionary of dense real tensors by name, or an empty one.
    """
    if not isinstance(state, Mapping) or not state:
        what = "an empty one" if isinstance(state, Mapping) else type(state).__name__
        raise InputError(f"expected a state dict in {place}, got {what}; import another checkpoint")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise InputError(
                f"expected tensors by name in {place}, got {type(value).__name__} at {name!r}; import its state dict"
            )
        if value.layout != torch.strided or value.is_meta or value.is_quantized or value.is_complex():
            raise InputError(
                f"expected dense real tensors in {place}, got a sparse, quantised, complex or empty one at {name}; "
                "save the state dict of the plain network"
            )
    return dict(without_prefixes(state))


def check_mapping(k: float, b: float) -> tuple[float, float]:
    """Return the score mapping (k, b) if it is finite and k is not 0, else raise ConfigurationError."""
    if not (math.isfinite(k) and math.isfinite(b) and k != 0.0):
        raise ConfigurationError(
            f"a score mapping needs a finite k other than 0 and a finite b, got {k:g} and {b:g}; change them"
        )
    return k, b


def enumerate_names(names: Iterable[str]) -> str:
    """Return the first names in alphabetical order, and how many more there are.

    Example:
        >>> enumerate_names("hgfedcba")
        'a, b, c, d, e, f and 2 more'
    """
    listed = sorted(names)
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")


def _weights(network: nn.Module) -> dict[str, Tensor]:
    """Return the network's state without its score mapping, which the published layouts keep elsewhere."""
    return {name: value for name, value in network.state_dict().items() if name not in ("k", "b")}


def _differences(network: nn.Module, state: Mapping[str, Tensor], published: Rename) -> str:
    """Return the missing, unexpected and misshapen tensors of a state in the published layout; empty if it fits."""
    expected = {published(name): value for name, value in _weights(network).items()}
    # Before PyTorch 0.4.1, batch normalisation did not count its batches.
    needed = {name for name in expected if not name.endswith(".num_batches_tracked")}
    found = {
        "missing": needed - state.keys(),
        "not known": state.keys() - expected.keys(),
        "of another shape": {
            f"{name} {tuple(state[name].shape)} instead of {tuple(value.shape)}"
            for name, value in expected.items()
            if name in state and state[name].shape != value.shape
        },
    }
    return "; ".join(f"{title}: {enumerate_names(names)}" for title, names in found.items() if names)


def fill(
    network: Network, state: Mapping[str, Tensor], published: Rename, mapping: tuple[float, float] | None = None
) -> Network:
    """Give a network made on the meta device the weights of a published state, strictly, and freeze it.

    Args:
        network: changed in place.
        state: of the published layout; copied.
        published: from our names to those of `state`.
        mapping: k and b, for a network that has them.

    Returns:
        `network`, in eval mode, its parameters frozen.

    Raises:
        InputError: names or shapes differ (the message lists them), or weights are not finite.
    """
    what = type(network).__name__
    if differences := _differences(network, state, published):
        raise InputError(
            f"expected a checkpoint of the published {what}, got other tensors ({differences}); "
            "import the checkpoint of this architecture and trunk"
        )
    filled: dict[str, Tensor] = {}
    for name, value in _weights(network).items():
        theirs = published(name)
        # Only the count of batches may be missing; no score depends on it.
        filled[name] = state[theirs].detach().to(value.dtype, copy=True) if theirs in state else torch.tensor(0)
    if bad := [published(name) for name, value in filled.items() if not value.isfinite().all()]:
        raise InputError(
            f"expected finite weights of {what}, got NaN or infinity in {enumerate_names(bad)}; "
            "download the checkpoint again"
        )
    if mapping:
        filled.update(k=torch.tensor(mapping[0]), b=torch.tensor(mapping[1]))
    network.load_state_dict(filled, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def best_fit(candidates: Iterable[Network], state: Mapping[str, Tensor], published: Rename) -> Network:
    """Return the first candidate with the state's names and shapes, else the one that agrees with it in most.

    Args:
        candidates: networks; those after the one that fits are not made.
        state: of the published layout, not empty.
        published: from our names to those of `state`.
    """
    best: tuple[int, Network] | None = None
    for network in candidates:
        expected = {published(name): value.shape for name, value in _weights(network).items()}
        agreeing = sum(name in state and state[name].shape == shape for name, shape in expected.items())
        misfits = len(expected) + len(state) - 2 * agreeing
        if best is None or misfits < best[0]:
            best = misfits, network
        if misfits == 0:
            break
    if best is None:
        raise ConfigurationError("expected at least one candidate, got none; pass the networks to choose from")
    return best[1]
