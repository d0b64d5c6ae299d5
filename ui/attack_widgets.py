"""Widgets for an attack, made from the vocabulary of settings. Strengths in 255ths live only here and in `state`."""

from dataclasses import fields
from typing import Any

import streamlit as st

from robustiqa_core.attacks import ATTACKS, SETTINGS, Attack, Setting, make_attack
from robustiqa_core.errors import ConfigurationError, RobustIQAError
from robustiqa_core.models.card import ModelCard
from ui import state
from ui.attack_texts import TEXTS, attack_text
from ui.markdown import sentence

MAX_SEED = 2**53 - 1
"""The largest whole number that a browser holds exactly."""
MIN_LEVELS = 0.01
"""Smallest strength and step size, in 255ths: far below what an 8-bit file can hold."""
MAX_STEPS = 200
"""Most steps that an address may ask for, so that a link cannot keep the device busy for hours."""

PRESETS: dict[float, str] = {2.0: "Invisible", 4.0: "Barely visible", 8.0: "Visible", 16.0: "Strong"}
"""Strengths in 255ths, in plain words; whether a change is seen depends on the photo and the screen."""
STEP_CHOICES = (1, 3, 5, 10, 20, 50, 100, 200)
DIRECTION_NAMES = {"up": "Raise it", "down": "Lower it", "away": "Away", "towards": "Towards"}
NORM_NAMES = {"linf": "l∞: largest change", "l2": "l2: mean change"}

_SHARED = ("eps", "norm", "direction", "target", "seed")
"""Settings that keep their values when another attack is chosen: they say how strong and where to, not how."""
_PROMINENT = ("eps", "direction", "target", "steps")


def attack_widgets(card: ModelCard) -> Attack | None:
    """Draw the widgets of an attack on the model of `card`; return the attack, or None while they describe none."""
    names = [name for name in TEXTS if name in ATTACKS] + [name for name in ATTACKS if name not in TEXTS]
    st.selectbox(
        "Attack",
        names,
        format_func=lambda name: attack_text(name).name,
        key=state.ATTACK,
        on_change=_follow_attack,
        persist_state="session",
        help="  \n".join(f"**{attack_text(name).name}**: {attack_text(name).help}" for name in names),
    )
    name: str = st.session_state[state.ATTACK]
    st.caption(attack_text(name).help)
    taken = [field.name for field in fields(ATTACKS[name])]
    if "direction" in taken:
        _direction(card)
    if "eps" in taken:
        _strength()
    if "steps" in taken:
        st.select_slider(
            "Steps",
            sorted({*STEP_CHOICES, st.session_state[state.STEPS]}),
            key=state.STEPS,
            persist_state="session",
            help=SETTINGS["steps"].help,
        )
    with st.expander("Fine settings"):
        for setting in taken:
            if setting == "eps":
                _fine_strength()
            elif setting not in _PROMINENT:
                _widget(setting, SETTINGS[setting])
    try:
        return make_attack(name, {setting: _value(setting) for setting in taken if not _idle(setting)})
    except RobustIQAError as error:
        st.error(sentence(error))
        return None


def set_attack(attack: Attack) -> None:
    """Let the widgets show `attack`."""
    st.session_state.update(state.attack_values(attack))


def check_shown(attack: Attack) -> None:
    """Raise ConfigurationError for settings that the core takes, but that the widgets cannot show."""
    values = state.attack_values(attack)
    for name in (field.name for field in fields(attack)):
        value, kind = values[state.setting_key(name)], SETTINGS[name].kind
        if kind == "fraction" and value is not None and value < MIN_LEVELS:
            raise ConfigurationError(f"expected strengths from {MIN_LEVELS}/255, got {value}/255; use more")
        if kind == "count" and value is not None and value > MAX_SEED:
            raise ConfigurationError(f"expected {name} up to {MAX_SEED} here, got {value}; use the command line")
    if attack.steps > MAX_STEPS:
        raise ConfigurationError(f"expected at most {MAX_STEPS} steps here, got {attack.steps}; use the command line")


def _direction(card: ModelCard) -> None:
    st.segmented_control(
        "The score",
        list(DIRECTION_NAMES),
        format_func=DIRECTION_NAMES.__getitem__,
        key=state.DIRECTION,
        required=True,
        width="stretch",
        persist_state="session",
        help="Pretend that the photo is better, or worse, than it is; push its score to the farther end of the "
        "model's range; or bring it to a score of your choice.",
    )
    if st.session_state[state.DIRECTION] == "towards":
        band = card.score_range
        if st.session_state[state.TARGET] is None:
            st.session_state[state.TARGET] = round((band.low + band.high) / 2, 3)
        st.number_input(
            "Target score",
            step=round(band.width / 50, 6),
            format="%.3f",
            key=state.TARGET,
            persist_state="session",
            help=f"In the model's unit: {card.score_unit}.",
        )


def _strength() -> None:
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


def _strength_name(levels: float) -> str:
    return f"{PRESETS[levels]} {levels:g}/255" if levels in PRESETS else f"{levels:g}/255"


def _fine_strength() -> None:
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


def _widget(name: str, setting: Setting) -> None:
    """Draw the widget of a setting of any kind."""
    key = state.setting_key(name)
    common: dict[str, Any] = {"key": key, "help": setting.help, "persist_state": "session"}
    match setting.kind:
        case "fraction":
            st.number_input(
                f"{setting.label} in 255ths",
                min_value=MIN_LEVELS,
                max_value=255.0,
                step=0.25,
                format="%g",
                placeholder="automatic",
                value=None,
                **common,
            )
        case "number":
            step = (setting.high - setting.low) / 100
            st.number_input(setting.label, min_value=setting.low, max_value=setting.high, step=step, **common)
        case "count":
            high = min(int(setting.high), MAX_SEED)
            st.number_input(setting.label, min_value=int(setting.low), max_value=high, step=1, **common)
        case "flag":
            st.checkbox(setting.label, **common)
        case "choice":
            names = NORM_NAMES if name == "norm" else {}
            st.selectbox(
                setting.label, list(setting.choices), format_func=lambda choice: names.get(choice, choice), **common
            )
        case "name":
            st.text_input(setting.label, **common)


def _follow_attack() -> None:
    """Give the settings of the chosen attack its own defaults, but for those that all attacks share."""
    values = state.attack_values(ATTACKS[st.session_state[state.ATTACK]]())
    kept = {state.setting_key(name) for name in _SHARED} | {state.PRESET}
    st.session_state.update({key: value for key, value in values.items() if key not in kept})


def _follow_preset() -> None:
    st.session_state[state.EPS_LEVELS] = st.session_state[state.PRESET]


def _follow_levels() -> None:
    st.session_state[state.PRESET] = st.session_state[state.EPS_LEVELS]


def _idle(name: str) -> bool:
    """Return whether a setting's widget is hidden: only a score that is to be reached is asked for."""
    return name == "target" and st.session_state[state.DIRECTION] != "towards"


def _value(name: str) -> object:
    """Return a setting's value from its widget, as attacks take it."""
    value = st.session_state[state.setting_key(name)]
    return value / state.LEVELS if SETTINGS[name].kind == "fraction" and value is not None else value
