"""A chart as every page draws it: with a name for those who cannot see it, and a button that saves it."""

from collections.abc import Callable
from typing import Any, Literal

import plotly.graph_objects as go
import streamlit as st

from ui import state

FORMATS = ("svg", "png")
"""SVG stays sharp at any size, and PNG fits into every program."""
_PNG_SCALE = 3
"""Pixels of a saved PNG for one on the screen: enough for a printed page."""


def draw_chart(
    figure: go.Figure,
    *,
    key: str,
    alt: str,
    file: str,
    on_select: Callable[[], None] | Literal["ignore"] = "ignore",
) -> None:
    """Draw a finished figure; its only button saves it.

    Args:
        figure: the chart.
        key: of the chart.
        alt: what it shows, for those who cannot see it.
        file: name of the saved file after `robustiqa-`, without its ending.
        on_select: called when a point is selected.
    """
    kind = st.session_state.get(state.CHART_FORMAT, FORMATS[0])
    saved = {"format": kind, "filename": f"robustiqa-{file}", "scale": _PNG_SCALE if kind == "png" else 1}
    config: dict[str, Any] = {
        "displaylogo": False,
        "displayModeBar": True,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": saved,
    }
    st.plotly_chart(figure, key=key, config=config, alt=alt, on_select=on_select, selection_mode="points")


def draw_live_chart(figure: go.Figure, *, key: str, alt: str) -> None:
    """Draw a figure that will soon be replaced by its next version, so that there is nothing to save.

    Args:
        figure: the chart.
        key: of the chart.
        alt: what it shows, for those who cannot see it.
    """
    st.plotly_chart(figure, key=key, config={"displayModeBar": False}, alt=alt)


def format_control() -> None:
    """Draw the choice of what the camera of each chart saves; once a page."""
    st.session_state.setdefault(state.CHART_FORMAT, FORMATS[0])
    st.segmented_control(
        "The camera of a chart saves",
        FORMATS,
        format_func=str.upper,
        key=state.CHART_FORMAT,
        required=True,
        persist_state="session",
        help="SVG stays sharp at any size; PNG fits into every program.",
    )
