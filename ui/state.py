"""Names, defaults and typed getters of what a visit remembers. Ids and settings only: images live in the job store."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

import streamlit as st

from robustiqa_core.attacks import ATTACKS, PGD, SETTINGS, Attack
from robustiqa_core.evaluation import attack_name
from ui.recipe import Recipe

# Keys of widgets. Where one is an attack's setting it has the setting's name, in the unit of the widget.
PHOTO = "photo"
SOURCE = "source"
UPLOAD = "upload"
MAX_SIDE = "max_side"
MODEL = "model"
ATTACK = "attack"
DIRECTION = "direction"
TARGET = "target"
PRESET = "preset"
EPS_LEVELS = "eps_levels"
STEPS = "steps"
NORM = "norm"
STEP_LEVELS = "step_size_levels"
RANDOM_START = "random_start"
SEED = "seed"
GAIN = "gain"

RUN = "run"
CANCEL = "cancel"
LAB = "attack_lab"

DEFAULT_ATTACK = PGD()
DEFAULT_MAX_SIDE = 512
DEFAULT_GAIN = 20
LEVELS = 255
"""Steps between the darkest and the brightest 8-bit value: strengths are shown in these."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence about what happened to the last run.

    Args:
        kind: how to show it.
        text: the sentence.
    """

    kind: Literal["info", "error"]
    text: str


@dataclass(slots=True)
class Lab:
    """What the attack lab remembers during a visit; the one object behind the key LAB.

    Args:
        asked: whether Run was pressed and not answered yet.
        active: job that waits or runs.
        shown: job whose result is on the page.
        recipes: what each of these two jobs runs.
        notice: about the last run.
    """

    asked: bool = True
    active: str | None = None
    shown: str | None = None
    recipes: dict[str, Recipe] = field(default_factory=dict)
    notice: Notice | None = None

    def keep_needed_recipes(self) -> None:
        """Drop the recipes of jobs that are neither active nor shown."""
        self.recipes = {job: recipe for job, recipe in self.recipes.items() if job in (self.active, self.shown)}


def lab() -> Lab:
    """Return the attack lab's memory; a new one asks for a run, so that a first visit shows a result at once."""
    if LAB not in st.session_state:
        st.session_state[LAB] = Lab()
    return cast(Lab, st.session_state[LAB])


def is_prepared() -> bool:
    """Return whether the widgets of this visit have their first values."""
    return MODEL in st.session_state


def prepare(values: Mapping[str, object]) -> None:
    """Give widgets their first values; those that have one keep it."""
    for key, value in values.items():
        st.session_state.setdefault(key, value)


def setting_key(name: str) -> str:
    """Return the key of the widget of an attack's setting; one that is a fraction of 1 is shown in 255ths."""
    return f"{name}_levels" if SETTINGS[name].kind == "fraction" else name


def attack_values(attack: Attack) -> dict[str, Any]:
    """Return the values of all widgets of attacks that describe `attack`; settings it lacks get their defaults."""
    settings: dict[str, Any] = {}
    for known in (*(kind() for kind in ATTACKS.values()), DEFAULT_ATTACK, attack):
        settings |= asdict(known)
    values = {
        setting_key(name): _levels(value) if SETTINGS[name].kind == "fraction" and value is not None else value
        for name, value in settings.items()
    }
    return {**values, ATTACK: attack_name(attack), PRESET: values[EPS_LEVELS]}


def _levels(fraction: float) -> float:
    return round(fraction * LEVELS, 6)
