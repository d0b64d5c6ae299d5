"""From the source of a model to its network: Python code, TorchScript, or an exported program.

All three are code: what is opened here is run, with all that the user may do. A plain checkpoint is no source.
"""

import importlib
import importlib.util
import inspect
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass

from robustiqa_core.errors import ConfigurationError, InputError, MissingWeightsError
from robustiqa_core.files import is_file
from robustiqa_core.own_models.foreign import user_code

Network: TypeAlias = Callable[[Tensor], Tensor]
"""From images (N, 3, h, w) to scores (N,) or (N, 1)."""


def open_source(source: str, device: torch.device) -> Network:
    """Return the network that a source names, on its device, in eval mode and with frozen weights.

    Args:
        source: `module:callable`, `file.py:callable`, or the file of a TorchScript or exported program.
        device: where to run it.

    Raises:
        ConfigurationError: no such module or callable, or one that needs other arguments than none or a device.
        MissingWeightsError: no such file.
        InputError: a file of another kind, or code that raises.
    """
    place, _, name = source.rpartition(":")
    # Not C:\model.pt2, whose last part is no name.
    if place and all(part.isidentifier() for part in name.split(".")):
        with user_code(source, "give a network"):
            return _frozen(_make(_lookup(_module(place, source), name, source), source, device), device)
    path = Path(source)
    if not is_file(path):
        raise MissingWeightsError(
            f"expected module:callable, file.py:callable or the file of a network, got {source!r}; "
            "check the name, relative to the current folder"
        )
    with user_code(source, "hold a network that can be read", "export it again"):
        return _open_file(path, device)


def _module(place: str, source: str) -> ModuleType:
    """Return the module of a Python source."""
    path = Path(place).resolve()
    if place.endswith(".py") and not is_file(path):
        raise MissingWeightsError(f"expected a Python file at {place}, got none; check the path")
    try:
        return _run_file(path) if place.endswith(".py") else importlib.import_module(place)
    except ImportError as error:
        raise ConfigurationError(
            f"expected an importable module in {source!r}, got: {error}; "
            "install what is missing, put the folder of the module on PYTHONPATH, or give file.py:callable"
        ) from error


def _run_file(path: Path) -> ModuleType:
    """Return the module that a Python file makes, run once, under a name of its own."""
    name = f"robustiqa_own_{path.stem}"
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(path):
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    # Registered before it runs, as the import system does; dataclasses look their module up by name.
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _lookup(module: ModuleType, name: str, source: str) -> Any:
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            public = ", ".join(key for key in vars(module) if not key.startswith("_"))
            raise ConfigurationError(f"{source!r}: the module has no {name}, only {public}; choose one of these")
        found = getattr(found, part)
    return found


def _make(found: Any, source: str, device: torch.device) -> Any:
    """Return the network: `found` itself, or what it returns, called without arguments or with the device."""
    if isinstance(found, nn.Module):
        return found
    if not callable(found):
        raise ConfigurationError(
            f"expected {source!r} to be a function that returns a network, or a network, "
            f"got {type(found).__name__}; correct it"
        )
    signature = inspect.signature(found)
    arguments = {"device": device} if "device" in signature.parameters else {}
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise ConfigurationError(
            f"{source!r} is called without arguments or with device=..., but: {error}; give the others defaults, "
            "or, if this function does the scoring, write another one that returns it"
        ) from error
    made = found(**arguments)
    if not callable(made):
        what = "None; end it with return" if made is None else f"{type(made).__name__}; return the network instead"
        raise ConfigurationError(
            f"expected {source!r} to return a network, got {what}; return an nn.Module or a function"
        )
    return made


def _frozen(network: Any, device: torch.device) -> Network:
    if isinstance(network, nn.Module):
        network.to(device).eval()
        _freeze(network)
    scorer: Network = network
    return scorer


def _freeze(network: nn.Module) -> None:
    # One by one: TorchScript has no method for all.
    for parameter in network.parameters():
        parameter.requires_grad_(False)


def _open_file(path: Path, device: torch.device) -> Network:
    """Return the network in a file, whose contents tell what it is."""
    names = set()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    kinds = {"archive_format": _open_exported, "constants.pkl": _open_torchscript}
    reader = next((kinds[name] for name in kinds if name in names), None)
    if reader is None:
        what = "a checkpoint of weights without code" if "data.pkl" in names else "another file"
        raise InputError(
            f"expected a TorchScript file or an exported program (.pt2) in {path}, got {what}; export the network with "
            "torch.export.save, give module:callable, or use robustiqa import-checkpoint for a published checkpoint"
        )
    try:
        network = reader(path, device)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"expected a network that torch {torch.__version__} can read in {path}, got: {reason}; "
            "export it again with this version"
        ) from error
    _freeze(network)
    return network


def _open_exported(path: Path, device: torch.device) -> nn.Module:
    # Its mode was fixed when it was exported.
    return move_to_device_pass(torch.export.load(path), device).module()


def _open_torchscript(path: Path, device: torch.device) -> nn.Module:
    with warnings.catch_warnings():
        # Old, but what many people have their networks in.
        warnings.simplefilter("ignore", FutureWarning)
        network: nn.Module = torch.jit.load(str(path), map_location=device)  # type: ignore[no-untyped-call]
    return network.eval()
