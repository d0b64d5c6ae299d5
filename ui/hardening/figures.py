"""A hardening as plotly figures; no computation, no Streamlit."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from robustiqa_core.hardening import Epoch
from ui.shell.figures import COLOURS

_MARGIN = {"l": 8, "r": 8, "t": 28, "b": 8}
_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
LOSS_COLOUR, MOS_COLOUR = "#B07D0A", "#1C84C6"


def epoch_figure(epochs: Sequence[Epoch], *, epochs_in_all: int) -> go.Figure:
    """Return the loss, and the agreement of held-out photos with the baseline and with people, against the epochs.

    Args:
        epochs: those that have ended, with that before the first.
        epochs_in_all: how many there will be, so that the axis does not move while they run.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1)
    numbers = [epoch.epoch for epoch in epochs]
    losses = [epoch for epoch in epochs if epoch.loss is not None]
    figure.add_scatter(
        x=[epoch.epoch for epoch in losses],
        y=[epoch.loss for epoch in losses],
        name="loss",
        mode="lines+markers",
        line={"width": 3, "color": LOSS_COLOUR, "dash": "dash"},
        marker={"size": 8, "symbol": "square"},
        hovertemplate="epoch %{x}: loss %{y:.4f}<extra></extra>",
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=numbers,
        y=[epoch.agreement.srocc for epoch in epochs],
        name="SROCC with the baseline",
        mode="lines+markers",
        line={"width": 3, "color": COLOURS["hardened"]},
        marker={"size": 8},
        hovertemplate="epoch %{x}: SROCC with the baseline %{y:.4f}<extra></extra>",
        row=2,
        col=1,
    )
    people = [epoch.mos.srocc for epoch in epochs if epoch.mos is not None]
    if people:
        figure.add_scatter(
            x=numbers,
            y=people,
            name="SROCC with people",
            mode="lines+markers",
            line={"width": 3, "color": MOS_COLOUR, "dash": "dot"},
            marker={"size": 8, "symbol": "diamond"},
            hovertemplate="epoch %{x}: SROCC with people %{y:.4f}<extra></extra>",
            row=2,
            col=1,
        )
    figure.update_layout(
        template="none",
        height=400,
        margin=_MARGIN,
        legend=_LEGEND,
        showlegend=True,
        hovermode="closest",
        dragmode=False,
    )
    figure.update_xaxes(range=[-0.3, epochs_in_all + 0.3], dtick=max(1, epochs_in_all // 5), fixedrange=True)
    figure.update_xaxes(title="Epoch", row=2, col=1)
    figure.update_yaxes(
        title="Loss (lower = better)", rangemode="tozero", exponentformat="power", fixedrange=True, row=1, col=1
    )
    figure.update_yaxes(title="SROCC (higher = better)", fixedrange=True, row=2, col=1)
    return figure
