"""The Fourier sensitivity map of a model: how far waves of equal strength but different frequency move the score."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from robustiqa_core.checks import check_count, check_fraction, check_images
from robustiqa_core.errors import ConfigurationError, InputError, NumericalError
from robustiqa_core.scorer import Scorer
from robustiqa_core.spectra.frequencies import BANDS


@dataclass(frozen=True, slots=True)
class SensitivitySettings:
    """The settings of a sensitivity map.

    Args:
        eps: root mean square of every wave, as a fraction of [0, 1], like the size of an `l2` attack. 4/255 is usual.
        grid: frequencies on each axis, odd, so that 0 is one of them; the map has grid x grid cells.
        batch_size: images that are scored at once.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    eps: float = 4 / 255
    grid: int = 15
    batch_size: int = 8

    def __post_init__(self) -> None:
        check_fraction("eps", self.eps)
        check_count("grid", self.grid, low=3, high=255)
        if self.grid % 2 == 0:
            raise ConfigurationError(f"grid must be odd, to include frequency 0, got {self.grid}; use {self.grid + 1}")
        check_count("batch_size", self.batch_size)

    @property
    def frequencies(self) -> int:
        """How many are measured: a wave of the opposite frequency is the same wave."""
        return (self.grid**2 + 1) // 2


@dataclass(frozen=True, slots=True, eq=False)
class FrequencyResponse:
    """The answer of a model to the waves of one frequency.

    Args:
        step: how many frequencies were measured before this one.
        steps: how many will be measured in all.
        row: of the map; grid - 1 - row is the row of the same wave, described by the opposite frequency.
        column: of the map, likewise.
        changes: (N,), mean over the waves of |score(photo + wave) - score(photo)| / width of the score range.
        kept: (N,), root mean square of the waves after clipping to [0, 1], as a share of eps.
    """

    step: int
    steps: int
    row: int
    column: int
    changes: Tensor
    kept: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class SensitivityMap:
    """The change of the score by frequency; frequency 0 is in the middle.

    Args:
        vertical: (grid,), frequencies of the rows in cycles per pixel of the photo, ascending.
        horizontal: (grid,), of the columns.
        changes: (N, grid, grid), mean absolute change of each photo's score as a share of the score range: 0 is
            robust, and NaN was not measured yet.
        kept: (N, grid, grid), share of eps that clipping to [0, 1] left.
    """

    vertical: Tensor
    horizontal: Tensor
    changes: Tensor
    kept: Tensor


def measure_sensitivity(
    scorer: Scorer, images: Tensor, settings: SensitivitySettings | None = None
) -> Iterator[FrequencyResponse]:
    """Return an iterator over the frequencies, from 0 outwards; `assemble` makes the map of the records.

    At each frequency f the waves are sqrt(2) eps cos(2 pi f.p) and sqrt(2) eps sin(2 pi f.p) over the pixels p,
    alike in R, G and B, added and subtracted: four images a photo. At frequency 0 they are a constant eps, added and
    subtracted. All have the same length, eps sqrt(3 H W). The frequencies are bins of the photo's own discrete
    Fourier transform, so that the waves are orthogonal; f and -f are the same wave, and one of them is measured.
    For a linear scorer <w, x> the result is the mean of |<w, wave>| / width over cosine and sine, exactly.

    Args:
        scorer: the model, in evaluation mode.
        images: (N, 3, H, W), float, RGB in [0, 1], photos of one size, whose shorter side is at least
            `settings.grid` + 1 px.
        settings: strength and grid.

    Raises:
        InputError: the images are invalid, or too small for the grid.
        NumericalError: while it runs, if a score is not finite.

    Source: D. Yin et al., "A Fourier Perspective on Model Robustness in Computer Vision", NeurIPS 2019, section 4.
    There the wave has a random sign in each channel, and the error rate is mapped; here the channels agree, both
    signs and phases are averaged, so that nothing is random, and the change of the score is mapped.
    """
    chosen = settings or SensitivitySettings()
    check_images(images)
    height, width = images.shape[-2:]
    if min(height, width) <= chosen.grid:
        raise InputError(
            f"a grid of {chosen.grid} frequencies needs photos of more than {chosen.grid} px per side, "
            f"got {width} x {height}; use a smaller grid or larger photos"
        )
    return _responses(scorer, images.detach(), chosen)


def assemble(records: Sequence[FrequencyResponse], *, grid: int, height: int, width: int) -> SensitivityMap:
    """Return the map of the frequencies that were measured; the rest of it is NaN.

    Args:
        records: from `measure_sensitivity`, at least one.
        grid: frequencies on each axis.
        height: of the photos in pixels.
        width: of the photos in pixels.
    """
    if not records:
        raise InputError("expected at least one measured frequency, got none; run the iterator first")
    last = grid - 1
    maps = records[0].changes.new_full((2, len(records[0].changes), grid, grid), math.nan)
    for record in records:
        both = torch.stack((record.changes, record.kept))
        maps[:, :, record.row, record.column] = both
        maps[:, :, last - record.row, last - record.column] = both
    vertical, horizontal = (
        torch.tensor(frequency_bins(size, grid), dtype=torch.float64) / size for size in (height, width)
    )
    return SensitivityMap(vertical, horizontal, maps[0], maps[1])


def band_means(found: SensitivityMap) -> dict[str, float]:
    """Return the mean change over photos and the cells of each of `BANDS`, by name, as a share of the score range.

    NaN for a band that has no cell on the grid, or one that was not measured yet.
    """
    radius = torch.hypot(found.vertical.unsqueeze(1), found.horizontal)
    mean = found.changes.mean(0)
    return {band.name: float(mean[(radius >= band.low) & (radius < band.high)].mean()) for band in BANDS}


def frequency_bins(size: int, grid: int) -> list[int]:
    """Return `grid` bins of an axis of `size` pixels, evenly spread and symmetric; below the Nyquist frequency.

    Example:
        >>> frequency_bins(64, 5), frequency_bins(299, 3)
        ([-31, -16, 0, 16, 31], [-149, 0, 149])
    """
    highest, half = (size - 1) // 2, grid // 2
    positive = [math.floor(index * highest / half + 0.5) for index in range(1, half + 1)]
    return [-value for value in reversed(positive)] + [0, *positive]


def waves(vertical: int, horizontal: int, like: Tensor) -> Tensor:
    """Return the real waves (P, H, W) of a frequency with a root mean square of 1: cosine and sine; 1 for frequency 0.

    Args:
        vertical: bin of the rows, below H / 2 in size.
        horizontal: bin of the columns, below W / 2 in size.
        like: (..., H, W), gives size, dtype and device.
    """
    height, width = like.shape[-2:]
    if vertical == horizontal == 0:
        return like.new_ones((1, height, width))
    # Whole turns are dropped while the numbers are whole, since float32 would lose the phase of large ones.
    rows = torch.arange(height, device=like.device) * vertical % height
    columns = torch.arange(width, device=like.device) * horizontal % width
    turns = rows[:, None].to(like.dtype) / height + columns.to(like.dtype) / width
    angles = 2 * math.pi * turns
    return math.sqrt(2.0) * torch.stack((angles.cos(), angles.sin()))


def _responses(scorer: Scorer, images: Tensor, settings: SensitivitySettings) -> Iterator[FrequencyResponse]:
    height, width = images.shape[-2:]
    rows, columns = frequency_bins(height, settings.grid), frequency_bins(width, settings.grid)
    middle = settings.grid // 2
    # The half plane that, with its mirror image, is the whole; coarse waves first.
    half = [
        (row, column)
        for row in range(settings.grid)
        for column in range(settings.grid)
        if (column, row) >= (middle, middle)
    ]
    half.sort(key=lambda cell: (math.hypot(rows[cell[0]] / height, columns[cell[1]] / width), cell))
    clean = _scores(scorer, images, settings.batch_size)
    for step, (row, column) in enumerate(half):
        patterns = waves(rows[row], columns[column], images)
        signed = settings.eps * torch.cat((patterns, -patterns))
        changed = (images[:, None] + signed[:, None]).clamp_(0.0, 1.0)
        rest = (changed - images[:, None]).square().mean((2, 3, 4)).sqrt().mean(1) / settings.eps
        scores = _scores(scorer, changed.flatten(0, 1), settings.batch_size).view(len(images), -1)
        changes = (scores - clean[:, None]).abs().mean(1) / scorer.score_range.width
        if not bool(torch.isfinite(changes).all()):
            raise NumericalError(
                "expected finite scores, got NaN or infinity for a wave of the frequency "
                f"({rows[row] / height:.3f}, {columns[column] / width:.3f}); look for a division by 0 in the model"
            )
        yield FrequencyResponse(step, settings.frequencies, row, column, changes.cpu(), rest.cpu())


@torch.no_grad()
def _scores(scorer: Scorer, images: Tensor, batch_size: int) -> Tensor:
    return torch.cat([scorer(part) for part in torch.split(images, batch_size)])
