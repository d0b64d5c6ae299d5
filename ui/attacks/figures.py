"""Figures of an attack as it runs and as it ended; no computation, no Streamlit."""

from collections.abc import Sequence

import plotly.graph_objects as go

from robustiqa_core.scorer import ScoreRange
from ui.attacks.job import CurvePoint
from ui.shell.figures import COLOURS


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
