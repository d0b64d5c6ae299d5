"""The Fourier sensitivity of models, side by side on one colour scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from robustiqa_core.plots.canvas import MARKERS, SERIES, log_scale, png_bytes, tidy
from robustiqa_core.spectra import SensitivityMap

# Least change that is told apart from none on the logarithmic scales, as a share of the score range.
_FLOOR = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class SensitivityPanel:
    """What is drawn of one model: its name for people, and its map."""

    label: str
    map: SensitivityMap


def sensitivity_png(panels: Sequence[SensitivityPanel], *, title: str, note: str, command: str) -> bytes:
    """Return the figure as PNG: a map for each model, and all by distance from frequency 0.

    Args:
        panels: one or more models, measured on the same photos with the same grid.
        title: what is shown.
        note: which photos, and what else a reader must know.
        command: that makes the figure.
    """
    figure = Figure(figsize=(5.4 * len(panels) + 5.6, 6.0), layout="constrained")
    places = figure.subplots(1, len(panels) + 1, width_ratios=[1.0] * len(panels) + [1.1], squeeze=False)[0]
    means = [np.maximum(100 * panel.map.changes.mean(0).double().numpy(), 100 * _FLOOR) for panel in panels]
    lowest, highest = min(float(mean.min()) for mean in means), max(float(mean.max()) for mean in means)
    norm = LogNorm(lowest, max(highest, 10 * lowest))
    for axes, panel, mean in zip(places, panels, means, strict=False):
        edges = [_edges(axis.numpy()) for axis in (panel.map.horizontal, panel.map.vertical)]
        image = axes.pcolormesh(*edges, mean, cmap="cividis", norm=norm)
        axes.set(aspect="equal", xlim=(-0.5, 0.5), ylim=(0.5, -0.5))
        axes.set_title(panel.label, fontsize=11)
        axes.set(xlabel="horizontal frequency (cycles per pixel)", ylabel="vertical frequency")
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    ticks = LogLocator(subs=(1, 2, 5))
    bar = figure.colorbar(image, ax=list(places[:-1]), shrink=0.85, pad=0.02, ticks=ticks, format=plain)
    bar.minorticks_off()
    bar.set_label("mean change of the score (% of its usual range; lower = more robust)")
    last = places[-1]
    for panel, mean, colour, marker in zip(panels, means, SERIES, MARKERS, strict=False):
        radius = np.hypot(panel.map.vertical.numpy()[:, None], panel.map.horizontal.numpy())
        last.plot(radius.flat, mean.flat, marker, color=colour, markersize=3.5, alpha=0.35)
        last.plot(*_by_radius(radius, mean), color=colour, linewidth=2.2, marker=marker, label=panel.label)
    last.set_xlabel("frequency (cycles per pixel, from coarse to fine)")
    log_scale(last)
    last.set_ylabel("change of the score (% of its usual range)")
    last.legend(fontsize=9)
    tidy(last)
    figure.suptitle(title, fontsize=13)
    return png_bytes(figure, command=command, note=note)


def _edges(
    centres: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the borders of cells round their centres."""
    inner = (centres[1:] + centres[:-1]) / 2
    return np.concatenate(([2 * centres[0] - inner[0]], inner, [2 * centres[-1] - inner[-1]]))


def _by_radius(radius: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Return the mean radius and value of the cells in rings as wide as a cell."""
    ring = np.rint(radius / radius[radius > 0].min()).astype(int)
    rings = sorted(set(ring.flat))
    return [float(radius[ring == k].mean()) for k in rings], [float(values[ring == k].mean()) for k in rings]
