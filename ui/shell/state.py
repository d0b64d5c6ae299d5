"""Names, defaults and typed getters of what a visit remembers. Ids and settings only: images live in the job store."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, Literal, TypeVar, cast

import streamlit as st

from robustiqa_core.attacks import ATTACKS, PGD, SETTINGS, Attack
from robustiqa_core.evaluation.report import attack_name
from robustiqa_core.hardening import HardeningRecipe
from ui.attacks.batch_recipe import BatchRecipe
from ui.attacks.recipe import Recipe
from ui.audit.recipe import AuditRecipe
from ui.compare.recipe import CompareRecipe
from ui.lab.sweep_job import SweepRecipe
from ui.pruning.recipe import PruningRecipe
from ui.spectra.recipe import SpectraRecipe

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
LAB = "attack_lab"
START = "start_jobs"
NAMED_ATTACK = "named_attack"
SEVERAL = "several"
OPENED = "opened"
LAB_SET = "lab_"
"""Prefix of the keys of the attack lab's set of photos."""

# Prefixes of the keys of the pages that have an attack, or a set of photos, of their own.
AUDIT = "audit_"
COMPARE = "compare_"
SPECTRA = "spectra_"
PLACEMENT = "placement_"
PRUNING = "pruning_"

# After such a prefix: what these pages have besides the settings of an attack.
SAMPLES = "samples"
FOLDER_LIMIT = "folder_limit"
REFERENCE = "reference"
DEFENCE = "defence"
BLACK_BOX_QUERIES = "black_box_queries"
DIRECTIONS_SEED = "directions_seed"
SIDE = "side"
QUERIES = "queries"
MODELS = "models"
ATTACKS_CHOSEN = "attacks"
STRENGTHS = "strengths"
CONVENTION = "convention"
FIXED_LOW = "fixed_low"
FIXED_HIGH = "fixed_high"
COMPARED_WITH = "compared_with"
FIGURE = "figure"
SCATTER = "scatter"
PAIR = "pair"
VIEW = "view"
WAVE_LEVELS = "wave_levels"
GRID = "grid"
NORMS = "norms"
SHOWN_PHOTO = "shown_photo"
GREETED = "greeted"

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


def lab() -> PageJobs[BatchRecipe]:
    """Return the attack lab's jobs; a new visit asks for a run, so that it shows a result at once."""
    if LAB not in st.session_state:
        st.session_state[LAB] = PageJobs[BatchRecipe](asked=True)
    return cast(PageJobs[BatchRecipe], st.session_state[LAB])


def lab_sweep() -> PageJobs[SweepRecipe]:
    """Return the attack lab's jobs that run an attack in every strength."""
    return cast(PageJobs[SweepRecipe], _page_jobs(f"{LAB_SET}sweep_jobs"))


def audit() -> PageJobs[AuditRecipe]:
    """Return the jobs of the page that audits a model."""
    return cast(PageJobs[AuditRecipe], _page_jobs(f"{AUDIT}jobs"))


def start() -> PageJobs[BatchRecipe]:
    """Return the jobs of the first page; a new visit asks for a run, so that it shows a result at once."""
    if START not in st.session_state:
        st.session_state[START] = PageJobs[BatchRecipe](asked=True)
    return cast(PageJobs[BatchRecipe], st.session_state[START])


def compare() -> PageJobs[CompareRecipe]:
    """Return the jobs of the page that compares models."""
    return cast(PageJobs[CompareRecipe], _page_jobs(f"{COMPARE}jobs"))


def compare_pair() -> PageJobs[Recipe]:
    """Return the jobs of that page that show one of its photos again."""
    return cast(PageJobs[Recipe], _page_jobs(f"{COMPARE}pair_jobs"))


def placement() -> PageJobs[HardeningRecipe]:
    """Return the jobs of the page that tries places for a block."""
    return cast(PageJobs[HardeningRecipe], _page_jobs(f"{PLACEMENT}jobs"))


def placement_probe() -> PageJobs[str]:
    """Return the jobs of that page that measure how a model's stages amplify a change; each runs a model's stem."""
    return cast(PageJobs[str], _page_jobs(f"{PLACEMENT}probe_jobs"))


def placement_ahead() -> PageJobs[HardeningRecipe]:
    """Return the jobs of that page that compute what every trial needs."""
    return cast(PageJobs[HardeningRecipe], _page_jobs(f"{PLACEMENT}ahead_jobs"))


def spectra(view: str) -> PageJobs[SpectraRecipe]:
    """Return the jobs of a view of the page of spectra; each view has its own."""
    return cast(PageJobs[SpectraRecipe], _page_jobs(f"{SPECTRA}{view}_jobs"))


def pruning() -> PageJobs[PruningRecipe]:
    """Return the jobs of the page that prunes."""
    return cast(PageJobs[PruningRecipe], _page_jobs(f"{PRUNING}jobs"))


def _page_jobs(key: str) -> object:
    if key not in st.session_state:
        st.session_state[key] = PageJobs[Any]()
    return st.session_state[key]


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
