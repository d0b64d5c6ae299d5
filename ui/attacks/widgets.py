"""Widgets for an attack, made from the vocabulary of settings. Strengths in 255ths live only here and in `state`."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import streamlit as st

from robustiqa_core.attacks import ATTACKS, SETTINGS, Attack, Setting, make_attack
from robustiqa_core.errors import ConfigurationError, RobustIQAError
from robustiqa_core.models.card import ModelCard
from ui.attacks.texts import TEXTS, attack_text
from ui.shell import state
from ui.shell.markdown import sentence

MAX_SEED = 2**53 - 1
"""The largest whole number that a browser holds exactly."""
MIN_LEVELS = 0.01
"""Smallest strength and step size, in 255ths: far below what an 8-bit file can hold."""
MAX_STEPS = 200
"""Most steps that an address may request, so that a link cannot keep the device busy for hours."""

PRESETS: dict[float, str] = {2.0: "Invisible", 4.0: "Barely visible", 8.0: "Visible", 16.0: "Strong"}
"""Strengths in 255ths, in plain words; whether a change is visible depends on the photo and the screen."""
STEP_CHOICES = (1, 3, 5, 10, 20, 50, 100, 200)
DIRECTION_NAMES = {"up": "Up", "down": "Down", "away": "Away", "towards": "Towards"}
NORM_NAMES = {"linf": "l∞: largest change", "l2": "l2: mean change"}

_SHARED = ("eps", "norm", "direction", "target", "seed")
"""Settings that keep their values when another attack is chosen: strength and goal, not method."""
_PROMINENT = ("eps", "direction", "target", "steps")


def attack_widgets(card: ModelCard, *, place: str = "", names: Sequence[str] | None = None) -> Attack | None:
    """Draw the widgets of an attack on a model; return the attack, or None while they describe none.

    Args:
        card: of the model.
        place: prefix of the keys of the page that they are on.
        names: attacks that can be chosen; all without it.
    """
    names = listed_attacks() if names is None else names
    st.selectbox(
        "Attack",
        names,
        format_func=lambda name: attack_text(name).name,
        key=f"{place}{state.ATTACK}",
        on_change=_follow_attack,
        args=(place,),
        persist_state="session",
        help="  \n".join(f"**{attack_text(name).name}**: {attack_text(name).help}" for name in names),
    )
    name: str = st.session_state[f"{place}{state.ATTACK}"]
    st.caption(attack_text(name).help)
    taken = [field.name for field in fields(ATTACKS[name])]
    if "direction" in taken:
        _direction(card, place)
    if "eps" in taken:
        _strength(place)
    if "steps" in taken:
        st.select_slider(
            "Steps",
            sorted({*STEP_CHOICES, st.session_state[f"{place}{state.STEPS}"]}),
            key=f"{place}{state.STEPS}",
            persist_state="session",
            help=SETTINGS["steps"].help,
        )
    with st.expander("Fine settings"):
        for setting in taken:
            if setting == "eps":
                _fine_strength(place)
            elif setting not in _PROMINENT:
                _widget(setting, SETTINGS[setting], place)
    try:
        return attack_shown(place)
    except RobustIQAError as error:
        st.error(sentence(error))
        return None


def attack_shown(place: str = "") -> Attack:
    """Return the attack that the widgets describe, whether they are drawn already or not.

    Args:
        place: prefix of the keys of the page that they are on.

    Raises:
        RobustIQAError: they describe none.
    """
    name: str = st.session_state[f"{place}{state.ATTACK}"]
    taken = [field.name for field in fields(ATTACKS[name])]
    return make_attack(name, {setting: _value(setting, place) for setting in taken if not _idle(setting, place)})


def listed_attacks() -> list[str]:
    """Return the names of all attacks, in the order of the list that people choose from."""
    return [name for name in TEXTS if name in ATTACKS] + [name for name in ATTACKS if name not in TEXTS]


def set_attack(attack: Attack) -> None:
    """Let the widgets show `attack`."""
    st.session_state.update(state.attack_values(attack))


def check_shown(attack: Attack) -> None:
    """Raise ConfigurationError for settings that the core accepts but the widgets cannot show."""
    values = state.attack_values(attack)
    for name in (field.name for field in fields(attack)):
        value, kind = values[state.setting_key(name)], SETTINGS[name].kind
        if kind == "fraction" and value is not None and value < MIN_LEVELS:
            raise ConfigurationError(f"expected strengths from {MIN_LEVELS}/255, got {value}/255; use more")
        if kind == "count" and value is not None and value > MAX_SEED:
            raise ConfigurationError(f"expected {name} up to {MAX_SEED} here, got {value}; use the command line")
    if attack.steps > MAX_STEPS:
        raise ConfigurationError(f"expected at most {MAX_STEPS} steps here, got {attack.steps}; use the command line")


def _direction(card: ModelCard, place: str) -> None:
    st.segmented_control(
        "The score",
        list(DIRECTION_NAMES),
        format_func=DIRECTION_NAMES.__getitem__,
        key=f"{place}{state.DIRECTION}",
        required=True,
        width="stretch",
        persist_state="session",
        help="Make the photo seem better, or worse, than it is; push its score to the farther end of the "
        "model's range; or bring it to a score of your choice.",
    )
    if st.session_state[f"{place}{state.DIRECTION}"] == "towards":
        band, key = card.score_range, f"{place}{state.TARGET}"
        if st.session_state[key] is None:
            st.session_state[key] = round((band.low + band.high) / 2, 3)
        st.number_input(
            "Target score",
            step=round(band.width / 50, 6),
            format="%.3f",
            key=key,
            persist_state="session",
            help=f"In the model's unit: {card.score_unit}.",
        )


def _strength(place: str) -> None:
    st.select_slider(
        "Strength",
        sorted({*PRESETS, st.session_state[f"{place}{state.EPS_LEVELS}"]}),
        format_func=_strength_name,
        key=f"{place}{state.PRESET}",
        on_change=_copy,
        args=(f"{place}{state.PRESET}", f"{place}{state.EPS_LEVELS}"),
        persist_state="session",
        help="How far a colour value may move, in steps of 1/255, the smallest in an 8-bit file. "
        "Whether that is visible depends on the photo and the screen.",
    )


def _strength_name(levels: float) -> str:
    return f"{PRESETS[levels]} {levels:g}/255" if levels in PRESETS else f"{levels:g}/255"


def _fine_strength(place: str) -> None:
    st.number_input(
        "Strength in 255ths",
        min_value=MIN_LEVELS,
        max_value=255.0,
        step=1.0,
        key=f"{place}{state.EPS_LEVELS}",
        format="%g",
        on_change=_copy,
        args=(f"{place}{state.EPS_LEVELS}", f"{place}{state.PRESET}"),
        persist_state="session",
        help="An 8-bit colour value has the levels 0 to 255. This is how far one may move.",
    )


def _widget(name: str, setting: Setting, place: str) -> None:
    """Draw the widget of a setting of any kind."""
    key = state.setting_key(name, place)
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


def _follow_attack(place: str) -> None:
    """Reset the settings of the chosen attack to its own defaults, except those that all attacks share."""
    values = state.attack_values(ATTACKS[st.session_state[f"{place}{state.ATTACK}"]](), place)
    kept = {state.setting_key(name, place) for name in _SHARED} | {f"{place}{state.PRESET}"}
    st.session_state.update({key: value for key, value in values.items() if key not in kept})


def _copy(source: str, copy: str) -> None:
    """Keep two widgets in sync: the strength has one value, wherever it is set."""
    st.session_state[copy] = st.session_state[source]


def _idle(name: str, place: str) -> bool:
    """Return whether a setting's widget is hidden: the target score shows only for an attack towards it."""
    return name == "target" and st.session_state[f"{place}{state.DIRECTION}"] != "towards"


def _value(name: str, place: str) -> object:
    """Return a setting's value from its widget, as attacks take it."""
    value = st.session_state[state.setting_key(name, place)]
    return value / state.LEVELS if SETTINGS[name].kind == "fraction" and value is not None else value
