"""Widgets for a defence that needs no training: which one, and its settings."""

from dataclasses import dataclass, fields
from typing import Any

import streamlit as st

from robustiqa_core.defences import DEFENCES, Defence, parse_defence, spell_defence
from robustiqa_core.errors import RobustIQAError
from ui.shell import state
from ui.shell.markdown import sentence


@dataclass(frozen=True, slots=True)
class DefenceText:
    """A defence in words.

    Args:
        name: short.
        help: one sentence for a newcomer.
        settings: label, lowest, highest value and step of the settings that can be changed here, by name.
    """

    name: str
    help: str
    settings: dict[str, tuple[str, float, float, float]]


TEXTS: dict[str, DefenceText] = {
    "jpeg": DefenceText(
        "JPEG",
        "Each photo is stored as a JPEG and read again before the model sees it.",
        {"quality": ("JPEG quality", 1, 95, 5)},
    ),
    "resize": DefenceText(
        "Resize",
        "Each photo is reduced and enlarged again, which removes its finest detail.",
        {"scale": ("Share of each side", 0.05, 1.0, 0.05)},
    ),
    "median_blur": DefenceText(
        "Median blur",
        "Each value becomes the median of its neighbours.",
        {"size": ("Side of the window, in pixels", 3, 31, 2)},
    ),
    "smoothing": DefenceText(
        "Median smoothing",
        "The score is the median over noisy copies of the photo. Each copy costs a full evaluation of the model.",
        {"sigma": ("Standard deviation of the noise", 0.005, 1.0, 0.005), "samples": ("Copies", 1, 101, 2)},
    ),
}
"""By name of the defence, in the order of the list that people choose from."""


def defence_widgets(place: str) -> str | None:
    """Draw the widgets of a defence; return it as `parse_defence` reads it, empty for none, None for one that is wrong.

    Args:
        place: prefix of the page's keys; `defence_values` gives the widgets their first values.
    """
    names = ["", *(name for name in TEXTS if name in DEFENCES)]
    st.selectbox(
        "Behind a defence",
        names,
        format_func=lambda name: TEXTS[name].name if name else "None",
        key=f"{place}{state.DEFENCE}",
        persist_state="session",
        help="  \n".join(f"**{TEXTS[name].name}**: {TEXTS[name].help}" for name in names if name),
    )
    name: str = st.session_state[f"{place}{state.DEFENCE}"]
    if not name:
        return ""
    given = {
        setting: st.number_input(label, low, high, step=step, key=_key(place, name, setting), persist_state="session")
        for setting, (label, low, high, step) in TEXTS[name].settings.items()
    }
    try:
        return spell_defence(parse_defence(f"{name}:" + ",".join(f"{key}={value}" for key, value in given.items())))
    except RobustIQAError as error:
        st.error(sentence(error))
        return None


def defence_values(place: str, defence: Defence | None) -> dict[str, Any]:
    """Return the values of all widgets of defences that describe `defence`; the others get their defaults."""
    values: dict[str, Any] = {f"{place}{state.DEFENCE}": ""}
    for known in (*(kind() for kind in DEFENCES.values()), *([] if defence is None else [defence])):
        name = spell_defence(known).partition(":")[0]
        shown = TEXTS[name].settings if name in TEXTS else {}
        values |= {
            _key(place, name, field.name): getattr(known, field.name) for field in fields(known) if field.name in shown
        }
    if defence is not None:
        values[f"{place}{state.DEFENCE}"] = spell_defence(defence).partition(":")[0]
    return values


def _key(place: str, name: str, setting: str) -> str:
    return f"{place}{state.DEFENCE}_{name}_{setting}"
