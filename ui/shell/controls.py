"""Controls that every page has: the Run button, how a model is called, small headings."""

from collections.abc import Callable, Iterable
from typing import Any

import streamlit as st

from robustiqa_core.device import describe_device
from robustiqa_core.errors import RobustIQAError
from ui.shell import cache, model_names, state
from ui.shell.markdown import plain, sentence
from ui.shell.state import PageJobs


def small_header(title: str, *, key: str) -> None:
    """Draw a second-level heading in the size of a third-level one.

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
    """Draw a page's Run button, always in sight below the controls, and the device that it runs on.

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


def choose_models(key: str, *, most: int | None = None, text: str | None = None) -> list[str]:
    """Draw the choice of several models, and what the chosen versions are; return their stems.

    Args:
        key: of the widget.
        most: models that can be chosen; None for all.
        text: help.
    """
    models: list[str] = st.multiselect(
        "Models",
        list(cache.cards()),
        format_func=model_title,
        max_selections=most,
        select_all=False,
        key=key,
        persist_state="session",
        help=text,
    )
    explain_versions(models)
    return models


def follow_address(prepare: Callable[[dict[str, str]], None], jobs: Callable[[], PageJobs[Any]]) -> None:
    """Give the widgets of a page the values of its address; the defaults, and a notice, where it cannot be followed.

    Args:
        prepare: gives them the values of query parameters, or raises RobustIQAError.
        jobs: returns the jobs whose notice says what is wrong.
    """
    try:
        prepare(st.query_params.to_dict())
    except RobustIQAError as error:
        prepare({})
        text = f"The address is not valid, so the default is shown. {sentence(error)}"
        jobs().notice = state.Notice("error", text)
