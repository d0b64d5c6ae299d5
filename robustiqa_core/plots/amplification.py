"""The growth of perturbations through the layers of models, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robustiqa_core.plots.canvas import BLUE, GREEN, GREY, ORANGE, PINK, log_scale, png_bytes, tidy
from robustiqa_core.spectra import PointSummary, Spread

_KINDS = ((ORANGE, "o", "-"), (BLUE, "s", "--"), (GREEN, "^", "-."), (PINK, "D", ":"))
"""Colour, mark and line of each kind of perturbation, in their order."""
_HEURISTIC = r"the paper's heuristic $c_{out} s_{out}^2 / (c_{in} s_{in}^2)$"


@dataclass(frozen=True, slots=True)
class AmplificationPanel:
    """What is drawn of one model: its name for people, and what was measured, from the input to the score."""

    label: str
    points: tuple[PointSummary, ...]


def amplification_png(panels: Sequence[AmplificationPanel], *, title: str, note: str, command: str) -> bytes:
    """Return the figure as PNG: for each model a column with the growth since the input above that of each stage.

    Args:
        panels: one or more models.
        title: what is shown.
        note: which photos, and what else a reader must know.
        command: that makes the figure.
    """
    figure = Figure(figsize=(max(9.5, 6.6 * len(panels)), 9.0), layout="constrained")
    places = figure.subplots(2, len(panels), sharey="row", squeeze=False)
    for column, panel in enumerate(panels):
        _draw_growth(places[0, column], panel.points)
        places[0, column].set_title(panel.label, fontsize=11)
        _draw_stages(places[1, column], [point for point in panel.points if point.stage])
    places[0, 0].set_ylabel("growth of the perturbation's share since\nthe input (lower = more robust)")
    places[1, 0].set_ylabel("growth within the stage\n(length out / length in)")
    for axes in places.flat:
        axes.legend(fontsize=8)
        tidy(axes)
    figure.suptitle(title, fontsize=13)
    return png_bytes(figure, command=command, note=note)


def _draw_growth(axes: Axes, points: Sequence[PointSummary]) -> None:
    for kind, style in zip(points[0].relative, _KINDS, strict=False):
        spreads = [point.relative[kind] for point in points]
        # The score stands apart: its change is a share of another thing than that of the features.
        _line(axes, 0, spreads[:-1], style, kind)
        _line(axes, len(points) - 1, spreads[-1:], style, None)
    bounds = [(place, point.input_bound.mean) for place, point in enumerate(points) if point.input_bound is not None]
    _marks(axes, bounds, "most that a small change could", "_", "black")
    axes.axvline(len(points) - 1.5, color=GREY, linewidth=0.8, linestyle=":")
    log_scale(axes)
    axes.set_xticks(range(len(points)), [_words(point.point) for point in points], rotation=40, ha="right")


def _draw_stages(axes: Axes, points: Sequence[PointSummary]) -> None:
    for kind, style in zip(points[0].stage, _KINDS, strict=False):
        _line(axes, 0, [point.stage[kind] for point in points], style, kind)
    norms = [(place, point.stage_norm.mean) for place, point in enumerate(points) if point.stage_norm is not None]
    _marks(axes, norms, "largest singular value of the stage", "_", "black")
    ratios = [(place, point.dimension_ratio.mean) for place, point in enumerate(points) if point.dimension_ratio]
    _marks(axes, ratios, _HEURISTIC, "x", GREY)
    log_scale(axes)
    axes.set_xticks(range(len(points)), [_words(point.point) for point in points], rotation=40, ha="right")


def _line(axes: Axes, start: int, spreads: Sequence[Spread], style: tuple[str, str, str], label: str | None) -> None:
    """Draw the means from a place on, with the range over the photos."""
    colour, marker, line = style
    places = range(start, start + len(spreads))
    means, lows, highs = zip(*((spread.mean, spread.lowest, spread.highest) for spread in spreads), strict=True)
    axes.plot(places, means, color=colour, marker=marker, linestyle=line, label=label)
    if len(spreads) > 1:
        axes.fill_between(places, lows, highs, color=colour, alpha=0.18, linewidth=0)
    else:
        axes.vlines(places, lows, highs, color=colour, alpha=0.5, linewidth=3)


def _marks(axes: Axes, places: Sequence[tuple[int, float]], label: str, marker: str, colour: str) -> None:
    """Draw marks without a line, if there are any."""
    if places:
        x, y = zip(*places, strict=True)
        width = 18 if marker == "_" else 7
        axes.plot(x, y, marker, color=colour, markersize=width, markeredgewidth=2, label=label)


def _words(point: str) -> str:
    return point.replace("_", " ")
