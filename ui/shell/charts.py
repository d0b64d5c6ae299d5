"""A chart on any page: with a description for screen readers, and a button that saves it."""

from collections.abc import Callable
from typing import Any, Literal

import plotly.graph_objects as go
import streamlit as st

from ui.shell import state

FORMATS = ("svg", "png")
"""SVG stays sharp at any size, and PNG opens in every program."""
_PNG_SCALE = 3
"""Pixels of a saved PNG for one on the screen: enough for a printed page."""
INK = {"light": "#4E5A63", "dark": "#B4C2CA"}
"""Of all text in charts, by the colour scheme; Streamlit's own grey has a contrast of 3.6 on the light background."""
_CAMERA_SIDE, _CAMERA_TOP = 44, 36
"""Pixels beside a legend on top, or above a plot, that the button needs so that it covers nothing."""


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
    drawn = readable(figure, scheme())
    _make_room_for_the_button(drawn)
    st.plotly_chart(drawn, key=key, config=config, alt=alt, on_select=on_select, selection_mode="points")


def draw_live_chart(figure: go.Figure, *, key: str, alt: str) -> None:
    """Draw a figure that will soon be replaced by its next version, so that there is nothing to save.

    Args:
        figure: the chart.
        key: of the chart.
        alt: what it shows, for those who cannot see it.
    """
    st.plotly_chart(readable(figure, scheme()), key=key, config={"displayModeBar": False}, alt=alt)


def scheme() -> str:
    """Return the colour scheme that the visitor sees: `light` or `dark`."""
    return "dark" if st.context.theme.type == "dark" else "light"


def readable(figure: go.Figure, scheme: str) -> go.Figure:
    """Return a copy of a figure whose text has enough contrast wherever it has no colour of its own.

    Args:
        figure: the chart.
        scheme: `light` or `dark`.
    """
    ink, drawn = INK[scheme], go.Figure(figure)
    drawn.update_layout(font_color=ink, legend_font_color=ink)
    for update in (drawn.update_xaxes, drawn.update_yaxes):
        update(tickfont_color=ink, title_font_color=ink)
    drawn.for_each_annotation(lambda note: note.update(font_color=note.font.color or ink))
    drawn.for_each_trace(
        lambda trace: trace.update(colorbar={"tickfont": {"color": ink}, "title": {"font": {"color": ink}}}),
        selector={"type": "heatmap"},
    )
    drawn.for_each_trace(
        lambda trace: trace.update(textfont_color=trace.textfont.color or ink), selector={"type": "scatter"}
    )
    drawn.for_each_trace(
        lambda trace: trace.update(outsidetextfont_color=trace.outsidetextfont.color or ink), selector={"type": "bar"}
    )
    return drawn


def format_control() -> None:
    """Draw the choice of the file format of saved charts; once a page."""
    st.session_state.setdefault(state.CHART_FORMAT, FORMATS[0])
    st.segmented_control(
        "Save charts as",
        FORMATS,
        format_func=str.upper,
        key=state.CHART_FORMAT,
        required=True,
        persist_state="session",
        help="With the camera in the corner of each chart. SVG stays sharp at any size; PNG opens in every program.",
    )


def _make_room_for_the_button(figure: go.Figure) -> None:
    """Move what would lie under the button in the upper right corner: a legend on top, or the plot."""
    legend, margin = figure.layout.legend, figure.layout.margin
    on_top = figure.layout.showlegend is not False and (legend.y or 0.0) > 1.0
    name, least = ("r", _CAMERA_SIDE) if on_top else ("t", _CAMERA_TOP)
    figure.update_layout(margin={name: max(margin[name] or 0, least)})
