"""Several processes that train one network, as `torchrun` starts them; in a process alone each function does nothing.

Each process (rank) takes its part of every batch. The losses see the outputs of all parts (`gather`), the gradients are
added up, and the running statistics of normalisations are averaged. Starting from the same weights, all ranks so take
the same steps. (torch's DistributedDataParallel averages the losses of the parts instead, which is not the loss of the
batch where photos are compared with each other, and would have to be rebuilt when a frozen trunk is unfrozen.)
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from robustiqa_core import device as devices
from robustiqa_core.errors import ConfigurationError

T = TypeVar("T")

# The first rank measures the validation photos meanwhile.
_LONGEST_WAIT = timedelta(hours=2)


def launched() -> bool:
    """Return whether torch's launcher started this process."""
    return dist.is_available() and dist.is_torchelastic_launched()


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Join the processes that the launcher started, if it did, until the end of the `with` block."""
    if not launched():
        yield
        return
    dist.init_process_group(timeout=_LONGEST_WAIT)
    try:
        yield
    finally:
        dist.destroy_process_group()


def choose_device(name: str) -> torch.device:
    """Return the device of this rank: the GPU of its number where the launcher started it, else as `device` has it.

    Args:
        name: `auto`, `cpu`, `mps`, `cuda` or, without the launcher, `cuda:N`.

    Raises:
        ConfigurationError: more ranks than GPUs, one GPU for all ranks, or a device that is not there.
    """
    if not launched() or name == "cpu" or not torch.cuda.is_available():
        return devices.choose_device(name)
    if name not in ("auto", "cuda"):
        raise ConfigurationError(
            f"torchrun gives each process its own GPU, got --device {name}; omit it or use --device cpu"
        )
    local, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if local >= gpus:
        raise ConfigurationError(
            f"expected a GPU for each process, got process {local + 1} and {gpus} GPUs; lower --nproc-per-node"
        )
    device = torch.device("cuda", local)
    torch.cuda.set_device(device)
    return device


def _is_shared() -> bool:
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if _is_shared() else 0


def count() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if _is_shared() else 1


def is_first() -> bool:
    """Return whether this is the process that measures, saves and prints."""
    return rank() == 0


def part(batch: Sequence[T]) -> list[T]:
    """Return this rank's part of a batch."""
    return list(batch[rank() :: count()])


def check_batch_size(size: int) -> int:
    """Return `size` if all ranks get the same number of photos, two at least, else raise ConfigurationError."""
    ranks = count()
    if size % ranks or size < 2 * ranks:
        raise ConfigurationError(
            f"{ranks} processes share a batch evenly, at least two photos each, got a batch of {size}; "
            f"use a --batch-size such as {2 * ranks}, {3 * ranks} or {4 * ranks}"
        )
    return size


def gather(x: Tensor) -> Tensor:
    """Return the parts x (n, ...) of all ranks as one batch (N, ...); gradients reach the own part.

    With gradients summed over the ranks (`sum_gradients`), a loss of the whole batch that each rank computes has the
    gradient that it would have in one process.
    """
    if count() == 1:
        return x
    own = x.detach().contiguous()
    parts = [torch.empty_like(own) for _ in range(count())]
    dist.all_gather(parts, own)
    parts[rank()] = x
    return torch.cat(parts)


def _reduce(tensors: Iterable[Tensor], divisor: int) -> None:
    """Replace tensors by their sum over the ranks, divided; in one message."""
    known = list(tensors)
    if count() == 1 or not known:
        return
    flat = torch.cat([tensor.flatten() for tensor in known])
    dist.all_reduce(flat)
    flat /= divisor
    for tensor, total in zip(known, torch.split(flat, [tensor.numel() for tensor in known]), strict=True):
        tensor.copy_(total.view(tensor.shape))


def sum_gradients(network: nn.Module) -> None:
    """Add up the gradients of all ranks, in place."""
    _reduce((parameter.grad for parameter in network.parameters() if parameter.grad is not None), 1)


@torch.no_grad()
def average_statistics(network: nn.Module) -> None:
    """Average the running means and variances over the ranks, in place."""
    _reduce((buffer for buffer in network.buffers() if buffer.is_floating_point() and buffer.ndim > 0), count())


def from_first(value: float, device: torch.device) -> float:
    """Return the first rank's `value`; what the others give does not matter.

    Args:
        value: any number.
        device: of this rank.
    """
    if count() == 1:
        return value
    sent = torch.tensor(value, dtype=torch.float64, device=device)
    dist.broadcast(sent, 0)
    return sent.item()
