"""The spectrum of perturbations, of one model or of several side by side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from robustiqa_core.images.photo import amplify
from robustiqa_core.plots.canvas import GREY, MARKERS, SERIES, log_scale, png_bytes, tidy
from robustiqa_core.spectra import BANDS, WHITE_LUMA_SHARE, Arrows, RadialProfile, Spectrum, SpectrumFigures

# Details along an axis of the drawn map. A single spectrum is speckled, and its finest speckles say nothing.
_CELLS = 100


@dataclass(frozen=True, slots=True, eq=False)
class SpectrumPanel:
    """What is drawn of one model.

    Args:
        label: of the model and attack, for people.
        perturbation: (3, H, W), of the photo that is shown.
        spectrum: of the same, a batch of one.
        figures: of all photos, which the bars are means of.
        profiles: radial profiles of all photos, all on the same rings.
        arrows: where the pixels of the photo that is shown come from; None of an attack that leaves them in place.
    """

    label: str
    perturbation: Tensor
    spectrum: Spectrum
    figures: Sequence[SpectrumFigures]
    profiles: Sequence[RadialProfile]
    arrows: Arrows | None = None


def spectrum_png(panels: Sequence[SpectrumPanel], *, title: str, note: str, command: str) -> bytes:
    """Return the figure as PNG: perturbation and map of each model in a row, profile and shares of all at the right.

    Args:
        panels: one or more models.
        title: what is shown.
        note: which photos, and what else a reader must know.
        command: that makes the figure.
    """
    rows = len(panels)
    figure = Figure(figsize=(13.33, 1.3 + max(4.9, 3.4 * rows)), layout="constrained")
    grid = figure.add_gridspec(2 * rows, 3, width_ratios=(1, 1.22, 1.55))
    maps = [_decibels(panel.spectrum) for panel in panels]
    limit = 2 * math.ceil(max(float(np.percentile(np.abs(cells), 99)) for cells in maps) / 2) or 2
    gain = _gain(panels)
    for row, (panel, cells) in enumerate(zip(panels, maps, strict=True)):
        place = slice(2 * row, 2 * row + 2)
        _draw_perturbation(figure.add_subplot(grid[place, 0]), panel, gain)
        axes = figure.add_subplot(grid[place, 1])
        image = axes.imshow(cells, extent=_extent(panel.spectrum), cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set(xlabel="horizontal frequency (cycles per pixel)", ylabel="vertical frequency")
        axes.set_title("amplitude spectrum, 0 in the middle", fontsize=10)
        bar = figure.colorbar(image, ax=axes, fraction=0.045, pad=0.03)
        bar.set_label("dB above white noise\nof the same energy", fontsize=9)
    _draw_profiles(figure.add_subplot(grid[:rows, 2]), panels)
    _draw_shares(figure.add_subplot(grid[rows:, 2]), panels)
    figure.suptitle(title, fontsize=13)
    return png_bytes(figure, command=command, note=note)


def _draw_perturbation(axes: Axes, panel: SpectrumPanel, gain: float) -> None:
    height, width = panel.perturbation.shape[-2:]
    picture = amplify(panel.perturbation, gain).permute(1, 2, 0).numpy()
    axes.imshow(picture, interpolation="nearest", extent=(0, width, height, 0))
    title = f"{panel.label}\nperturbation x {gain:g}, grey is no change"
    if panel.arrows is not None:
        right, down = panel.arrows.right[0].numpy(), panel.arrows.down[0].numpy()
        longest = float(np.hypot(right, down).max())
        axes.quiver(
            panel.arrows.x.numpy(), panel.arrows.y.numpy(), right, down, angles="xy", color="black", width=0.004
        )
        title += f"\narrows: where pixels come from,\nmeans of cells, up to {longest:.2f} px"
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


def _gain(panels: Sequence[SpectrumPanel]) -> float:
    """Return the amplification that brings the strongest perturbation to half the scale, the same for all models."""
    strongest = max(float(panel.perturbation.abs().quantile(0.99)) for panel in panels)
    return max(1.0, float(f"{0.4 / strongest:.1g}")) if strongest else 1.0


def _decibels(spectrum: Spectrum) -> npt.NDArray[np.float64]:
    """Return 10 log10 of the energy by frequency, relative to white noise, smoothed over small squares.

    0 everywhere for a perturbation of nothing.
    """
    energies = spectrum.energies
    relative = torch.nan_to_num(energies / energies.mean(), nan=1.0)
    side = 2 * (max(energies.shape[-2:]) // _CELLS // 2) + 1
    pooled = F.avg_pool2d(relative[:, None], side, stride=1, padding=side // 2, count_include_pad=False)[0, 0]
    return (10 * pooled.clamp_min(1e-12).log10()).numpy()


def _extent(spectrum: Spectrum) -> tuple[float, float, float, float]:
    """Return left, right, bottom and top of the map; rows go down with the frequency, as they do in the tensor."""
    height, width = spectrum.energies.shape[-2:]
    vertical, horizontal = spectrum.vertical, spectrum.horizontal
    half_row, half_column = 0.5 / height, 0.5 / width
    return (
        float(horizontal[0]) - half_column,
        float(horizontal[-1]) + half_column,
        float(vertical[-1]) + half_row,
        float(vertical[0]) - half_row,
    )


def _draw_profiles(axes: Axes, panels: Sequence[SpectrumPanel]) -> None:
    axes.axhline(1.0, color="black", linestyle="--", linewidth=1.2, label="white noise")
    for panel, colour, marker in zip(panels, SERIES, MARKERS, strict=False):
        # The first ring is the constant, whose place is not on this axis of waves.
        radius = panel.profiles[0].radius[1:].numpy()
        curves = torch.stack([profile.relative[1:] for profile in panel.profiles]).numpy()
        axes.plot(radius, curves.mean(0), color=colour, marker=marker, markersize=3, linewidth=1.8, label=panel.label)
        if len(curves) > 1:
            axes.fill_between(radius, curves.min(0), curves.max(0), color=colour, alpha=0.2, linewidth=0)
    axes.set_xlim(0, math.sqrt(0.5))
    axes.set_yscale("log")
    axes.set_ylim(bottom=min(axes.get_ylim()[0], 0.45))
    log_scale(axes)
    axes.set_xlabel("frequency (cycles per pixel, from coarse to fine)")
    axes.set_ylabel("energy density\n(1 = white noise)")
    for band in BANDS[1:]:
        axes.axvline(band.low, color=GREY, linewidth=0.8, linestyle=":")
    for band in BANDS:
        middle = (band.low + min(band.high, math.sqrt(0.5))) / 2
        axes.text(middle, 1.01, band.name, transform=axes.get_xaxis_transform(), ha="center", fontsize=9, color=GREY)
    axes.legend(fontsize=8, loc="best")
    tidy(axes)


def _draw_shares(axes: Axes, panels: Sequence[SpectrumPanel]) -> None:
    names = [*(band.name for band in BANDS), "luma"]
    white = [*panels[0].figures[0].white_band_shares.values(), WHITE_LUMA_SHARE]
    places = np.arange(len(names), dtype=np.float64)
    width = 0.8 / len(panels)
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    for index, (panel, colour) in enumerate(zip(panels, SERIES, strict=False)):
        shares = np.nan_to_num([[*one.band_shares.values(), one.luma_share] for one in panel.figures])
        mean, spread = 100 * shares.mean(0), 100 * shares.std(0)
        x = places + (index - (len(panels) - 1) / 2) * width
        axes.bar(x, mean, width * 0.92, color=colour, yerr=spread if len(shares) > 1 else None, capsize=3)
        for place, value, error in zip(x, mean, spread, strict=True):
            top = value + (error if len(shares) > 1 else 0)
            axes.text(place, top + 1.5, f"{value:.0f}", ha="center", va="bottom", fontsize=9, bbox=paper, zorder=5)
    for place, value in zip(places, white, strict=True):
        line = axes.plot([place - 0.45, place + 0.45], [100 * value] * 2, color="black", linestyle="--", linewidth=1.5)
    line[0].set_label("white noise")
    low, high = (f"{1 / limit:g}" for limit in (BANDS[0].high, BANDS[1].high))
    waves = (f"waves\n> {low} px", f"waves\n{high}-{low} px", f"waves\n< {high} px", "all waves")
    axes.set_xticks(places, [f"{name}\n{size}" for name, size in zip(names, waves, strict=True)], fontsize=9)
    axes.set(ylabel="share of the energy (%)", ylim=(0, 105))
    axes.legend(fontsize=8, loc="upper left")
    tidy(axes)
    axes.grid(visible=False, axis="x")
