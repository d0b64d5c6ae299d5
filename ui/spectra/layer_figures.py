"""The sensitivity of models by frequency, and growth through their layers, as plotly figures; no Streamlit."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import torch

from robustiqa_core.spectra import NOISE, PointSummary, SensitivityMap
from ui.shell.figures import DASHES, SYMBOLS
from ui.shell.model_names import place_name
from ui.spectra.figures import CYCLES, LAYOUT, frequency_axes, log_axis, radius_axis
from ui.spectra.texts import kind_label

_FLOOR = 1e-3
"""Least change in percent of the range that is told apart from none on a logarithmic scale."""


def sensitivity_figure(found: SensitivityMap, *, low: float, high: float) -> go.Figure:
    """Return how far waves of each frequency move the score, as a map with frequency 0 in the middle.

    Args:
        found: the map.
        low: least change in percent of the score range, of all maps that are compared.
        high: largest.
    """
    percent = 100 * found.changes.mean(0)
    ends = math.log10(max(low, _FLOOR)), math.log10(max(high, 10 * _FLOOR))
    ticks = [value for value in _ticks() if ends[0] <= math.log10(value) <= ends[1]]
    figure = go.Figure(layout={**LAYOUT, "showlegend": False})
    figure.add_heatmap(
        x=found.horizontal.tolist(),
        y=found.vertical.tolist(),
        z=percent.clamp_min(_FLOOR).log10().tolist(),
        customdata=percent.tolist(),
        colorscale="Cividis",
        zmin=ends[0],
        zmax=ends[1],
        colorbar={
            "title": {"text": "% of<br>range"},
            "thickness": 12,
            "len": 0.9,
            "tickvals": [math.log10(value) for value in ticks],
            "ticktext": [f"{value:g}" for value in ticks],
        },
        hovertemplate="horizontal %{x:.3f}, vertical %{y:.3f}: %{customdata:.2f} %<extra></extra>",
    )
    frequency_axes(figure, end=0.5 + 0.5 / len(found.vertical))
    return figure


def radius_figure(
    maps: Mapping[str, SensitivityMap], *, colours: Mapping[str, str], names: Mapping[str, str]
) -> go.Figure:
    """Return the change of the score against the frequency, of each cell and in the mean of rings.

    Args:
        maps: of each model, by its stem.
        colours: of each model.
        names: what people call each model.
    """
    figure = go.Figure(layout=LAYOUT)
    drawn: list[float] = []
    for number, (stem, found) in enumerate(maps.items()):
        radius = torch.hypot(found.vertical[:, None], found.horizontal).flatten()
        percent = (100 * found.changes.mean(0)).flatten().double().clamp_min(_FLOOR)
        drawn += percent.tolist()
        figure.add_scatter(
            x=radius.tolist(),
            y=percent.tolist(),
            mode="markers",
            marker={"size": 5, "symbol": SYMBOLS[number], "color": colours[stem], "opacity": 0.4},
            showlegend=False,
            hovertemplate=f"%{{x:.3f}} {CYCLES}: %{{y:.2f}} %<extra>{names[stem]}</extra>",
        )
        # Rings as wide as a cell.
        ring = (radius / radius[radius > 0].min()).round().long()
        count = torch.bincount(ring)
        filled = count > 0
        figure.add_scatter(
            x=(torch.bincount(ring, radius) / count)[filled].tolist(),
            y=(torch.bincount(ring, percent) / count)[filled].tolist(),
            mode="lines+markers",
            name=names[stem],
            line={"color": colours[stem], "width": 2.5, "dash": DASHES[number]},
            marker={"size": 8, "symbol": SYMBOLS[number]},
            hovertemplate=f"mean at %{{x:.3f}} {CYCLES}: %{{y:.2f}} %<extra>{names[stem]}</extra>",
        )
    radius_axis(figure, -0.02, 0.73)
    figure.update_yaxes(title="Score change (% of usual range; lower = more robust)", fixedrange=True)
    log_axis(figure, drawn)
    return figure


def growth_figure(
    points: Mapping[str, Sequence[PointSummary]], *, colours: Mapping[str, str], names: Mapping[str, str]
) -> go.Figure:
    """Return the growth since the input at each point, of the attack's change and of noise of its size.

    Args:
        points: of each model, by its stem.
        colours: of each model.
        names: what people call each model.
    """
    figure = go.Figure(layout=LAYOUT)
    for number, (stem, found) in enumerate(points.items()):
        for kind in found[0].relative:
            spreads = [point.relative[kind] for point in found]
            figure.add_scatter(
                x=[place_name(point.point) for point in found],
                y=[spread.mean for spread in spreads],
                error_y=_range(spreads),
                mode="lines+markers",
                name=f"{names[stem]}: {kind_label(kind)}",
                line={"color": colours[stem], "width": 2.5, "dash": "dot" if kind == NOISE else "solid"},
                marker={"size": 8, "symbol": SYMBOLS[number], "opacity": 0.6 if kind == NOISE else 1.0},
                hovertemplate="%{x}: %{y:.2f} ×<extra>%{fullData.name}</extra>",
            )
    _point_axis(figure, points)
    figure.update_yaxes(title="Growth (×; lower = more robust)", fixedrange=True)
    log_axis(figure, [value for trace in figure.data for value in trace.y])
    return figure


def stage_figure(
    points: Mapping[str, Sequence[PointSummary]], *, colours: Mapping[str, str], names: Mapping[str, str]
) -> go.Figure:
    """Return the growth within each stage, with its largest singular value and the paper's ratio.

    Args:
        points: of each model, by its stem.
        colours: of each model.
        names: what people call each model.
    """
    figure = go.Figure(layout=LAYOUT)
    stages = {stem: [point for point in found if point.stage] for stem, found in points.items()}
    for number, (stem, found) in enumerate(stages.items()):
        x = [place_name(point.point) for point in found]
        for kind in found[0].stage if found else ():
            figure.add_scatter(
                x=x,
                y=[point.stage[kind].mean for point in found],
                mode="lines+markers",
                name=f"{names[stem]}: {kind_label(kind)}",
                line={"color": colours[stem], "width": 2.5, "dash": "dot" if kind == NOISE else "solid"},
                marker={"size": 8, "symbol": SYMBOLS[number], "opacity": 0.6 if kind == NOISE else 1.0},
                hovertemplate="%{x}: %{y:.2f} ×<extra>%{fullData.name}</extra>",
            )
        marks = (
            ("largest singular value", "line-ew", [point.stage_norm for point in found]),
            ("the paper's ratio", "x-thin", [point.dimension_ratio for point in found]),
        )
        for label, symbol, spreads in marks:
            if any(spreads):
                figure.add_scatter(
                    x=x,
                    y=[None if spread is None else spread.mean for spread in spreads],
                    mode="markers",
                    name=f"{names[stem]}: {label}",
                    marker={"symbol": symbol, "size": 16 - 6 * number, "line": {"width": 3, "color": colours[stem]}},
                    hovertemplate="%{x}: %{y:.2f}<extra>%{fullData.name}</extra>",
                )
    _point_axis(figure, stages)
    figure.update_yaxes(title="Length out over length in (×)", fixedrange=True)
    log_axis(figure, [value for trace in figure.data for value in trace.y])
    return figure


def in_depth_order(lists: Sequence[Sequence[str]]) -> list[str]:
    """Return all names once, each after the one that it follows in its own list.

    Example:
        >>> in_depth_order([["input", "after_stage1", "score"], ["input", "after_stage1", "block", "score"]])
        ['input', 'after_stage1', 'block', 'score']
    """
    ordered: list[str] = []
    for names in lists:
        place = 0
        for name in names:
            if name not in ordered:
                ordered.insert(place, name)
            place = ordered.index(name) + 1
    return ordered


def _point_axis(figure: go.Figure, points: Mapping[str, Sequence[PointSummary]]) -> None:
    order = in_depth_order([[place_name(point.point) for point in found] for found in points.values()])
    figure.update_xaxes(
        title="Place in the model, from input to score",
        categoryorder="array",
        categoryarray=order,
        tickangle=-40,
        fixedrange=True,
    )
    figure.update_layout(height=520, legend={"y": -0.5})


def _range(spreads: Sequence[Any]) -> dict[str, Any]:
    """Return bars from the lowest to the highest value, where there are several photos."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [spread.highest - spread.mean for spread in spreads],
        "arrayminus": [spread.mean - spread.lowest for spread in spreads],
        "thickness": 1.5,
        "width": 3,
        "visible": any(spread.highest > spread.lowest for spread in spreads),
    }


def _ticks() -> list[float]:
    return [digit * 10.0**power for power in range(-3, 3) for digit in (1, 2, 5)]
