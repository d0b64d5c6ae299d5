"""Everything that is computed once and kept: crops, the baseline's scores of them, and what a network's front makes.

Generators that yield their progress and return their result; what is in the cache already is returned at once.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from robustiqa_core.attacks.objective import score
from robustiqa_core.blocks import fold_blocks
from robustiqa_core.device import Precision, autocast
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening.cache import GIB, HardeningCache, Stored, fingerprint, numbers_of
from robustiqa_core.hardening.crops import KeptCrops, to_images
from robustiqa_core.hardening.cut import Cut, Maps, Prefix
from robustiqa_core.hardening.data import Crops, key_of
from robustiqa_core.hardening.hints import watch
from robustiqa_core.hardening.records import Progressed, Stage
from robustiqa_core.models import QualityModel
from robustiqa_core.spectra.passage import weight_sharing_copy
from robustiqa_core.training.sampling import Sample

BATCH = 8
"""Crops that are scored at a time: more do not go faster on a CPU, and shall be cancelled soon."""
_MOST_BYTES = 4 * GIB
_SCORES = "scores"


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
                parts[_SCORES].append(score(watched, to_images(pixels, network.k.device)).float().cpu())
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
                parts.append(ahead(to_images(part, network.k.device)).to(torch.device("cpu")))
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
