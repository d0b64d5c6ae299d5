"""Core results as plotly figures and lossless PNG; no computation, no Streamlit."""

import itertools
from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go

from robustiqa_core.images.photo import amplify, decode_image, encode_png

COLOURS = {"clean": "#1C84C6", "adversarial": "#DE6412", "hardened": "#0E9F77", "baseline": "#9A6FC0"}
"""One colour for each state, with a contrast of about 3 and more on the light and on the dark background."""
_MORE_BASELINES = ("#B07D0A", "#7C8794", "#B5577F")
_MORE_HARDENED = ("#2A93A8", "#6E8F1E", "#5F78C9", "#C2683C", "#A3518F", "#3F8F5A", "#8A7B52")
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star", "x", "hexagon")
"""Shapes of points, so that nothing is told by colour alone."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
GAINS = (1, 5, 10, 20, 50)
"""Factors by which a change can be enlarged."""
GREY = "rgba(127,127,127,0.9)"
_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}


def model_colours(stems: Iterable[str]) -> dict[str, str]:
    """Return one colour a model, the same on every page.

    Baselines and models of one's own, and hardened ones, have colours of their own kind.

    Args:
        stems: of all models that there are, in the order of their list.

    Example:
        >>> model_colours(["linearity-baseline", "linearity-robust"])
        {'linearity-baseline': '#9A6FC0', 'linearity-robust': '#0E9F77'}
    """
    plain = itertools.cycle((COLOURS["baseline"], *_MORE_BASELINES))
    hardened = itertools.cycle((COLOURS["hardened"], *_MORE_HARDENED))
    return {stem: next(plain if stem.endswith(("-baseline", "-own")) else hardened) for stem in stems}


def amplified_png(clean_png: bytes, adversarial_png: bytes, gain: float) -> bytes:
    """Return the signed difference of two stored images, amplified, as PNG of their size.

    Args:
        clean_png: the photo.
        adversarial_png: the adversarial image, of the same size.
        gain: factor; a difference of 0 is shown as mid-grey.
    """
    clean, adversarial = (decode_image(png).images for png in (clean_png, adversarial_png))
    return encode_png(amplify(adversarial - clean, gain)[0])


def bare_figure(height: int) -> go.Figure:
    """Return an empty figure in the style of the app, so many pixels high."""
    layout: dict[str, Any] = {
        "template": "none",
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 28, "b": 8},
        "legend": _LEGEND,
        "hovermode": "closest",
        "dragmode": False,
    }
    return go.Figure(layout=layout)
