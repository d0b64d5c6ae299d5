"""The state of a visit: names, defaults, jobs of a page. Ids and settings only: images live in the job store."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, Literal, TypeVar, cast

import streamlit as st

from robustiqa_core.attacks import ATTACKS, PGD, SETTINGS, Attack
from robustiqa_core.evaluation.report import attack_name

RecipeT = TypeVar("RecipeT")

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
CHART_FORMAT = "chart_format"

RUN = "run"
CANCEL = "cancel"

# Behind the prefix of a page that has an attack, or a set of photos, of its own.
SAMPLES = "samples"
FOLDER_LIMIT = "folder_limit"
DEFENCE = "defence"
MODELS = "models"
COMPARED_WITH = "compared_with"
GREETED = "greeted"

DEFAULT_ATTACK: Attack = PGD()
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
class PageJobs(Generic[RecipeT]):
    """What a page remembers of its jobs during a visit; the one object behind the page's key.

    Args:
        asked: whether Run was pressed and not answered yet.
        active: job that waits or runs.
        shown: job, or kept result, that is on the page.
        recipes: what each of these two runs.
        notice: about the last run.
        ended: that the last run has ended, for who cannot see it; nothing while there is nothing new.
    """

    asked: bool = False
    active: str | None = None
    shown: str | None = None
    recipes: dict[str, RecipeT] = field(default_factory=dict)
    notice: Notice | None = None
    ended: str = ""

    def keep_needed_recipes(self) -> None:
        """Drop the recipes of jobs that are neither active nor shown."""
        self.recipes = {job: recipe for job, recipe in self.recipes.items() if job in (self.active, self.shown)}

    def ask(self) -> None:
        """Note that Run was pressed; the page answers when it is drawn."""
        self.asked, self.notice = True, None


def page_jobs(key: str, *, asked: bool = False) -> PageJobs[Any]:
    """Return the jobs that a page, or a part of one, remembers in this visit.

    Args:
        key: under which they are remembered.
        asked: whether a new visit asks for a run, so that it shows a result at once.
    """
    if key not in st.session_state:
        st.session_state[key] = PageJobs[Any](asked=asked)
    return cast(PageJobs[Any], st.session_state[key])


def is_prepared(key: str = MODEL) -> bool:
    """Return whether the widgets of a page have their first values in this visit.

    Args:
        key: of a widget of the page; without it the attack lab is meant.
    """
    return key in st.session_state


def prepare(values: Mapping[str, object]) -> None:
    """Give widgets their first values; those that have one keep it."""
    for key, value in values.items():
        st.session_state.setdefault(key, value)


def setting_key(name: str, place: str = "") -> str:
    """Return the key of the widget of an attack's setting; one that is a fraction of 1 is shown in 255ths."""
    return f"{place}{name}_levels" if SETTINGS[name].kind == "fraction" else f"{place}{name}"


def attack_values(attack: Attack, place: str = "") -> dict[str, Any]:
    """Return the values of all widgets of attacks that describe `attack`; settings it lacks get their defaults.

    Args:
        attack: what the widgets show.
        place: prefix of the keys of the page that the widgets are on.
    """
    settings: dict[str, Any] = {}
    for known in (*(kind() for kind in ATTACKS.values()), DEFAULT_ATTACK, attack):
        settings |= asdict(known)
    values = {
        setting_key(name, place): _levels(value) if SETTINGS[name].kind == "fraction" and value is not None else value
        for name, value in settings.items()
    }
    return {**values, f"{place}{ATTACK}": attack_name(attack), f"{place}{PRESET}": values[f"{place}{EPS_LEVELS}"]}


def _levels(fraction: float) -> float:
    return round(fraction * LEVELS, 6)
