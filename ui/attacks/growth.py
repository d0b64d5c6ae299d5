"""Why attacks work: the effect of an aimed change on a simple model, as a figure."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ui.shell.figures import COLOURS, GREY, bare_figure

SIDES = (1, 2, 4, 8, 16, 32)
"""Sides in pixels of the pictures that a linear scorer looks at."""
Array = NDArray[np.float64]


def growth_figure(eps: float, *, side: int | None = None, height: int = 260) -> go.Figure:
    """Return how far an aimed and a random change move a linear scorer, against the number of pixels.

    Args:
        eps: largest change of a pixel, as a fraction of [0, 1].
        side: of the picture that is marked; None marks none.
        height: of the figure in pixels.
    """
    figure = bare_figure(height)
    pixels = np.array([each * each for each in SIDES], dtype=float)
    aimed, random = growth(eps, pixels)
    for values, name, colour, dash, symbol in (
        (aimed, "aimed", COLOURS["adversarial"], "solid", "diamond"),
        (random, "random", GREY, "dot", "circle"),
    ):
        sizes = [14 if each == side else 6 for each in SIDES]
        figure.add_scatter(
            x=pixels,
            y=values,
            mode="lines+markers",
            name=f"{name} change",
            line={"width": 3, "color": colour, "dash": dash},
            marker={"size": sizes, "symbol": symbol},
            hovertemplate=f"{name}, %{{x}} pixels: %{{y:.3f}}<extra></extra>",
        )
    figure.update_xaxes(title="Pixels", type="log", tickvals=pixels, ticktext=[f"{count:.0f}" for count in pixels])
    figure.update_yaxes(title="Score moves by", rangemode="tozero")
    figure.update_xaxes(fixedrange=True)
    figure.update_yaxes(fixedrange=True)
    return figure


def scorer_weights(pixels: int) -> Array:
    """Return the weights of a linear scorer (pixels,), of Euclidean length 1 whatever their number.

    With that, scores of random pictures spread equally wide for every number of pixels.
    """
    weights = np.random.default_rng(0).standard_normal(pixels)
    return np.asarray(weights / np.linalg.norm(weights))


def growth(eps: float, pixels: Array) -> tuple[Array, Array]:
    """Return how far an aimed and a random change move a linear scorer, for each number of pixels.

    The first is eps times the l1 norm of the weights, exactly; the second eps times their l2 norm, the standard
    deviation of the score under random signs.

    Args:
        eps: largest change of a pixel.
        pixels: how many there are.
    """
    weights = [scorer_weights(int(count)) for count in pixels]
    aimed = eps * np.array([np.abs(each).sum() for each in weights])
    return aimed, eps * np.array([np.linalg.norm(each) for each in weights])
