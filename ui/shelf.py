"""Finished results that a reload of the page, or an address, finds again. Knows nothing of Streamlit."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from robustiqa_core.checks import check_count, check_positive

KEPT_SECONDS = 3600.0
"""Seconds after the last look at which a result is dropped."""


class Shelf:
    """A few results by their key, for everybody on this server; the one that was looked at longest ago goes first.

    What belongs to one visitor, such as a photo, has no place here. All methods may be called from any thread.

    Args:
        capacity: most results that are kept.
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
        self, *, capacity: int = 32, seconds: float = KEPT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = check_count("capacity", capacity)
        self._seconds = check_positive("seconds", seconds)
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, object]] = OrderedDict()

    def put(self, key: str, result: object) -> None:
        """Keep a result; one of the same key is replaced."""
        with self._lock:
            self._kept[key] = (self._clock(), result)
            self._kept.move_to_end(key)
            self._drop()

    def get(self, key: str) -> object | None:
        """Return the result, which stays for as long again, or None where there is none."""
        with self._lock:
            self._drop()
            if key not in self._kept:
                return None
            result = self._kept[key][1]
            self._kept[key] = (self._clock(), result)
            self._kept.move_to_end(key)
            return result

    def _drop(self) -> None:
        oldest = self._clock() - self._seconds
        for key in [key for key, (looked_at, _) in self._kept.items() if looked_at < oldest]:
            del self._kept[key]
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
