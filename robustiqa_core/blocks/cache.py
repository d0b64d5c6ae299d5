"""A value built from tensors, kept until one of them changes."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Value]):
    """The newest value: for which request, of which state of the tensors."""

    key: Hashable
    stamps: tuple[Hashable, ...]
    # They keep the memory alive, so that no later tensor can have the same address.
    aliases: tuple[Tensor, ...]
    value: Value


def _stamp(source: Tensor) -> Hashable:
    """Return what differs as soon as a tensor was written to, moved, converted or replaced."""
    return source.data_ptr(), source._version, source.dtype, source.device


class KernelCache(Generic[Value]):
    """Keeps the newest value that was built from some tensors.

    Every write that autograd knows of (an optimiser's step, `load_state_dict`, `copy_`) raises a tensor's version, and
    every move or replacement changes its address; either builds anew. One kind of write is invisible: in place through
    `.data`. Owners therefore call `clear` where such writes are usual, and nobody should make them elsewhere.

    A copy starts empty. Threads may share it: the worst that happens is that two of them build the same value.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._entry: _Entry[Value] | None = None

    def get(self, key: Hashable, sources: Sequence[Tensor], build: Callable[[], Value]) -> Value:
        """Return the value for `key`, built without gradient if it is not the one at hand.

        Args:
            key: what else the value depends on, such as the grid.
            sources: the tensors that it is built from.
            build: makes it.
        """
        if any(source.is_meta or source.is_inference() for source in sources):
            # The first have no values, the second no version.
            with torch.no_grad():
                return build()
        stamps = tuple(_stamp(source) for source in sources)
        entry = self._entry
        if entry is None or entry.key != key or entry.stamps != stamps:
            # A tensor made in inference mode could not be used where gradients are wanted later.
            with torch.inference_mode(False), torch.no_grad():
                entry = _Entry(key, stamps, tuple(source.detach() for source in sources), build())
            self._entry = entry
        return entry.value

    def clear(self) -> None:
        """Forget the value."""
        self._entry = None

    def __reduce__(self) -> tuple[type["KernelCache[Value]"], tuple[()]]:
        """Let copies and pickles start empty."""
        return type(self), ()
