"""Pruning plans and curves as plotly figures; no computation, no Streamlit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from robustiqa_core.pruning import MAX_RATIO
from robustiqa_core.pruning.rows import LayerRow
from ui.pruning.texts import Point
from ui.shell.figures import COLOURS, DASHES, SYMBOLS

_MUTED = "#7C8794"
_LAYOUT: dict[str, Any] = {
    "template": "none",
    "height": 290,
    "margin": {"l": 8, "r": 8, "t": 32, "b": 8},
    "showlegend": True,
    "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    "hovermode": "closest",
    "dragmode": False,
}


@dataclass(frozen=True, slots=True)
class Curve:
    """A figure against the ratio.

    Args:
        label: short, for people.
        axis: title of the axis, with unit and direction.
        value: of a point.
        baseline: the same of the model that was pruned.
        rises_from: values that the axis shows at least, so that it moves little while the curve fills.
        form: how a value is written.
    """

    label: str
    axis: str
    value: Callable[[Point], float]
    baseline: Callable[[Point], float]
    rises_from: tuple[float, ...]
    form: str


CURVES: dict[str, Curve] = {
    "agreement": Curve(
        "Agreement with the whole model",
        "SROCC (higher = better)",
        lambda point: point.agreement,
        lambda point: 1.0,
        (0.0, 1.0),
        ".3f",
    ),
    "gain": Curve(
        "AbsGain: how far an attack moves the scores, as a share of their usual range",
        "AbsGain (0 = most robust)",
        lambda point: point.gain,
        lambda point: point.baseline_gain,
        (0.0,),
        "+.3f",
    ),
    "time": Curve(
        "Time of one score",
        "ms per image (lower = faster)",
        lambda point: point.milliseconds,
        lambda point: point.baseline_milliseconds,
        (0.0,),
        ".1f",
    ),
}
MOS = Curve(
    "Agreement with people",
    "SROCC (higher = better)",
    lambda point: point.mos or 0.0,
    lambda point: point.mos_before or 0.0,
    (0.0, 1.0),
    ".3f",
)
"""In the place of the agreement where the server has a labelled set."""


def plan_figure(rows: Sequence[LayerRow], *, colour: str) -> go.Figure:
    """Return the filters of each layer in depth order, those that stay and those that go.

    Args:
        rows: of the plan.
        colour: of the model.
    """
    figure = go.Figure(layout={**_LAYOUT, "barmode": "stack", "bargap": 0.25})
    names = [row.layer for row in rows]
    parts = (
        ("stay", [row.kept for row in rows], colour, ""),
        ("go", [row.removed for row in rows], COLOURS["adversarial"], "/"),
    )
    for name, counts, shade, pattern in parts:
        figure.add_bar(
            x=names,
            y=counts,
            name=f"filters that {name}",
            marker={"color": shade, "pattern": {"shape": pattern, "bgcolor": shade, "fgcolor": "#FFFFFF", "size": 6}},
            hovertemplate=f"%{{x}}: %{{y}} filters {name}<extra></extra>",
        )
    figure.update_xaxes(title="Layer, from the photo to the score", type="category", tickangle=-60, fixedrange=True)
    figure.update_yaxes(title="Number of filters", fixedrange=True)
    return figure


def importance_figure(rows: Sequence[LayerRow], *, colour: str) -> go.Figure:
    """Return the range of the importances in each layer: of the filters that go beside those that stay.

    Args:
        rows: of the plan.
        colour: of the model.
    """
    figure = go.Figure(layout=_LAYOUT)
    places = range(len(rows))
    spans = (
        ("stay", [row.kept_importance for row in rows], colour, 0.18, "circle"),
        ("go", [row.removed_importance for row in rows], COLOURS["adversarial"], -0.18, "x"),
    )
    for name, values, shade, shift, symbol in spans:
        shown = [(place, span) for place, span in zip(places, values, strict=True) if span is not None]
        figure.add_scatter(
            x=[place + shift for place, _ in shown],
            y=[middle for _, (_, middle, _) in shown],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [high - middle for _, (_, middle, high) in shown],
                "arrayminus": [middle - low for _, (low, middle, _) in shown],
                "thickness": 3,
                "width": 0,
            },
            mode="markers",
            name=f"filters that {name}: median, lowest to highest",
            marker={"size": 8, "color": shade, "symbol": symbol},
            customdata=[[rows[place].layer, low, high] for place, (low, _, high) in shown],
            hovertemplate="%{customdata[0]}: median %{y:.2f}, "
            "%{customdata[1]:.2f} to %{customdata[2]:.2f}<extra></extra>",
        )
    figure.update_xaxes(
        title="Layer, from the photo to the score",
        tickvals=list(places),
        ticktext=[row.layer for row in rows],
        tickangle=-60,
        range=[-0.7, len(rows) - 0.3],
        fixedrange=True,
        zeroline=False,
    )
    figure.update_yaxes(title="Importance, 1 = typical", fixedrange=True, rangemode="tozero")
    return figure


def curve_figure(
    curve: Curve, points: Sequence[Point], *, name: str, colour: str, whole: str, others: Mapping[str, Sequence[Point]]
) -> go.Figure:
    """Return a figure against the ratio, with the whole model's as a dashed line.

    Args:
        curve: which figure.
        points: so far.
        name: of the pruned model, for the legend.
        colour: of the pruned model.
        whole: colour of the model that was pruned.
        others: points that were measured before, of the same model, by their name.
    """
    figure = go.Figure(layout=_LAYOUT)
    every = [*points, *(point for known in others.values() for point in known)]
    for number, (label, known) in enumerate(others.items()):
        look = {"dash": DASHES[(number + 2) % len(DASHES)], "width": 1.5, "color": _MUTED}
        _add(figure, curve.value, known, label, look, SYMBOLS[(number + 2) % len(SYMBOLS)], curve.form)
    _add(
        figure,
        curve.baseline,
        points,
        "whole model",
        {"dash": "dash", "width": 2, "color": whole},
        "square",
        curve.form,
    )
    _add(figure, curve.value, points, name, {"width": 3, "color": colour}, "circle", curve.form)
    values = [*curve.rises_from, *(side(point) for point in every for side in (curve.value, curve.baseline))]
    margin = 0.06 * (max(values) - min(values) or 1.0)
    figure.update_xaxes(
        title="Pruning ratio (% of filters gone)",
        range=[-2, 100 * MAX_RATIO + 2],
        dtick=10,
        fixedrange=True,
        zeroline=False,
    )
    figure.update_yaxes(title=curve.axis, range=[min(values) - margin, max(values) + margin], fixedrange=True)
    return figure


def _add(
    figure: go.Figure,
    side: Callable[[Point], float],
    points: Sequence[Point],
    name: str,
    line: dict[str, Any],
    symbol: str,
    form: str,
) -> None:
    figure.add_scatter(
        x=[100 * point.ratio for point in points],
        y=[side(point) for point in points],
        mode="lines+markers",
        name=name,
        line=line,
        marker={"size": 9, "symbol": symbol, "color": line["color"]},
        hovertemplate=f"%{{x:g}} %: %{{y:{form}}}<extra>%{{fullData.name}}</extra>",
    )
