"""The spectrum of perturbations as plotly figures; no Streamlit."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import torch
from torch import Tensor

from robustiqa_core.spectra import BANDS, WHITE_LUMA_SHARE, Arrows, DensityMap, SpectrumFigures
from ui.shell.figures import DASHES, SYMBOLS
from ui.spectra.outcome import Change

GREY = "#7C8794"
LAYOUT: dict[str, Any] = {
    "template": "none",
    "height": 380,
    "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    "showlegend": True,
    "legend": {"orientation": "h", "x": 0, "y": -0.24, "yanchor": "top"},
    "hovermode": "closest",
    "dragmode": False,
}
BAND_NAMES = {"low": "Coarse<br>&gt; 8 px", "mid": "Middle<br>4–8 px", "high": "Fine<br>&lt; 4 px"}
"""Bands by the length of their waves."""
CYCLES = "cycles per pixel"
_HIGHEST = math.sqrt(0.5)
_FEW_TIMES = 200.0
"""Up to this ratio of the largest to the smallest value there is room for numbers between powers of ten."""


def density_figure(density: DensityMap, *, limit: float) -> go.Figure:
    """Return the energy at each frequency as a map, with frequency 0 in the middle.

    Args:
        density: in decibels over white noise.
        limit: of the colours, the same for all maps that are compared.
    """
    figure = go.Figure(layout={**LAYOUT, "showlegend": False})
    figure.add_heatmap(
        x=density.horizontal.tolist(),
        y=density.vertical.tolist(),
        z=_without_infinity(density.decibels),
        colorscale="RdBu",
        reversescale=True,
        zmin=-limit,
        zmax=limit,
        colorbar={"title": {"text": "dB over<br>noise"}, "thickness": 12, "len": 0.9},
        hovertemplate="horizontal %{x:.3f}, vertical %{y:.3f}: %{z:+.1f} dB<extra></extra>",
    )
    frequency_axes(figure, end=0.51)
    return figure


def frequency_axes(figure: go.Figure, *, end: float) -> None:
    """Give a map by frequency its two axes, with square cells and nothing beyond them.

    Args:
        figure: with the map.
        end: of both axes in cycles per pixel.
    """
    axis: dict[str, Any] = {"fixedrange": True, "zeroline": False, "showgrid": False, "constrain": "domain"}
    figure.update_xaxes(title=f"Horizontal frequency ({CYCLES})", range=[-end, end], **axis)
    figure.update_yaxes(title=f"Vertical frequency ({CYCLES})", range=[end, -end], scaleanchor="x", **axis)


def log_axis(figure: go.Figure, values: Iterable[float | None]) -> None:
    """Make the vertical axis logarithmic, with plain numbers on it.

    Args:
        figure: the chart.
        values: that are drawn in it.
    """
    drawn = [value for value in values if value is not None and value > 0]
    low, high = (min(drawn), max(drawn)) if drawn else (1.0, 1.0)
    few = high / low < _FEW_TIMES
    ticks = [digit * 10.0**power for power in range(-6, 7) for digit in ((1, 2, 5) if few else (1,))]
    figure.update_yaxes(
        type="log",
        tickvals=ticks,
        ticktext=[f"{value:g}" for value in ticks],
        range=[math.log10(low / 1.3), math.log10(high * 1.3)],
    )


def density_limit(maps: Sequence[DensityMap]) -> float:
    """Return the end of a scale in decibels that nearly all cells of all maps are within: an even number."""
    cells = torch.cat([found.decibels[torch.isfinite(found.decibels)].abs() for found in maps])
    return max(2.0, 2.0 * math.ceil(float(cells.quantile(0.99)) / 2)) if len(cells) else 2.0


def profile_figure(
    changes: Mapping[str, Sequence[Change]], *, colours: Mapping[str, str], names: Mapping[str, str]
) -> go.Figure:
    """Return the energy density by frequency, of each model and of white noise.

    Args:
        changes: of each model, by its stem.
        colours: of each model.
        names: what people call each model.
    """
    figure = go.Figure(layout=LAYOUT)
    drawn: list[float | None] = [1.0]
    for number, (stem, found) in enumerate(changes.items()):
        # The first ring is the constant, whose place is not on this axis of waves.
        curve = _without_infinity(torch.stack([change.profile.relative[1:] for change in found]).mean(0))
        drawn += curve
        figure.add_scatter(
            x=found[0].profile.radius[1:].tolist(),
            y=curve,
            mode="lines+markers",
            name=names[stem],
            line={"color": colours[stem], "width": 2.5, "dash": DASHES[number]},
            marker={"size": 6, "symbol": SYMBOLS[number]},
            hovertemplate=f"%{{x:.3f}} {CYCLES}: %{{y:.2f}} × noise<extra>%{{fullData.name}}</extra>",
        )
    figure.add_scatter(
        x=[0, _HIGHEST],
        y=[1, 1],
        mode="lines",
        name="White noise of the same size",
        line={"color": GREY, "width": 2, "dash": "dot"},
        hoverinfo="skip",
    )
    radius_axis(figure, 0, _HIGHEST)
    figure.update_yaxes(title="Energy density (1 = white noise)", fixedrange=True)
    log_axis(figure, drawn)
    return figure


def radius_axis(figure: go.Figure, low: float, high: float) -> None:
    """Let a figure's first axis be the frequency, from `low` to `high` cycles per pixel, with the ends of the bands."""
    for band in BANDS[1:]:
        figure.add_vline(band.low, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.update_xaxes(
        title=f"Frequency ({CYCLES}; further right = finer)", range=[low, high], fixedrange=True, zeroline=False
    )


def shares_figure(
    figures: Mapping[str, SpectrumFigures], *, colours: Mapping[str, str], names: Mapping[str, str]
) -> go.Figure:
    """Return the shares of the energy by band and by colour as bars, with those of white noise.

    Args:
        figures: of each model, by its stem.
        colours: of each model.
        names: what people call each model.
    """
    figure = go.Figure(layout=LAYOUT)
    labels = [*(BAND_NAMES[band.name] for band in BANDS), "Luma", "Chroma"]
    for number, (stem, found) in enumerate(figures.items()):
        shares = [100 * share for share in (*found.band_shares.values(), found.luma_share, 1 - found.luma_share)]
        figure.add_bar(
            x=labels,
            y=shares,
            name=names[stem],
            marker={"color": colours[stem], "pattern": {"shape": ("", "/")[number % 2]}},
            text=[f"{share:.0f}" for share in shares],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y:.1f} %<extra>%{fullData.name}</extra>",
        )
    white = [*next(iter(figures.values())).white_band_shares.values(), WHITE_LUMA_SHARE, 1 - WHITE_LUMA_SHARE]
    figure.add_scatter(
        x=labels,
        y=[100 * share for share in white],
        mode="markers",
        name="White noise of the same size",
        marker={"symbol": "line-ew", "size": 26, "line": {"width": 3, "color": GREY}},
        hovertemplate="%{y:.1f} %<extra>%{fullData.name}</extra>",
    )
    figure.update_layout(barmode="group", bargap=0.25)
    figure.update_xaxes(tickangle=0, fixedrange=True)
    figure.update_yaxes(title="Share of the energy (%)", range=[0, 108], fixedrange=True)
    return figure


def flow_figure(arrows: Arrows, *, size: tuple[int, int], colour: str, gain: float) -> go.Figure:
    """Return the movement of pixels as arrows, from each place to where its colour comes from.

    Args:
        arrows: means over the cells of a grid.
        size: (width, height) of the photo in pixels.
        colour: of the arrows.
        gain: by which they are drawn longer than they are.
    """
    x, y = arrows.x.flatten(), arrows.y.flatten()
    right, down = arrows.right[0].flatten(), arrows.down[0].flatten()
    gap = torch.full_like(x, math.nan)
    along = torch.stack((x, x + gain * right, gap), dim=1).flatten()
    across = torch.stack((y, y + gain * down, gap), dim=1).flatten()
    figure = go.Figure(layout={**LAYOUT, "showlegend": False})
    figure.add_scatter(
        x=_without_infinity(along),
        y=_without_infinity(across),
        mode="lines+markers",
        line={"color": colour, "width": 1.5},
        marker={"symbol": "arrow", "angleref": "previous", "size": [0, 7, 0] * len(x), "color": colour},
        hoverinfo="skip",
    )
    width, height = size
    figure.update_xaxes(title="Pixels from the left", range=[0, width], fixedrange=True, zeroline=False)
    figure.update_yaxes(
        title="Pixels from the top", range=[height, 0], fixedrange=True, zeroline=False, scaleanchor="x"
    )
    return figure


def flow_gain(arrows: Sequence[Arrows], *, size: tuple[int, int]) -> float:
    """Return the factor, of one digit, at which the longest arrow spans about a cell of the grid."""
    longest = max(float(torch.hypot(found.right, found.down).max()) for found in arrows)
    cell = max(size) / max(arrows[0].x.shape)
    return max(1.0, float(f"{cell / longest:.1g}")) if longest else 1.0


def _without_infinity(values: Tensor) -> list[Any]:
    """Return the values with None for each that is not finite, which a figure leaves out."""
    if values.ndim > 1:
        return [_without_infinity(row) for row in values]
    return [value if math.isfinite(value) else None for value in values.tolist()]
