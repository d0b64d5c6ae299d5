"""Controls that every page has: the Run button, how a model is called, small headings."""

from collections.abc import Callable, Iterable

import streamlit as st

from robustiqa_core.device import describe_device
from ui.shell import cache, model_names
from ui.shell.markdown import plain


def small_header(title: str, *, key: str) -> None:
    """Draw a heading of the second level that is no larger than one of the third: where none is between.

    Args:
        title: the heading.
        key: of its place on the page.
    """
    with st.container(key=f"small_heading_{key}"):
        st.header(title, anchor=False)


def press(label: str) -> str:
    """Return where a page's Run button is, as the beginning of a sentence: on a small screen the sidebar is closed.

    Args:
        label: of the button.
    """
    return f"Press **{label}** in the sidebar (on a small screen **»** opens it)"


def run_button(label: str, *, key: str, ready: bool, on_click: Callable[[], None], note: str = "") -> None:
    """Draw a page's Run button, which stays in sight however long the list of controls is, and what it runs on.

    Args:
        label: what it does.
        key: begins with `state.RUN`.
        ready: whether it can be pressed.
        on_click: called when it is.
        note: a sentence about the run, such as how long it takes.
    """
    st.button(label, key=key, type="primary", width="stretch", disabled=not ready, on_click=on_click)
    st.caption(f"{note} Runs on: {plain(describe_device(cache.device()))}, float32.".strip())


def model_title(stem: str) -> str:
    """Return what people call the model with this stem."""
    cards = cache.cards()
    return model_names.model_title(cards[stem], cards.values())


def explain_versions(stems: Iterable[str]) -> None:
    """Say below a choice of models what the chosen versions are.

    Args:
        stems: of the models that are chosen.
    """
    text = model_names.version_help([cache.cards()[stem] for stem in stems])
    if text:
        st.caption(text)
