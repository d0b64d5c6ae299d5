"""The figures of the page of ideas; no computation, no Streamlit."""

import numpy as np
import plotly.graph_objects as go

from ui.attacks.growth import Array
from ui.ideas.maths import Attacked, circle, reach, wave
from ui.shell.figures import COLOURS, GREY, bare_figure

SPAN = 2.0
"""The wave is drawn from minus this to this."""


def lipschitz_figure(x: float, slope: float, eps: float) -> go.Figure:
    """Return the wave, the point, the cone that the wave cannot leave, and what the output can be within eps.

    Args:
        x: the input.
        slope: of the wave where it is steepest.
        eps: how far the input may move.
    """
    figure = bare_figure(380)
    here = float(wave(x, slope))
    far = 2.0 * SPAN
    figure.add_scatter(
        x=[x - far, x, x + far, x + far, x, x - far],
        y=[here + slope * far, here, here + slope * far, here - slope * far, here, here - slope * far],
        fill="toself",
        mode="lines",
        name="cone of this slope",
        line={"width": 1, "dash": "dash", "color": COLOURS["hardened"]},
        fillcolor="rgba(14,159,119,0.14)",
        hoverinfo="skip",
    )
    low, high = here - slope * eps, here + slope * eps
    figure.add_scatter(
        x=[x - eps, x + eps, x + eps, x - eps, x - eps],
        y=[low, low, high, high, low],
        mode="lines",
        name="most that is possible",
        line={"width": 2, "dash": "dot", "color": GREY},
        hoverinfo="skip",
    )
    inputs = np.linspace(-SPAN, SPAN, 241)
    figure.add_scatter(
        x=inputs, y=wave(inputs, slope), mode="lines", name="the model", line={"width": 3, "color": COLOURS["clean"]}
    )
    reached = reach(x, slope, eps)
    within = np.linspace(x - eps, x + eps, 41)
    figure.add_scatter(
        x=within,
        y=wave(within, slope),
        mode="lines",
        name=f"within eps: {reached[0]:.2f} to {reached[1]:.2f}",
        line={"width": 7, "color": COLOURS["adversarial"]},
    )
    figure.add_scatter(
        x=[x],
        y=[here],
        mode="markers",
        name="here",
        marker={"size": 13, "symbol": "diamond", "color": COLOURS["clean"], "line": {"width": 2, "color": "white"}},
    )
    figure.update_xaxes(title="Input", range=[-SPAN, SPAN], fixedrange=True)
    figure.update_yaxes(title="Output (the score)", range=[-1.7, 1.7], fixedrange=True)
    return figure


def orthogonal_figure(orthogonal: Array, general: Array, point: Array) -> go.Figure:
    """Return a circle, and what an orthogonal and a general matrix make of it and of one point.

    Args:
        orthogonal: (2, 2).
        general: (2, 2).
        point: (2,), of length 1.
    """
    figure = bare_figure(420)
    for matrix, name, colour, dash, symbol in (
        (np.eye(2), "before", GREY, "dot", "circle"),
        (orthogonal, "orthogonal matrix Q", COLOURS["hardened"], "solid", "square"),
        (general, "general matrix G", COLOURS["adversarial"], "dash", "diamond"),
    ):
        outline, corners, end = matrix @ circle(), matrix @ circle(9), matrix @ point
        figure.add_scatter(
            x=outline[0], y=outline[1], mode="lines", name=name, line={"width": 2.5, "dash": dash, "color": colour}
        )
        figure.add_scatter(
            x=corners[0],
            y=corners[1],
            mode="markers",
            showlegend=False,
            marker={"size": 7, "symbol": symbol, "color": colour},
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=[0.0, end[0]],
            y=[0.0, end[1]],
            mode="lines+markers",
            showlegend=False,
            line={"width": 3, "dash": dash, "color": colour},
            marker={"size": [0, 14], "symbol": symbol, "color": colour},
            hovertemplate=f"{name}: length {np.linalg.norm(end):.3f}<extra></extra>",
        )
    figure.update_xaxes(title="First value", range=[-2.6, 2.6], fixedrange=True, constrain="domain")
    figure.update_yaxes(title="Second value", range=[-2.6, 2.6], fixedrange=True, scaleanchor="x", constrain="domain")
    return figure


def scores_figure(attacked: Attacked, reachable: tuple[float, float]) -> go.Figure:
    """Return the line of scores: the picture's, the attacked one's, those with noise, and all that can be reached.

    Args:
        attacked: by an attack on a linear scorer.
        reachable: the lowest and the highest score that any change of this size gives.
    """
    figure = bare_figure(230)
    figure.add_scatter(
        x=list(reachable),
        y=[0, 0],
        mode="lines",
        name="all that can be reached",
        line={"width": 16, "color": "rgba(222,100,18,0.22)"},
        hovertemplate="%{x:.3f}<extra></extra>",
    )
    shift = np.random.default_rng(2).uniform(-0.25, 0.25, len(attacked.noisy))
    figure.add_scatter(
        x=attacked.noisy,
        y=-0.6 + shift,
        mode="markers",
        name="random noise, 200 times",
        marker={"size": 4, "color": GREY, "symbol": "x-thin", "line": {"width": 1, "color": GREY}},
        hovertemplate="noise: %{x:.3f}<extra></extra>",
    )
    for score, name, key, symbol in (
        (attacked.score, "picture", "clean", "circle"),
        (attacked.adversarial_score, "attacked", "adversarial", "diamond"),
    ):
        figure.add_scatter(
            x=[score],
            y=[0],
            mode="markers+text",
            name=name,
            text=[f"{score:.2f}"],
            textposition="top center",
            marker={"size": 16, "symbol": symbol, "color": COLOURS[key]},
            hovertemplate=f"{name}: %{{x:.4f}}<extra></extra>",
        )
    figure.update_xaxes(title="Score (higher = better picture)", fixedrange=True, range=[-1.3, 2.3])
    figure.update_yaxes(visible=False, range=[-1.1, 0.9], fixedrange=True)
    return figure
