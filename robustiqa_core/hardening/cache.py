"""What was computed for one recipe and serves the next: crops, the baseline's outputs, maps, and whole results.

What computes is a generator that yields its progress and returns its result; what is kept already is returned at once.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from robustiqa_core.attacks.objective import score
from robustiqa_core.blocks import fold_blocks
from robustiqa_core.checks import check_count
from robustiqa_core.device import Precision, autocast
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.files import read_tensors, write_tensors
from robustiqa_core.hardening.cut import Cut, Maps, Prefix
from robustiqa_core.hardening.data import Crops, key_of
from robustiqa_core.hardening.records import Progressed, Stage
from robustiqa_core.images.photo import from_8bit
from robustiqa_core.models import QualityModel
from robustiqa_core.spectra.activations import watch, weight_sharing_copy
from robustiqa_core.training.sampling import Sample

Value = TypeVar("Value")

GIB = 2**30
BATCH = 8
"""Crops that are scored at a time: more do not go faster on a CPU, and shall be cancelled soon."""
_MOST_BYTES = 4 * GIB
_SCORES = "scores"


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


@dataclass(frozen=True, slots=True, eq=False)
class KeptCrops:
    """Crops in memory, with a name that tells them from all others.

    Args:
        key: from `data.key_of`.
        pixels: (N, 3, side, side), 8-bit.
        targets: (N,), in the unit of the data; NaN without labels.
    """

    key: str
    pixels: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def first(self, count: int) -> "KeptCrops":
        """Return the first so many of them."""
        return KeptCrops(f"{self.key}-{count}", self.pixels[:count], self.targets[:count])


def kept_crops(
    crops: Crops, samples: Sequence[Sample], cache: HardeningCache, *, workers: int
) -> Generator[Progressed, None, KeptCrops]:
    """Return the crops of some samples.

    Args:
        crops: where they come from.
        samples: which.
        cache: where they are kept.
        workers: processes that make them; 0 for this one.

    Raises:
        ConfigurationError: they would take more than 4 GiB.
    """
    key = key_of(crops, samples)
    _check_memory(3 * crops.crop**2 * len(samples), "crops")
    found = cache.find(key)
    if found is None:
        pixels, targets = [], []
        # A batch as a list of samples: the default collation needs tensors, which a sample is not.
        loader = DataLoader(crops, sampler=list(samples), batch_size=BATCH, num_workers=workers)
        for part, known in loader:
            pixels.append(part)
            targets.append(known.float())
            yield Progressed("cropping", sum(map(len, pixels)), len(samples))
        found = Stored({"pixels": torch.cat(pixels), "targets": torch.cat(targets)}, {})
        cache.keep(key, found)
    return KeptCrops(key, found.tensors["pixels"], found.tensors["targets"])


@dataclass(frozen=True, slots=True, eq=False)
class TeacherOutputs:
    """What a network makes of N crops, on the CPU.

    Args:
        scores: (N,), float32.
        maps: (N, ...), outputs of some modules by path.
    """

    scores: Tensor
    maps: Mapping[str, Tensor]


def teacher_outputs(
    network: QualityModel,
    crops: KeptCrops,
    cache: HardeningCache,
    *,
    places: tuple[str, ...] = (),
    precision: Precision = "float32",
) -> Generator[Progressed, None, TeacherOutputs]:
    """Return a network's scores of crops, and what its modules at some paths made of them.

    Args:
        network: in eval mode; not touched.
        crops: what is scored.
        cache: where the answers are kept.
        places: paths.
        precision: of the passes.

    Raises:
        ConfigurationError: the maps would take more than 4 GiB.
    """
    key = fingerprint(numbers_of(network), "answers", network.settings, crops.key, places, precision)
    found = cache.find(key)
    if found is None:
        watched = weight_sharing_copy(network)
        fold_blocks(watched)
        newest, _ = watch(watched, places)
        parts: dict[str, list[Tensor]] = {name: [] for name in (_SCORES, *places)}

        def compute(pixels: Tensor) -> None:
            with autocast(network.k.device, precision):
                parts[_SCORES].append(score(watched, from_8bit(pixels, network.k.device)).float().cpu())
            for place, output in newest.items():
                parts[place].append(output.float().cpu())
            _check_memory(sum(part[0][0].nbytes for part in parts.values()) * len(crops), "maps")

        yield from _in_batches("scoring", crops.pixels, compute)
        found = Stored({name: torch.cat(part) for name, part in parts.items()}, {})
        cache.keep(key, found)
    return TeacherOutputs(found.tensors[_SCORES], {place: found.tensors[place] for place in places})


def kept_maps(
    network: QualityModel, cut: Cut, crops: KeptCrops, cache: HardeningCache, *, precision: Precision = "float32"
) -> Generator[Progressed, None, Maps]:
    """Return what the front of a network makes of crops, on the CPU; it depends on the weights of the front alone.

    Args:
        network: with a block; not touched.
        cut: of this network.
        crops: what is looked at.
        cache: where the maps are kept.
        precision: of the passes, and so of the maps.

    Raises:
        ConfigurationError: the maps would take more than 4 GiB.
    """
    front = ((name, value) for name, value in numbers_of(network) if cut.is_front(name))
    key = fingerprint(front, "maps", network.settings, cut, crops.key, precision)
    found = cache.find(key)
    if found is None:
        parts: list[Maps] = []
        ahead = Prefix(network, cut)

        def compute(part: Tensor) -> None:
            with autocast(network.k.device, precision):
                parts.append(ahead(from_8bit(part, network.k.device)).to(torch.device("cpu")))
            _check_memory(parts[0].bytes // len(parts[0]) * len(crops), "maps")

        yield from _in_batches("mapping", crops.pixels, compute)
        joined = Maps.join(parts)
        found = Stored(joined.tensors, {"shapes": dict(joined.shapes), "size": list(joined.size)})
        cache.keep(key, found)
    shapes = {name: tuple(shape) for name, shape in found.facts["shapes"].items()}
    height, width = found.facts["size"]
    return Maps(found.tensors, shapes, (height, width))


def _in_batches(stage: Stage, pixels: Tensor, compute: Callable[[Tensor], object]) -> Generator[Progressed, None, None]:
    done = 0
    for part in torch.split(pixels, BATCH):
        compute(part)
        done += len(part)
        yield Progressed(stage, done, len(pixels))


def _check_memory(size: int, what: str) -> None:
    if size > _MOST_BYTES:
        raise ConfigurationError(
            f"expected {what} of at most {_MOST_BYTES / GIB:.0f} GiB, got {size / GIB:.1f} GiB; choose fewer or "
            "smaller crops, a deeper position, or tune all layers"
        )


def result_of(steps: Generator[Progressed, None, Value]) -> Value:
    """Return what a generator returns; its progress is of no interest."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast(Value, end.value)
