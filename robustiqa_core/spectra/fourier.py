"""The distribution of a perturbation's energy over frequencies and colours.

All is computed on the CPU in float64, so that the energies add up to the last digits that are shown.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import torch
from torch import Tensor

from robustiqa_core.checks import check_choice
from robustiqa_core.errors import InputError
from robustiqa_core.spectra.frequencies import BANDS, frequency_axis, frequency_radius, rings

Window = Literal["none", "hann"]
WINDOWS: tuple[Window, ...] = ("none", "hann")

WHITE_LUMA_SHARE = 1 / 3
"""Share of the energy of noise, independent in R, G and B, that is luma: one of three axes at right angles."""

# Weights of R', G' and B' in luma: ITU-R BT.601, section 2.5.1.
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """Amplitude spectra of a batch of perturbations, with frequency 0 in the middle.

    Parseval: the squares of `amplitude` add up to the energy of the perturbation, and so do those of `luma` and
    `chroma` together.

    Args:
        amplitude: (N, 3, H, W), of R, G and B, in the unit of the perturbation.
        luma: (N, H, W), of the part along BT.601's luma weights: the smallest change that has the same effect on luma.
        chroma: (N, H, W), of the rest, which changes the luma of no pixel; both chroma axes as one length.
        window: by which the perturbation was multiplied first.
    """

    amplitude: Tensor
    luma: Tensor
    chroma: Tensor
    window: Window

    @property
    def vertical(self) -> Tensor:
        """Frequencies (H,) of the rows, in cycles per pixel."""
        return frequency_axis(self.amplitude.shape[2])

    @property
    def horizontal(self) -> Tensor:
        """Frequencies (W,) of the columns, in cycles per pixel."""
        return frequency_axis(self.amplitude.shape[3])

    @property
    def energies(self) -> Tensor:
        """Energy (N, H, W) at each frequency, all colours together."""
        return self.amplitude.square().sum(1)


@dataclass(frozen=True, slots=True, eq=False)
class RadialProfile:
    """Energy by distance from frequency 0.

    Args:
        radius: (R,), of the rings in cycles per pixel; the first is the constant alone.
        energy: (..., R), mean over the frequencies of a ring; NaN where an image below 64 px has none in it.
        relative: (..., R), the same divided by the mean over all frequencies: 1 everywhere for white noise;
            NaN for a perturbation without energy.
    """

    radius: Tensor
    energy: Tensor
    relative: Tensor


@dataclass(frozen=True, slots=True)
class SpectrumFigures:
    """The spectrum of one perturbation in numbers. Shares are NaN for a perturbation without energy.

    Args:
        energy: sum of squares of all values.
        rms: root mean square of all values, as a fraction of 1.
        constant_share: of the energy, at frequency 0.
        band_shares: of the energy, by the names in `BANDS`; they sum to 1.
        white_band_shares: what white noise has on average in an image of this size, by the same names.
        channel_shares: of the energy, in "red", "green" and "blue"; they sum to 1.
        luma_share: of the energy, along BT.601's luma; the rest is chroma. White noise, independent in R, G and B,
            has 1/3; a grey change 0.75, since the shortest way to another luma goes through green.
    """

    energy: float
    rms: float
    constant_share: float
    band_shares: dict[str, float]
    white_band_shares: dict[str, float]
    channel_shares: dict[str, float]
    luma_share: float


def luma_chroma_axes() -> Tensor:
    """Return three orthonormal colours (3, 3) in RGB, float64: luma, then blue and red against green at equal luma.

    BT.601's own Cb and Cr are not orthogonal to its luma, so that their energies would not add up. Turned at right
    angles they do, and the luma axis stays: a change along the other two leaves the luma of a pixel as it is.

    Example:
        >>> axes = luma_chroma_axes()
        >>> torch.allclose(axes @ axes.T, torch.eye(3, dtype=torch.float64))
        True
    """
    red, green, _ = _LUMA
    luma = torch.tensor(_LUMA, dtype=torch.float64)
    luma = luma / luma.norm()
    red_green = torch.tensor((green, -red, 0.0), dtype=torch.float64) / math.hypot(red, green)
    return torch.stack((luma, torch.linalg.cross(red_green, luma), red_green))


def spectrum(perturbation: Tensor, *, window: Window = "none") -> Spectrum:
    """Return the amplitude spectra |F| of perturbations, F the unitary discrete Fourier transform.

    Args:
        perturbation: (N, 3, H, W), float, adversarial - clean, of any size.
        window: "none" shows what is in the picture, all of it. The transform sees the image as a tile, though, so
            that a smooth change that differs at opposite borders shows up as a cross; "hann" fades the borders out,
            scaled so that the energy of white noise stays the same. The energies are then those of the faded change.

    Raises:
        InputError: not a batch of finite changes of RGB images.
        ConfigurationError: unknown window.

    Example:
        >>> change = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(0)) - 0.5
        >>> bool(torch.isclose(spectrum(change).energies.sum(), change.double().square().sum()))
        True
    """
    check_choice("window", window, WINDOWS)
    values = _checked(perturbation)
    if window == "hann":
        values = values * _hann(*values.shape[-2:])
    coefficients = torch.fft.fftshift(torch.fft.fft2(values, norm="ortho"), dim=(-2, -1))
    colours = torch.einsum("ac,nchw->nahw", luma_chroma_axes().to(coefficients.dtype), coefficients).abs()
    return Spectrum(coefficients.abs(), colours[:, 0], torch.hypot(colours[:, 1], colours[:, 2]), window)


def radial_profile(energies: Tensor) -> RadialProfile:
    """Return the mean energy by radius.

    Args:
        energies: (..., H, W), of each frequency, with frequency 0 in the middle, as `Spectrum.energies`.
    """
    height, width = energies.shape[-2:]
    ring, radius = rings(height, width)
    sums = energies.new_zeros((*energies.shape[:-2], len(radius))).index_add_(-1, ring.flatten(), energies.flatten(-2))
    mean = sums / torch.bincount(ring.flatten(), minlength=len(radius))
    return RadialProfile(radius, mean, mean / energies.mean((-2, -1)).unsqueeze(-1))


def band_shares(energies: Tensor) -> Tensor:
    """Return the share (..., 3) of the energy in each of `BANDS`; NaN where there is no energy.

    Args:
        energies: (..., H, W), of each frequency, with frequency 0 in the middle, as `Spectrum.energies`.
    """
    radius = frequency_radius(*energies.shape[-2:])
    sums = [torch.where((radius >= band.low) & (radius < band.high), energies, 0.0).sum((-2, -1)) for band in BANDS]
    return torch.stack(sums, dim=-1) / energies.sum((-2, -1)).unsqueeze(-1)


def spectrum_figures(spectra: Spectrum) -> tuple[SpectrumFigures, ...]:
    """Return the numbers of each perturbation of a batch."""
    energies = spectra.energies
    height, width = energies.shape[-2:]
    total = energies.sum((-2, -1))
    names = [band.name for band in BANDS]
    white = _named(names, band_shares(torch.ones(height, width, dtype=torch.float64)))
    bands = band_shares(energies)
    channels = spectra.amplitude.square().sum((-2, -1)) / total[:, None]
    luma = spectra.luma.square().sum((-2, -1)) / total
    constant = energies[:, height // 2, width // 2] / total
    return tuple(
        SpectrumFigures(
            energy=float(total[index]),
            rms=math.sqrt(float(total[index]) / (3 * height * width)),
            constant_share=float(constant[index]),
            band_shares=_named(names, bands[index]),
            white_band_shares=white,
            channel_shares=_named(("red", "green", "blue"), channels[index]),
            luma_share=float(luma[index]),
        )
        for index in range(len(total))
    )


def combine_figures(
    figures: Sequence[SpectrumFigures], statistic: Callable[[Sequence[float]], float]
) -> SpectrumFigures:
    """Return figures of several perturbations as one: each number is a statistic, such as `statistics.fmean`, of all.

    Example:
        >>> pair = spectrum_figures(spectrum(torch.stack((torch.ones(3, 4, 4), torch.full((3, 4, 4), 2.0)))))
        >>> combine_figures(pair, max).rms
        2.0
    """

    def combine(values: Sequence[Any]) -> Any:
        if isinstance(values[0], dict):
            return {name: statistic([value[name] for value in values]) for name in values[0]}
        return statistic(values)

    names = [field.name for field in fields(SpectrumFigures)]
    return SpectrumFigures(**{name: combine([getattr(one, name) for one in figures]) for name in names})


def _named(names: tuple[str, ...] | list[str], values: Tensor) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


def _checked(perturbation: Tensor) -> Tensor:
    """Return the perturbation on the CPU in float64, or raise InputError."""
    expected = "expected finite changes of RGB images, a float tensor (N, 3, H, W)"
    if perturbation.ndim != 4 or perturbation.shape[1] != 3 or not perturbation.numel():
        raise InputError(f"{expected}, got shape {tuple(perturbation.shape)}; add the batch axis")
    if not perturbation.is_floating_point():
        raise InputError(f"{expected}, got {perturbation.dtype}; subtract images in [0, 1], not 8-bit values")
    values = perturbation.detach().cpu().double()
    if not bool(torch.isfinite(values).all()):
        raise InputError(f"{expected}, got NaN or infinity; find the attack step that produced it")
    return values


def _hann(height: int, width: int) -> Tensor:
    """Return the periodic Hann window (height, width) with a mean square of 1."""
    rows, columns = (torch.hann_window(size, periodic=True, dtype=torch.float64) for size in (height, width))
    window = rows[:, None] * columns
    return window / window.square().mean().sqrt()
