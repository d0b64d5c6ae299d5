"""Results that are kept for everybody, and how fast each model is."""

import streamlit as st

from robustiqa_core.errors import RobustIQAError
from ui.jobs.estimate import Speed, measure_speed
from ui.jobs.results import Shelf
from ui.shell import cache


@st.cache_resource(max_entries=1, show_spinner=False)
def shelf() -> Shelf:
    """Return the finished results that a reload of a page finds again."""
    return Shelf()


@st.cache_resource(max_entries=8, ttl=600, show_spinner=False)
def speed(model: str, variant: str) -> Speed:
    """Return how fast a model is; measured anew after a while, since other work on the machine slows it down."""
    try:
        return measure_speed(cache.scorer(model, variant), cache.device())
    except RobustIQAError:
        # An own model that fails by now: the error appears when it is run.
        return Speed(0.0, 0.0)
