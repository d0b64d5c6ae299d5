"""A figure on the page of spectra with its heading, its reading and the button that saves it."""

from collections.abc import Mapping

import plotly.graph_objects as go
import streamlit as st

from ui.shell import cache, controls
from ui.shell.charts import draw_chart
from ui.shell.figures import model_colours
from ui.shell.markdown import plain


def draw_figure(figure: go.Figure, *, key: str, alt: str, reading: str) -> None:
    """Draw a figure and the sentence that its numbers say.

    Args:
        figure: the chart.
        key: of the chart, and name of its file.
        alt: what it shows, for those who cannot see it.
        reading: below it.
    """
    draw_chart(figure, key=f"spectra_{key}", alt=f"{alt}. {reading}", file=key)
    st.caption(plain(reading))


def model_names() -> Mapping[str, str]:
    """Return what people call each model, by its stem."""
    return {stem: controls.model_title(stem) for stem in cache.cards()}


def colours() -> Mapping[str, str]:
    """Return the colour of each model, by its stem."""
    return model_colours(cache.cards())
