"""The controls of the page of spectra: widgets in, a frozen request out."""

from collections.abc import Iterable
from functools import partial

import streamlit as st

from robustiqa_core.attacks import Attack
from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.models.card import ModelCard
from robustiqa_core.spectra import Norms, SensitivitySettings
from ui.attacks.widgets import PRESETS, attack_widgets, check_shown
from ui.jobs import cache as jobs_cache
from ui.jobs.estimate import Calls, attack_calls, spoken
from ui.photos.controls import photo_set_controls, pixels_of, prepare_photo_set, work_size
from ui.photos.photo_set import reduced_png
from ui.photos.request import PhotoRequest
from ui.shell import cache, controls, state
from ui.spectra import session
from ui.spectra.recipe import GRIDS, Layers, Perturbation, Question, Sensitivity, SpectraRecipe, View, read_choices

PLACE = session.PREFIX
MOST_PHOTOS = 4
MOST_MODELS = 2
DEFAULT_PHOTOS = ("mountain_path",)
SIDE_NAMES = {256: "256 px (fast)", 384: "384 px", 512: "512 px"}
DEFAULT_SIDE = 256
NORMS_NAMES: dict[Norms, str] = {"none": "Leave out (fast)", "stage": "Of each stage"}
LONG_SECONDS = 60.0
"""Seconds from which the page warns that a run takes long."""
PHOTO_SECONDS = 0.1
"""What a photo costs beside the calls of the model: its spectrum and its pictures."""
NORMS_CALLS = 100
"""Gradients of a model that take about as long as the largest singular values of its stages."""
WAVES_OF_A_FREQUENCY = 5
"""Four, and the time to make them."""


SpectraRequest = PhotoRequest[SpectraRecipe]


def spectra_controls(view: View) -> SpectraRequest | None:
    """Draw all controls of a view; return what they ask for, or None while they ask for nothing that can be run."""
    max_side: int = st.session_state[_key(state.MAX_SIDE)]
    chosen = photo_set_controls(
        PLACE, most=MOST_PHOTOS, purpose=f"{max_side} px", prepare=partial(reduced_png, max_side=max_side)
    )
    work_size(
        _key(state.MAX_SIDE),
        SIDE_NAMES,
        text="Photos are reduced to this. Frequencies are those of the reduced photo. Twice the side takes four times "
        "as long.",
    )
    models = controls.choose_models(_key(state.MODELS), most=MOST_MODELS, text="One, or two side by side.")
    if not models:
        st.error("Choose one model or two.")
    question = _question(view, cache.cards()[models[0]]) if models else None
    request = None
    if chosen is not None and question is not None:
        request = SpectraRequest(SpectraRecipe(chosen[0], tuple(models), max_side, question), chosen[1])
    seconds = 0.0 if request is None else estimate_seconds(request.recipe)
    if seconds > LONG_SECONDS:
        st.warning(f"This takes about {spoken(seconds)}. Fewer photos or a smaller work size make it quicker.")
    controls.run_button(
        "Run the measurement",
        key=f"{state.RUN}_spectra",
        ready=request is not None,
        on_click=session.jobs(view).ask,
        note="" if request is None else f"Takes about {spoken(seconds)}.",
    )
    return request


def prepare() -> None:
    """Give the widgets their first values: those of the address, where it has any, else the defaults."""
    if state.is_prepared(_key(session.VIEW)):
        return
    controls.follow_address(_prepare, lambda: session.jobs(st.session_state[_key(session.VIEW)]))


def estimate_seconds(recipe: SpectraRecipe) -> float:
    """Return how long a run will take on this server when nothing else runs."""
    pixels, cards = pixels_of(recipe.photos, recipe.max_side), [cache.cards()[stem] for stem in recipe.models]
    calls = _calls(recipe.question)
    speeds = [jobs_cache.speed(card.model, card.variant) for card in cards]
    return sum(speed.seconds(calls, pixels) + PHOTO_SECONDS * len(recipe.photos.names) for speed in speeds)


def default_models(cards: Iterable[ModelCard]) -> list[str]:
    """Return the first model, and the one that was hardened from it, if there is one; the further hardened the better.

    Args:
        cards: of all models, one at least.
    """
    first, *others = cards
    hardened = [card.variant for card in others if card.model == first.model]
    best = [name for name in ("hardened-plus", "hardened") if name in hardened] or hardened
    return [first.stem, *(f"{first.model}-{name}" for name in best[:1])]


def _prepare(parameters: dict[str, str]) -> None:
    choices, cards = read_choices(parameters), cache.cards()
    check_shown(choices.attack)
    side = check_choice("max_side", parameters.get("max_side", str(DEFAULT_SIDE)), list(map(str, SIDE_NAMES)))
    prepare_photo_set(PLACE, parameters, samples=DEFAULT_PHOTOS, most=MOST_PHOTOS)
    state.prepare(
        {
            **state.attack_values(choices.attack, PLACE),
            _key(session.VIEW): choices.view,
            _key(state.MODELS): _read_models(parameters) or default_models(cards.values()),
            _key(state.MAX_SIDE): int(side),
            _key(session.WAVE_LEVELS): round(choices.waves.eps * state.LEVELS, 6),
            _key(session.GRID): choices.waves.grid,
            _key(session.NORMS): choices.norms,
        }
    )


def _read_models(parameters: dict[str, str]) -> list[str]:
    """Return the models of an address; none where it names none."""
    if "models" not in parameters:
        return []
    names = list(dict.fromkeys(parameters["models"].split(",")))
    if len(names) > MOST_MODELS:
        raise ConfigurationError(f"expected at most {MOST_MODELS} models here, got {len(names)}; leave some out")
    return [check_choice("a model", name, cache.cards()) for name in names]


def _question(view: View, card: ModelCard) -> Question | None:
    """Draw the widgets of what a view measures; return that, or None while they describe nothing."""
    if view == "sensitivity":
        return Sensitivity(_waves())
    attack = attack_widgets(card, place=PLACE)
    if view == "perturbation":
        return None if attack is None else Perturbation(attack)
    return _layers(attack)


def _waves() -> SensitivitySettings:
    levels = st.select_slider(
        "Size of each wave",
        sorted({*PRESETS, st.session_state[_key(session.WAVE_LEVELS)]}),
        format_func=lambda value: f"{value:g}/255",
        key=_key(session.WAVE_LEVELS),
        persist_state="session",
        help="Its root mean square, in steps of 1/255. All waves have the same size.",
    )
    grid = st.select_slider(
        "Frequencies on each axis",
        GRIDS,
        key=_key(session.GRID),
        persist_state="session",
        help="The cells of the map on each axis. Twice as many take four times as long.",
    )
    return SensitivitySettings(levels / state.LEVELS, grid=grid)


def _layers(attack: Attack | None) -> Layers | None:
    st.segmented_control(
        "Largest singular values",
        list(NORMS_NAMES),
        format_func=NORMS_NAMES.__getitem__,
        key=_key(session.NORMS),
        required=True,
        width="stretch",
        persist_state="session",
        help="By how much each stage could lengthen a small change at most. They take most of the time.",
    )
    return None if attack is None else Layers(attack, st.session_state[_key(session.NORMS)])


def _calls(question: Question) -> Calls:
    """Return how often a question asks a model for each photo."""
    match question:
        case Sensitivity(waves):
            return Calls(0, 1 + WAVES_OF_A_FREQUENCY * waves.frequencies)
        case Layers(attack, norms):
            calls = attack_calls(attack)
            return Calls(calls.gradients + (0 if norms == "none" else NORMS_CALLS), calls.queries + 3)
        case Perturbation(attack):
            return attack_calls(attack)


def _key(name: str) -> str:
    return f"{PLACE}{name}"
