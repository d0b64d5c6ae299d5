"""Which photos an epoch shows, in which order: decided by the seed and the epoch alone, so that it can be repeated."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

MOST_DRAWS = 4
"""How often balanced sampling shows a photo in an epoch at most."""
_TENTHS = 10
_BASE = 1_000_003


@dataclass(frozen=True, slots=True)
class Sample:
    """What a data set is asked for.

    Args:
        index: the photo's place in the data set.
        epoch: from 0; with `index` and `repeat` it decides the crop.
        repeat: how often the epoch has shown the photo before.
    """

    index: int
    epoch: int
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class SizedSample(Sample):
    """A sample of which a crop of a certain size is wanted, so that all crops of a batch have one.

    Args:
        crop: pixels of a side.
    """

    crop: int = 0


def combined_seed(*numbers: int) -> int:
    """Return a seed made of several numbers, of which each but the first is below 1,000,003.

    Example:
        >>> combined_seed(1, 2), combined_seed(1, 2, 3)
        (1000005, 1000008000018)
    """
    seed = 0
    for number in numbers:
        seed = seed * _BASE + number
    # A generator takes no larger one.
    return seed % 2**63


def random_order(count: int, *, seed: int, epoch: int) -> list[Sample]:
    """Return each of `count` photos once, shuffled.

    Args:
        count: number of photos.
        seed: of the training.
        epoch: from 0.
    """
    generator = torch.Generator().manual_seed(combined_seed(seed, epoch))
    return [Sample(index, epoch) for index in torch.randperm(count, generator=generator).tolist()]


def expected_draws(mos: Sequence[float]) -> Tensor:
    """Return how often balanced sampling shows each photo in an epoch on average, (N,) float64, of sum N.

    The range of the MOS is cut into tenths. A photo of a tenth with n photos is shown min(c / n, 4) times, with c so
    that an epoch shows as many photos as there are: every tenth gets the same share, but no photo comes more than
    four times, so that a handful of rare ones is not memorised.

    Args:
        mos: of the training photos, in any unit.

    Example:
        >>> [round(draws, 3) for draws in expected_draws([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]).tolist()]
        [0.667, 0.667, 0.667, 0.667, 0.667, 0.667, 2.0, 2.0]
    """
    values = torch.tensor(mos, dtype=torch.float64)
    low, high = values.aminmax()
    tenths = ((values - low) / (high - low).clamp_min(1e-300) * _TENTHS).long().clamp(max=_TENTHS - 1)
    counts = torch.bincount(tenths, minlength=_TENTHS)
    limits = (MOST_DRAWS * counts).double()
    # With the tenths from the rarest to the commonest: the share of each if all the rarer ones are at their limit.
    ordered = limits.sort().values
    rest = len(values) - (ordered.cumsum(0) - ordered)
    shares = rest / torch.arange(_TENTHS, 0, -1)
    share = shares[shares <= ordered][0]
    draws: Tensor = (torch.minimum(share, limits) / counts.clamp_min(1))[tenths]
    return draws


def balanced_order(mos: Sequence[float], *, seed: int, epoch: int) -> list[Sample]:
    """Return as many samples as there are photos, shuffled, with all tenths of the MOS as even as `expected_draws`.

    The number of times that a photo comes is its expectation rounded down or up, at random.

    Args:
        mos: of the training photos, in any unit.
        seed: of the training.
        epoch: from 0.
    """
    generator = torch.Generator().manual_seed(combined_seed(seed, epoch))
    order = torch.randperm(len(mos), generator=generator)
    edges = expected_draws(mos)[order].cumsum(0)
    return _counted(order[_systematic(edges, generator)], epoch, generator)


def partly_better_order(mos: Sequence[float], batch: int, *, share: float, seed: int, epoch: int) -> list[Sample]:
    """Return as many samples as there are photos, of which some batches are of the better half alone.

    Both kinds of batches go through their photos in a shuffled order, again and again, so that no photo of a kind
    comes twice before all have come once.

    Args:
        mos: of the training photos, in any unit, larger is better.
        batch: samples of a batch.
        share: of the batches that show photos of at least median MOS only; they are spread evenly.
        seed: of the training.
        epoch: from 0.

    Example:
        >>> order = partly_better_order([0.1, 0.2, 0.3, 0.4] * 2, 2, share=0.5, seed=0, epoch=0)
        >>> [sample.index % 4 >= 2 for sample in order[2:4] + order[6:]]
        [True, True, True, True]
    """
    generator = torch.Generator().manual_seed(combined_seed(seed, epoch))
    values = torch.tensor(mos, dtype=torch.float64)
    pools = (torch.arange(len(mos)), (values >= values.sort().values[len(values) // 2]).nonzero()[:, 0])
    draws = [_endless(pool, generator) for pool in pools]
    seen: Counter[int] = Counter()
    samples = []
    for place in range(len(mos)):
        number = place // batch
        better = math.floor((number + 1) * share) > math.floor(number * share)
        index = next(draws[better])
        samples.append(Sample(index, epoch, seen[index]))
        seen[index] += 1
    return samples


def sized_batches(samples: Sequence[Sample], sides: Sequence[int], batch: int, *, seed: int) -> list[Sample]:
    """Return the samples with a side for the crops of each batch, drawn evenly from some.

    Args:
        samples: of an epoch.
        sides: pixels.
        batch: samples of a batch.
        seed: of the training.

    Example:
        >>> order = sized_batches(random_order(6, seed=0, epoch=0), (64, 96), 2, seed=2)
        >>> [sample.crop for sample in order]
        [64, 64, 96, 96, 64, 64]
    """
    known = {}
    for number in range(-(-len(samples) // batch)):
        generator = torch.Generator().manual_seed(combined_seed(seed, samples[number * batch].epoch, number))
        known[number] = sides[int(torch.randint(len(sides), (), generator=generator))]
    return [
        SizedSample(sample.index, sample.epoch, sample.repeat, known[place // batch])
        for place, sample in enumerate(samples)
    ]


def replayed(samples: list[Sample], batch: int, times: int) -> list[Sample]:
    """Return the samples with each whole batch so many times in a row; what is left over is dropped if it is repeated.

    Example:
        >>> order = [Sample(index, 0) for index in range(5)]
        >>> [sample.index for sample in replayed(order, 2, 2)]
        [0, 1, 0, 1, 2, 3, 2, 3]
    """
    if times == 1:
        return samples
    starts = range(0, len(samples) // batch * batch, batch)
    return [sample for start in starts for _ in range(times) for sample in samples[start : start + batch]]


def _endless(pool: Tensor, generator: Generator) -> Iterator[int]:
    """Yield the elements of a pool in a random order, and again in another one."""
    while True:
        yield from pool[torch.randperm(len(pool), generator=generator)].tolist()


def _systematic(edges: Tensor, generator: Generator) -> Tensor:
    """Return the interval of each of N points one apart, the first at random in [0, 1), among intervals of sum N."""
    points = torch.arange(len(edges), dtype=torch.float64) + torch.rand((), generator=generator, dtype=torch.float64)
    # The sum of the intervals is N up to rounding, so that the last point may lie beyond the last edge.
    return torch.searchsorted(edges, points, right=True).clamp(max=len(edges) - 1)


def _counted(indices: Tensor, epoch: int, generator: Generator) -> list[Sample]:
    """Return the photos shuffled, each with the number of times that it came before."""
    seen: Counter[int] = Counter()
    samples = []
    for index in indices[torch.randperm(len(indices), generator=generator)].tolist():
        samples.append(Sample(index, epoch, seen[index]))
        seen[index] += 1
    return samples
