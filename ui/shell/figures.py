"""Core results as plotly figures and lossless PNG; no computation, no Streamlit."""

import itertools
from collections.abc import Iterable, Sequence

import plotly.graph_objects as go

from robustiqa_core.images.photo import amplify, decode_image, encode_png
from robustiqa_core.scorer import ScoreRange
from ui.attacks.job import CurvePoint

COLOURS = {"clean": "#1C84C6", "adversarial": "#DE6412", "hardened": "#0E9F77", "baseline": "#9A6FC0"}
"""One colour for each state, with a contrast of about 3 and more on the light and on the dark background."""
_MORE_BASELINES = ("#B07D0A", "#7C8794", "#B5577F")
_MORE_HARDENED = ("#2A93A8", "#6E8F1E", "#5F78C9", "#C2683C", "#A3518F", "#3F8F5A", "#8A7B52")
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star", "x", "hexagon")
"""Shapes of points, so that nothing is told by colour alone."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


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


def score_curve(points: Sequence[CurvePoint], *, steps: int, score_range: ScoreRange) -> go.Figure:
    """Return the score against the attack's steps, with the clean score as a level line.

    Args:
        points: of the steps so far, with the clean photo first.
        steps: how many steps there will be, so that the axis does not move while the attack runs.
        score_range: of the model; the vertical axis leaves a tenth of its width above and below the curve.
    """
    taken = [(point.step, point.score) for point in points if point.step is not None]
    best = [(point.step, point.best_score) for point in points if point.step is not None]
    clean = points[0].score if points else None
    figure = go.Figure(layout={"template": "none"})
    figure.add_scatter(
        x=[0, steps],
        y=[clean, clean],
        mode="lines",
        name="clean",
        line={"dash": "dot", "width": 2, "color": COLOURS["clean"]},
        hovertemplate="clean: %{y:.3f}<extra></extra>",
    )
    figure.add_scatter(
        x=[step for step, _ in best],
        y=[score for _, score in best],
        mode="lines+markers",
        name="changed (best so far)",
        line={"width": 3, "color": COLOURS["adversarial"]},
        marker={"size": 7},
        customdata=[score for _, score in taken],
        hovertemplate="step %{x}: best %{y:.3f}, this step %{customdata:.3f}<extra></extra>",
    )
    seen = [point.best_score for point in points] or [score_range.low, score_range.high]
    margin = 0.1 * score_range.width
    figure.update_layout(
        height=240,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
    )
    figure.update_xaxes(title="Step", range=[-0.3, steps + 0.3], dtick=max(1, steps // 5), fixedrange=True)
    figure.update_yaxes(
        title="Score (higher = better)", range=[min(seen) - margin, max(seen) + margin], fixedrange=True
    )
    return figure
