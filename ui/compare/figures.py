"""A comparison as plotly figures; no computation, no Streamlit."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from robustiqa_core.evaluation.tables.summary import RunSummary, Summary, is_single
from ui.compare.job import Point
from ui.compare.texts import attack_and_strength, attack_label, axis_title, value_of
from ui.shell.figures import DASHES, SYMBOLS

LEVELS = 255
_HEIGHT = 400
_FILLINGS = ("", "-open", "-dot", "-open-dot")
_LAYOUT = {
    "height": _HEIGHT,
    "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    "showlegend": True,
    "legend": {"orientation": "h", "x": 0, "y": -0.24, "yanchor": "top"},
    "hovermode": "closest",
    "dragmode": False,
}


def curve_figure(
    summary: Summary, name: str, *, colours: Mapping[str, str], model_names: Mapping[str, str]
) -> go.Figure:
    """Return a figure of robustness against the strength, with its 95 % bootstrap intervals.

    One colour and filling of the points a model, one dash and shape an attack. Attacks without a strength are left out.

    Args:
        summary: the figures.
        name: which one, a key of `FIGURES`.
        colours: of each model, by its stem.
        model_names: what people call each model, by its stem.
    """
    figure = go.Figure(layout={"template": "none", **_LAYOUT})
    curves = _curves(summary, name)
    attacks = list(dict.fromkeys(attack for _, attack in curves))
    models = list(dict.fromkeys(model for model, _ in curves))
    shift = _shifts(len(curves))
    for place, ((model, attack), runs) in enumerate(curves.items()):
        number = attacks.index(attack)
        symbol = _symbol(models.index(model), number)
        values = [value_of(run, name) for run in runs]
        figure.add_scatter(
            x=[LEVELS * (run.strength or 0.0) + shift[place] for run in runs],
            y=values,
            error_y=_error_bars(runs, name, values),
            mode="lines+markers",
            name=f"{model_names[model]}: {attack_label(attack)}",
            line={"color": colours[model], "width": 2.5, "dash": DASHES[number % len(DASHES)]},
            marker={"size": 9, "symbol": symbol},
            customdata=[f"{LEVELS * (run.strength or 0.0):g}/255" for run in runs],
            hovertemplate="%{customdata}: %{y:.3f}<extra>%{fullData.name}</extra>",
        )
    strengths = sorted({LEVELS * run.strength for runs in curves.values() for run in runs if run.strength is not None})
    figure.update_xaxes(
        title="Strength in steps of 1/255",
        tickvals=strengths,
        ticktext=[f"{value:g}" for value in strengths],
        fixedrange=True,
    )
    figure.update_yaxes(title=axis_title(name, summary.convention), fixedrange=True, zeroline=True)
    return figure


def scatter_figure(
    points: Sequence[Point], *, colours: Mapping[str, str], model_names: Mapping[str, str], titles: Mapping[str, str]
) -> go.Figure:
    """Return attacked against clean scores, each as a share of its model's own range, with the line of no change.

    Args:
        points: of the table's rows.
        colours: of each model, by its stem.
        model_names: what people call each model, by its stem.
        titles: what people call each photo, by its name in the rows.
    """
    figure = go.Figure(layout={"template": "none", **_LAYOUT})
    seen = [value for point in points for value in (point.clean, point.attacked)] or [0.0, 1.0]
    low, high = min(0.0, *seen), max(1.0, *seen)
    figure.add_scatter(
        x=[low, high],
        y=[low, high],
        mode="lines",
        name="no change",
        line={"dash": "dot", "width": 2, "color": "#7C8794"},
        hoverinfo="skip",
    )
    attacks = list(dict.fromkeys(point.attack for point in points))
    models = list(dict.fromkeys(point.model for point in points))
    for model, attack in dict.fromkeys((point.model, point.attack) for point in points):
        shown = [point for point in points if (point.model, point.attack) == (model, attack)]
        figure.add_scatter(
            x=[point.clean for point in shown],
            y=[point.attacked for point in shown],
            mode="markers",
            name=f"{model_names[model]}: {attack_label(attack)}",
            marker={
                "size": 12,
                "symbol": _symbol(models.index(model), attacks.index(attack)),
                "color": colours[model],
                "line": {"width": 2},
            },
            customdata=[point.key for point in shown],
            text=[f"{titles[point.photo]}, {attack_and_strength(attack, point.strength)}" for point in shown],
            hovertemplate="%{text}<br>%{x:.2f} → %{y:.2f}<extra>%{fullData.name}</extra>",
        )
    margin = 0.05 * (high - low)
    clean = "Clean score, share of the usual range<br>(higher = better photo)"
    # The axis has a title of two lines.
    figure.update_layout(legend_y=-0.32)
    figure.update_xaxes(title=clean, range=[low - margin, high + margin], fixedrange=True)
    figure.update_yaxes(
        title="Attacked score, share of the usual range", range=[low - margin, high + margin], fixedrange=True
    )
    return figure


def _symbol(model: int, attack: int) -> str:
    """Return the marker of a model and an attack by their places: its filling tells the model, its shape the attack."""
    return SYMBOLS[attack % len(SYMBOLS)] + _FILLINGS[model % len(_FILLINGS)]


def _curves(summary: Summary, name: str) -> dict[tuple[str, str], list[RunSummary]]:
    """Return the runs of each model and attack in the order of their strengths, those that have the figure."""
    curves: dict[tuple[str, str], list[RunSummary]] = {}
    for run in sorted(summary.runs, key=lambda run: run.strength or 0.0):
        if run.strength is not None and is_single(run.attack) and value_of(run, name) is not None:
            curves.setdefault((run.model, run.attack), []).append(run)
    return curves


def _error_bars(runs: Sequence[RunSummary], name: str, values: Sequence[float | None]) -> dict[str, object]:
    if not all(name in run.intervals for run in runs):
        return {}
    pairs = [(run.intervals[name], value or 0.0) for run, value in zip(runs, values, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value for (_, high), value in pairs],
        "arrayminus": [value - low for (low, _), value in pairs],
        "thickness": 1.5,
        "width": 4,
    }


def _shifts(count: int) -> list[float]:
    """Return small shifts along the axis, in 255ths, so that intervals of several curves do not hide each other."""
    return [0.12 * (place - (count - 1) / 2) for place in range(count)]
