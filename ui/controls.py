"""Widgets in, frozen configurations out. The units of people (k/255, percent) live only here."""

from collections.abc import Set
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import streamlit as st

from robustiqa_core.attacks import ATTACKS, Attack, make_attack
from robustiqa_core.device import describe_device
from robustiqa_core.errors import ConfigurationError, RobustIQAError
from robustiqa_core.images import Photo
from ui import cache, state
from ui.markdown import plain, sentence
from ui.photo_controls import photo_controls
from ui.recipe import Recipe, read_attack

MAX_SEED = 2**53 - 1
"""The largest whole number that a browser holds exactly."""
MIN_LEVELS = 0.01
"""Smallest strength and step size, in 255ths: far below what an 8-bit file can hold."""
MAX_STEPS = 200
"""Most steps that an address may ask for, so that a link cannot keep the device busy for hours."""

PRESETS: dict[float, str] = {2.0: "Invisible", 4.0: "Barely visible", 8.0: "Visible", 16.0: "Strong"}
"""Strengths in 255ths, in plain words; whether a change is seen depends on the photo and the screen."""
STEP_CHOICES = (1, 3, 5, 10, 20, 50, 100)
ATTACK_NAMES = {"pgd": "PGD", "fgsm": "FGSM", "noise": "Noise"}
ATTACK_HELP = {
    "pgd": "Follows the model's gradient in many small steps. The strongest here.",
    "fgsm": "One big step along the model's gradient. Quick and crude.",
    "noise": "Random changes of the same size, blind to the model. What an attack has to beat.",
}
DIRECTION_NAMES = {"up": "Raise it", "down": "Lower it"}
NORM_NAMES = {"linf": "l∞: largest change", "l2": "l2: mean change"}


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
    attack = _attack()
    ready = chosen is not None and attack is not None
    st.button(
        "Run the attack", key=state.RUN, type="primary", width="stretch", disabled=not ready, on_click=ask_for_run
    )
    st.caption(f"Runs on: {plain(describe_device(cache.device()))}, float32.")
    if chosen is None or attack is None:
        return None
    choice, photo = chosen
    card = cache.cards()[model]
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
            _check_shown(attack)
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


def _check_shown(attack: Attack) -> None:
    """Raise ConfigurationError for settings that the core takes, but that the widgets cannot show."""
    values = state.attack_values(attack)
    for key in (state.EPS_LEVELS, state.STEP_LEVELS):
        if values[key] is not None and values[key] < MIN_LEVELS:
            raise ConfigurationError(f"expected strengths from {MIN_LEVELS}/255, got {values[key]}/255; use more")
    if attack.steps > MAX_STEPS:
        raise ConfigurationError(f"expected at most {MAX_STEPS} steps here, got {attack.steps}; use the command line")
    if values[state.SEED] > MAX_SEED:
        raise ConfigurationError(
            f"expected a seed up to {MAX_SEED} here, got {values[state.SEED]}; use the command line"
        )


def ask_for_run() -> None:
    """Note that Run was pressed; the page answers when it is drawn."""
    lab = state.lab()
    lab.asked, lab.notice = True, None


def set_attack(attack: Attack) -> None:
    """Let the attack's widgets show `attack`."""
    st.session_state.update(state.attack_values(attack))


def _model_name(stem: str) -> str:
    card = cache.cards()[stem]
    return f"{card.model.capitalize()}, {card.variant}"


def _attack() -> Attack | None:
    st.segmented_control(
        "Method",
        list(ATTACKS),
        format_func=lambda attack: ATTACK_NAMES.get(attack, attack),
        key=state.ATTACK,
        required=True,
        width="stretch",
        persist_state="session",
        help="  \n".join(f"**{ATTACK_NAMES[attack]}**: {text}" for attack, text in ATTACK_HELP.items()),
    )
    name: str = st.session_state[state.ATTACK]
    taken = {field.name for field in fields(ATTACKS[name])}
    if "direction" in taken:
        st.segmented_control(
            "The score",
            list(DIRECTION_NAMES),
            format_func=DIRECTION_NAMES.__getitem__,
            key=state.DIRECTION,
            required=True,
            width="stretch",
            persist_state="session",
            help="Pretend that the photo is better, or worse, than it is.",
        )
    st.select_slider(
        "Strength",
        sorted({*PRESETS, st.session_state[state.EPS_LEVELS]}),
        format_func=_strength_name,
        key=state.PRESET,
        on_change=_follow_preset,
        persist_state="session",
        help="How far a colour value may move, in steps of 1/255, the smallest that a photo file knows. "
        "Whether that is seen depends on the photo and the screen.",
    )
    if "steps" in taken:
        st.select_slider(
            "Steps",
            sorted({*STEP_CHOICES, st.session_state[state.STEPS]}),
            key=state.STEPS,
            persist_state="session",
            help="More steps find stronger attacks and take longer.",
        )
    with st.expander("Fine settings"):
        _fine_settings(taken)
    try:
        return make_attack(name, {key: value for key, value in _settings().items() if key in taken})
    except RobustIQAError as error:
        st.error(sentence(error))
        return None


def _strength_name(levels: float) -> str:
    return f"{PRESETS[levels]} {levels:g}/255" if levels in PRESETS else f"{levels:g}/255"


def _fine_settings(taken: Set[str]) -> None:
    st.number_input(
        "Strength in 255ths",
        min_value=MIN_LEVELS,
        max_value=255.0,
        step=1.0,
        key=state.EPS_LEVELS,
        format="%g",
        on_change=_follow_levels,
        persist_state="session",
        help="An 8-bit colour value has the levels 0 to 255. This is how far one may move.",
    )
    st.selectbox(
        "Measured as",
        list(NORM_NAMES),
        format_func=NORM_NAMES.__getitem__,
        key=state.NORM,
        persist_state="session",
        help="l∞ bounds the change of every single value; l2 bounds the root mean square of all changes.",
    )
    if "step_size" in taken:
        st.number_input(
            "Step size in 255ths",
            min_value=MIN_LEVELS,
            max_value=255.0,
            step=0.25,
            key=state.STEP_LEVELS,
            format="%g",
            placeholder="automatic",
            value=None,
            persist_state="session",
            help="How far one step goes. Automatic: 2.5 times the strength, divided by the number of steps.",
        )
    if "random_start" in taken:
        st.checkbox(
            "Start at a random point",
            key=state.RANDOM_START,
            persist_state="session",
            help="Begin somewhere within the allowed change instead of at the photo itself.",
        )
    if "seed" in taken:
        st.number_input(
            "Seed",
            min_value=0,
            max_value=MAX_SEED,
            step=1,
            key=state.SEED,
            persist_state="session",
            help="Number that decides everything random: the same seed gives the same result.",
        )


def _follow_preset() -> None:
    st.session_state[state.EPS_LEVELS] = st.session_state[state.PRESET]


def _follow_levels() -> None:
    st.session_state[state.PRESET] = st.session_state[state.EPS_LEVELS]


def _settings() -> dict[str, Any]:
    """Return what the widgets say, by the names that attacks use; strengths as fractions of 1."""
    values = st.session_state
    step_levels = values[state.STEP_LEVELS]
    return {
        "eps": values[state.EPS_LEVELS] / state.LEVELS,
        "step_size": None if step_levels is None else step_levels / state.LEVELS,
        "steps": values[state.STEPS],
        "norm": values[state.NORM],
        "direction": values[state.DIRECTION],
        "random_start": values[state.RANDOM_START],
        "seed": values[state.SEED],
    }
