"""The controls of the attack lab: widgets in, a frozen request out."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from robustiqa_core.attacks import Attack
from robustiqa_core.device import describe_device
from robustiqa_core.errors import RobustIQAError
from robustiqa_core.images import Photo
from ui import cache, state
from ui.attack_widgets import attack_widgets, check_shown
from ui.markdown import plain, sentence
from ui.model_texts import model_name
from ui.photo_controls import photo_controls
from ui.recipe import Recipe, read_attack


@dataclass(frozen=True, slots=True)
class Request:
    """What the controls ask for.

    Args:
        recipe: what would be run.
        photo: the recipe's photo.
    """

    recipe: Recipe
    photo: Photo


def attack_controls() -> Request | None:
    """Draw all controls of an attack; return what they ask for, or None while they ask for nothing that can be run."""
    st.html(Path(__file__).with_suffix(".css"))
    chosen = photo_controls()
    model = st.selectbox(
        "Model", list(cache.cards()), format_func=_model_name, key=state.MODEL, persist_state="session"
    )
    card = cache.cards()[model]
    attack = attack_widgets(card)
    ready = chosen is not None and attack is not None
    st.button(
        "Run the attack", key=state.RUN, type="primary", width="stretch", disabled=not ready, on_click=ask_for_run
    )
    st.caption(f"Runs on: {plain(describe_device(cache.device()))}, float32.")
    if chosen is None or attack is None:
        return None
    choice, photo = chosen
    return Request(Recipe(card.model, card.variant, choice, attack), photo)


def prepare() -> None:
    """Give the widgets their first values: those of the address, where it has any, else the defaults."""
    if state.is_prepared():
        return
    parameters = st.query_params.to_dict()
    stem = f"{parameters.get('model')}-{parameters.get('variant', 'baseline')}"
    photo = parameters.get("photo")
    attack: Attack | None = None
    try:
        attack = read_attack(parameters)
        if attack is not None:
            check_shown(attack)
    except RobustIQAError as error:
        state.lab().notice = state.Notice(
            "error", f"The address could not be followed, the default is shown. {sentence(error)}"
        )
        attack = None
    state.prepare(
        {
            **state.attack_values(attack or state.DEFAULT_ATTACK),
            state.SOURCE: "sample",
            state.PHOTO: photo if photo in cache.samples() else next(iter(cache.samples())),
            state.MAX_SIDE: state.DEFAULT_MAX_SIDE,
            state.MODEL: stem if stem in cache.cards() else next(iter(cache.cards()), None),
        }
    )


def ask_for_run() -> None:
    """Note that Run was pressed; the page answers when it is drawn."""
    lab = state.lab()
    lab.asked, lab.notice = True, None


def _model_name(stem: str) -> str:
    card = cache.cards()[stem]
    return f"{model_name(card)}, {card.variant}"
