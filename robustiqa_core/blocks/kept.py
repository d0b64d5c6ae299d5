"""The cached matrices of a folded block."""

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

import torch

Value = TypeVar("Value")


class Kept:
    """The newest value of each kind, for one grid, device and precision; a copy or a pickle starts empty.

    Threads may share it: the worst that happens is that two of them build the same value.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._values: dict[str, tuple[Hashable, object]] = {}

    def get(self, kind: str, key: Hashable, build: Callable[[], Value]) -> Value:
        """Return the value of a kind, built now, without gradient, if that at hand has another key."""
        found = self._values.get(kind)
        if found is None or found[0] != key:
            # A tensor made in inference mode could not be used where gradients are wanted later.
            with torch.inference_mode(False), torch.no_grad():
                found = self._values[kind] = (key, build())
        return cast(Value, found[1])

    def __reduce__(self) -> tuple[type["Kept"], tuple[()]]:
        """Leave the values behind."""
        return type(self), ()
