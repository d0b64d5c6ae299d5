"""The score against the strength as a plotly figure; no computation, no Streamlit."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from robustiqa_core.scorer import ScoreRange
from ui.attacks.texts import attack_text
from ui.lab.sweep_job import STRENGTHS, SweepPoint

_TITLES = {
    "eps": "Strength in steps of 1/255 (further right = stronger)",
    "max_flow": "Largest displacement of a pixel, in pixels (further right = stronger)",
    "min_ssim": "Allowed loss of SSIM (further right = stronger)",
}


def sweep_figure(
    points: Sequence[SweepPoint],
    *,
    budget: str,
    ranges: Mapping[str, ScoreRange],
    colours: Mapping[str, str],
    names: Mapping[str, str],
) -> go.Figure:
    """Return the scores as shares of each model's own range; one colour a model, noise dashed.

    Args:
        points: so far, weakest first; each curve begins at the clean photo.
        budget: the setting that says how strong the attack is.
        ranges: of each model, by its stem.
        colours: of each model, by its stem.
        names: what people call each model, by its stem.
    """
    figure = go.Figure(layout={"template": "none"})
    for model, attack in dict.fromkeys((point.model, point.attack) for point in points):
        found = [point for point in points if (point.model, point.attack) == (model, attack)]
        band, noise = ranges[model], attack == "noise"
        scores = [found[0].clean_score, *(point.score for point in found)]
        figure.add_scatter(
            x=[0.0, *(place_of(budget, point.strength) for point in found)],
            y=[(score - band.low) / band.width for score in scores],
            mode="lines+markers",
            name=f"{names[model]}: {attack_text(attack).name}",
            line={"color": colours[model], "width": 2 if noise else 3, "dash": "dash" if noise else "solid"},
            marker={"size": 8, "symbol": "diamond" if noise else "circle"},
            customdata=scores,
            hovertemplate="%{x:g}: score %{customdata:.3f}<extra>%{fullData.name}</extra>",
        )
    places = [0.0, *(place_of(budget, strength) for strength in STRENGTHS[budget])]
    figure.update_layout(
        height=380,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": -0.22, "yanchor": "top"},
        dragmode=False,
    )
    room = 0.03 * places[-1]
    figure.update_xaxes(
        title=_TITLES[budget], range=[-room, places[-1] + room], tickvals=places, tickformat="~g", fixedrange=True
    )
    figure.update_yaxes(title="Score, share of usual range<br>(higher = better photo)", fixedrange=True)
    return figure


def place_of(budget: str, strength: float) -> float:
    """Return where a strength lies on the axis.

    Example:
        >>> place_of("eps", 8 / 255), round(place_of("min_ssim", 0.95), 6)
        (8.0, 0.05)
    """
    if budget == "eps":
        return round(255 * strength, 6)
    return 1.0 - strength if budget == "min_ssim" else strength
