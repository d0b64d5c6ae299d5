"""What was computed for one recipe and serves the next: crops, the baseline's scores, maps, and whole results."""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from robustiqa_core.checks import check_count
from robustiqa_core.files import read_tensors, write_tensors

Value = TypeVar("Value")

GIB = 2**30


def numbers_of(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield everything that a network's outputs depend on: parameters and buffers, with those that are not stored.

    Masks are such buffers; a key that leaves them out would take a pruned network for the whole one.
    """
    yield from network.named_parameters()
    yield from network.named_buffers()


def fingerprint(tensors: Iterable[tuple[str, Tensor]], *facts: object) -> str:
    """Return a hash of named tensors, values included, and of whatever else decides a result.

    Args:
        tensors: such as `numbers_of` a network.
        facts: anything with a `repr` that tells it from others.
    """
    digest = hashlib.sha256(repr(facts).encode())
    for name, tensor in tensors:
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {tuple(plain.shape)}".encode())
        digest.update(plain.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """Tensors by name, with facts about them that JSON can hold; nobody changes either."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]

    @property
    def bytes(self) -> int:
        """Memory of the tensors."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values())


class Recent(Generic[Value]):
    """The most recently used values by key, as many as fit a limit; safe to share between threads.

    The newest value is kept even where it alone is above the limit.
    """

    def __init__(self, limit: int) -> None:
        """Start empty.

        Args:
            limit: sum of the sizes.
        """
        self._limit = check_count("limit", limit, high=2**62)
        self._lock = threading.Lock()
        self._values: OrderedDict[str, tuple[int, Value]] = OrderedDict()

    def get(self, key: str) -> Value | None:
        """Return the value of a key, now the most recently used; None if there is none."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][1]

    def put(self, key: str, value: Value, size: int = 1) -> None:
        """Keep a value; those that were not used for longest go."""
        with self._lock:
            self._values[key] = (size, value)
            self._values.move_to_end(key)
            while len(self._values) > 1 and sum(held for held, _ in self._values.values()) > self._limit:
                self._values.popitem(last=False)


class HardeningCache:
    """Keeps tensors in memory and, if it is given a folder, on the disk; and the newest results in memory.

    Keys are hashes of everything that a value depends on, so that nothing in it can be stale.
    """

    def __init__(self, folder: Path | None = None, *, limit: int = GIB, results: int = 8) -> None:
        """Start empty, or with what an earlier cache left in the folder.

        Args:
            folder: where tensors are kept beyond the process; it is never emptied, and may be deleted at any time.
            limit: bytes of tensors in memory.
            results: number of results in memory, each with a network.
        """
        self.folder = folder
        self.results: Recent[tuple[object, ...]] = Recent(results)
        self._stored: Recent[Stored] = Recent(limit)

    def find(self, key: str) -> Stored | None:
        """Return what was kept under a key, None if nothing was."""
        found = self._stored.get(key)
        path = self._path(key)
        if found is None and path is not None and path.is_file():
            tensors, metadata = read_tensors(path)
            found = Stored(tensors, json.loads(metadata["facts"]))
            self._stored.put(key, found, found.bytes)
        return found

    def keep(self, key: str, value: Stored) -> None:
        """Keep tensors under a key, on the disk too where there is a folder."""
        self._stored.put(key, value, value.bytes)
        path = self._path(key)
        if path is not None:
            write_tensors(path, value.tensors, {"facts": json.dumps(value.facts)})

    def _path(self, key: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{key}.safetensors"
