"""The one place that decides device, dtype and memory layout."""

import contextlib
import ctypes
import importlib
import itertools
import platform
from typing import Literal

import torch

from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError

Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; `auto` takes CUDA, then MPS, then the CPU.

    Args:
        name: `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.

    Raises:
        ConfigurationError: unknown name, or a device that this machine does not have.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = name.partition(":")
    check_choice("device", kind, ("auto", "cpu", "cuda", "mps"))
    if index and not (kind == "cuda" and index.isdecimal()):
        raise ConfigurationError(f"a device is auto, cpu, mps, cuda or cuda:N, got {name!r}; choose one of these")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError(f"device {name} was requested, but torch finds no CUDA GPU here; use --device cpu")
    if kind == "cuda" and index and int(index) >= torch.cuda.device_count():
        raise ConfigurationError(
            f"device {name} was requested, but torch finds {torch.cuda.device_count()} CUDA GPUs; lower the index"
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ConfigurationError("device mps was requested, but torch finds no Apple GPU here; use --device cpu")
    return torch.device(name)


def device_of(model: object) -> torch.device | None:
    """Return where a model computes: that of its first weight, or of the network that it wraps; None if it has none.

    Example:
        >>> device_of(torch.nn.Linear(2, 1)), device_of(lambda images: images.mean((1, 2, 3)))
        (device(type='cpu'), None)
    """
    if isinstance(model, torch.nn.Module):
        for tensor in itertools.chain(model.parameters(), model.buffers()):
            return tensor.device
    inner = next((value for name in ("scorer", "network") if (value := getattr(model, name, None)) is not None), None)
    return None if inner is None else device_of(inner)


def describe_device(device: torch.device) -> str:
    """Return a short name of the device for people, such as `CPU, 2 threads` or `NVIDIA H200`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU"
    threads = torch.get_num_threads()
    return f"{device.type.upper()}, {threads} thread{'s' if threads != 1 else ''}"


def fast_training_precision(device: torch.device) -> Precision:
    """Return `bfloat16` where the hardware multiplies in it, else `float32`.

    On CPUs with AVX512-BF16 or AMX, bfloat16 halves the time of a training step and more;
    without these instructions it is emulated and slower than float32.
    """
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return "bfloat16"
    return "float32"


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[None]:
    """Return the context in which a forward pass runs in `precision`; nothing changes for float32."""
    check_choice("precision", precision, PRECISIONS)
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def load_compiler() -> None:
    """Import torch's compiler, which torch does by itself, unasked, at a process's first step of an optimiser.

    Nothing here is compiled, but it takes one to two seconds: a program that knows that it will tune can have that
    behind it before anybody waits.
    """
    importlib.import_module("torch._dynamo")


# Parameters of mallopt(3) in glibc's malloc.h, with the values that they are given.
_MALLOPT = {
    -3: 1 << 30,  # M_MMAP_THRESHOLD: blocks up to 1 GiB come from the heap, not from a mapping of their own
    -1: (1 << 31) - 1,  # M_TRIM_THRESHOLD: the heap's free end is given back only above 2 GiB
    -2: 64 << 20,  # M_TOP_PAD: the heap grows in steps of 64 MiB
    -8: 1,  # M_ARENA_MAX: threads that start from now on share that heap; one of their own is never larger than 64 MiB
}


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory for the next step; return whether it could be told.

    A step of an attack or of training frees hundreds of megabytes of feature maps and asks for them again at once.
    By default glibc returns them to the system each time, and fetching them again, page by page, costs a part of the
    step (`benchmarks/scorer_tuning.py`). The setting holds for the process, so that programs (the app, the command
    line) make it, the library does not. Other C libraries have no such setting, and GPUs need none.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(min(mallopt(parameter, value) for parameter, value in _MALLOPT.items()) == 1)
