"""The warning above every page while a listed model cannot be used."""

import streamlit as st

from ui.shell import cache
from ui.shell.markdown import plain, sentence


def draw() -> None:
    """Say which models are left out of all lists, why, and how to fix it."""
    for model in cache.unusable_models():
        st.warning(
            f"**{plain(model.name)}** is left out of the lists of models. {sentence(model.reason)} "
            "Then start the app again.",
            icon=":material/warning:",
        )
