"""Finished results that a reload of the page, or an address, finds again. Knows nothing of Streamlit."""

import dataclasses
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from robustiqa_core.checks import check_count, check_positive

KEPT_SECONDS = 3600.0
"""Seconds after the last look at which a result is dropped."""
MOST_BYTES = 256 * 2**20
"""Memory for all results together, in bytes."""
_OVERHEAD = 64
"""Bytes that a number, a name or a record takes, about."""


class Shelf:
    """A few results by their key, for everybody on this server; the least recently used one is dropped first.

    What belongs to one visitor, such as a photo, has no place here. All methods may be called from any thread.

    Args:
        capacity: most results that are kept.
        most_bytes: most memory that they take together, about; one that is larger by itself is not kept.
        seconds: after the last look at which a result is dropped.
        clock: seconds from a fixed point; a test passes its own.

    Example:
        >>> shelf = Shelf(capacity=1)
        >>> shelf.put("first", 1)
        >>> shelf.put("second", 2)
        >>> shelf.get("first"), shelf.get("second")
        (None, 2)
    """

    def __init__(
        self,
        *,
        capacity: int = 64,
        most_bytes: int = MOST_BYTES,
        seconds: float = KEPT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity = check_count("capacity", capacity)
        self._most_bytes = check_count("most_bytes", most_bytes, high=2**40)
        self._seconds = check_positive("seconds", seconds)
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, int, object]] = OrderedDict()

    def put(self, key: str, result: object) -> None:
        """Keep a result; one of the same key is replaced."""
        size = held_bytes(result)
        with self._lock:
            self._kept.pop(key, None)
            if size > self._most_bytes:
                return
            self._kept[key] = (self._clock(), size, result)
            self._kept.move_to_end(key)
            self._drop()

    def get(self, key: str) -> object | None:
        """Return the result, which stays for as long again, or None where there is none."""
        with self._lock:
            self._drop()
            if key not in self._kept:
                return None
            _, size, result = self._kept[key]
            self._kept[key] = (self._clock(), size, result)
            self._kept.move_to_end(key)
            return result

    def _drop(self) -> None:
        oldest = self._clock() - self._seconds
        for key in [key for key, (looked_at, _, _) in self._kept.items() if looked_at < oldest]:
            del self._kept[key]
        while len(self._kept) > self._capacity or sum(size for _, size, _ in self._kept.values()) > self._most_bytes:
            self._kept.popitem(last=False)


def held_bytes(value: object) -> int:
    """Return about how much memory a result holds: its files, arrays and texts, and something for each other part.

    Example:
        >>> held_bytes((b"0" * 1000, [b"1" * 24])) == 1024 + 4 * 64
        True
    """
    if isinstance(value, bytes | str):
        return len(value) + _OVERHEAD
    if isinstance(value, torch.Tensor | np.ndarray):
        return int(value.nbytes) + _OVERHEAD
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _OVERHEAD + sum(held_bytes(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, Mapping):
        return _OVERHEAD + sum(held_bytes(key) + held_bytes(part) for key, part in value.items())
    if isinstance(value, Sequence):
        return _OVERHEAD + sum(held_bytes(part) for part in value)
    return _OVERHEAD
