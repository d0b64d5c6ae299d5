"""The controls of the comparison: widgets in, a frozen request out."""

from dataclasses import fields
from functools import partial

import streamlit as st

from robustiqa_core.attacks import ATTACKS, SETTINGS
from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError, RobustIQAError
from ui.attacks.texts import attack_text
from ui.attacks.widgets import DIRECTION_NAMES, STEP_CHOICES, listed_attacks
from ui.compare import session
from ui.compare.job import WORST
from ui.compare.reading import read_reading
from ui.compare.recipe import AttackChoice, CompareRecipe, read_attacks
from ui.jobs import cache as jobs_cache
from ui.jobs.estimate import attack_calls, spoken
from ui.photos.controls import photo_set_controls, pixels_of, prepare_photo_set, work_size
from ui.photos.photo_set import reduced_png
from ui.photos.request import PhotoRequest
from ui.shell import cache, controls, state
from ui.shell.markdown import sentence
from ui.shell.model_names import rival_of

PLACE = session.PREFIX
MOST_PHOTOS = 200
MOST_ROWS = 2000
LONG_SECONDS = 60.0
"""Seconds from which the page warns that a run takes long."""
ROW_SECONDS = 0.05
"""Cost of a row besides the calls of the model: mostly perceptual similarity."""
SIDE_NAMES = {512: "512 px (fast)", 1024: "1024 px"}
STRENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""In 255ths."""
QUERY_CHOICES = (100, 200, 500, 1000)
DEFAULT_PHOTOS = (
    "mountain_path_out_of_focus",
    "fig_in_a_red_bowl",
    "astronaut",
    "cat",
    "forest_stream",
    "rocket_at_dusk",
)
"""Different scenes, and enough for a paired test: with five photos p cannot be below 0.06."""


CompareRequest = PhotoRequest[CompareRecipe]


def compare_controls() -> CompareRequest | None:
    """Draw all controls; return what they ask for, or None while they ask for nothing that can be run."""
    max_side: int = st.session_state[_key(state.MAX_SIDE)]
    chosen = photo_set_controls(
        PLACE,
        most=MOST_PHOTOS,
        purpose=f"{max_side} px",
        prepare=partial(reduced_png, max_side=max_side),
        with_folder=True,
    )
    if st.session_state[_key(state.SOURCE)] != "samples":
        text = "Larger photos are reduced to this. Twice the side takes four times as long."
        work_size(_key(state.MAX_SIDE), SIDE_NAMES, text=text)
    models = controls.choose_models(_key(state.MODELS))
    attacks = _attacks()
    request: CompareRequest | None = None
    if not models:
        st.error("Choose one model or more.")
    elif chosen is not None and attacks is not None:
        batch = 1 if cache.device().type == "cpu" else 8
        request = _checked(CompareRequest(CompareRecipe(chosen[0], tuple(models), attacks, max_side, batch), chosen[1]))
    seconds = 0.0 if request is None else estimate_seconds(request.recipe)
    if seconds > LONG_SECONDS:
        st.warning(
            f"This takes about {spoken(seconds)}. Use fewer photos, steps or strengths to shorten it; the command line "
            "runs it without a browser and resumes after an interruption."
        )
    controls.run_button(
        "Run the comparison",
        key=f"{state.RUN}_compare",
        ready=request is not None,
        on_click=session.jobs().ask,
        note="" if request is None else f"Takes about {spoken(seconds)}.",
    )
    return request


def prepare() -> None:
    """Give the widgets their first values: those of the address, where it has any, else the defaults."""
    if state.is_prepared(_key(state.MODELS)):
        return
    controls.follow_address(_prepare, session.jobs)


def estimate_seconds(recipe: CompareRecipe) -> float:
    """Return how long a comparison will take on this server when nothing else runs."""
    pixels, cards = pixels_of(recipe.photos, recipe.max_side), cache.cards()
    attacks = [attack_calls(attack) for attack in recipe.attacks.grid()]
    speeds = [jobs_cache.speed(cards[stem].model, cards[stem].variant) for stem in recipe.models]
    costs = [speed.seconds(calls, pixels) for speed in speeds for calls in attacks]
    pictures = min(1.0, WORST / len(recipe.photos.names)) * max(costs)
    return sum(costs) + pictures + ROW_SECONDS * recipe.rows


def _prepare(parameters: dict[str, str]) -> None:
    attacks, models = read_attacks(parameters), _read_models(parameters)
    reading = read_reading(parameters, models)
    side = check_choice("max_side", parameters.get("max_side", str(state.DEFAULT_MAX_SIDE)), list(map(str, SIDE_NAMES)))
    if attacks.steps > max(STEP_CHOICES) or attacks.queries > max(QUERY_CHOICES):
        raise ConfigurationError(
            f"expected at most {max(STEP_CHOICES)} steps and {max(QUERY_CHOICES)} queries here, got more; "
            "use the command line"
        )
    prepare_photo_set(PLACE, parameters, samples=DEFAULT_PHOTOS, most=MOST_PHOTOS)
    state.prepare(
        {
            _key(state.MODELS): models,
            _key(session.ATTACKS_CHOSEN): list(attacks.names),
            _key(session.STRENGTHS): [round(state.LEVELS * value, 6) for value in attacks.strengths],
            _key(state.DIRECTION): attacks.direction,
            _key(state.STEPS): attacks.steps,
            _key(session.QUERIES): attacks.queries,
            _key(state.MAX_SIDE): int(side),
            _key(session.CONVENTION): reading.convention,
            _key(state.COMPARED_WITH): reading.baseline,
            _key(session.FIXED_LOW): reading.fixed.low,
            _key(session.FIXED_HIGH): reading.fixed.high,
        }
    )


def _read_models(parameters: dict[str, str]) -> list[str]:
    """Return the models of an address; without any the first one, and one that was hardened from it."""
    cards = cache.cards()
    if "models" in parameters:
        return [check_choice("a model", stem, cards) for stem in dict.fromkeys(parameters["models"].split(","))]
    first = next(iter(cards))
    return list(filter(None, [first, rival_of(first, cards)]))


def _attacks() -> AttackChoice | None:
    """Draw the widgets of the attacks; return what they choose, or None while that is nothing."""
    names: list[str] = st.multiselect(
        "Attacks",
        listed_attacks(),
        format_func=lambda name: attack_text(name).name,
        select_all=False,
        key=_key(session.ATTACKS_CHOSEN),
        persist_state="session",
        help="  \n".join(f"**{attack_text(name).name}**: {attack_text(name).help}" for name in listed_attacks()),
    )
    strengths = st.pills(
        "Strengths, in steps of 1/255",
        sorted({*STRENGTHS, *st.session_state[_key(session.STRENGTHS)]}),
        selection_mode="multi",
        format_func=lambda levels: f"{levels:g}",
        key=_key(session.STRENGTHS),
        persist_state="session",
        help=SETTINGS["eps"].help,
    )
    taken = {field.name for name in names for field in fields(ATTACKS[name])}
    _shared_settings(taken)
    try:
        return AttackChoice(
            tuple(names),
            tuple(sorted(levels / state.LEVELS for levels in strengths)),
            st.session_state[_key(state.DIRECTION)],
            st.session_state[_key(state.STEPS)],
            st.session_state[_key(session.QUERIES)],
        )
    except RobustIQAError as error:
        st.error(sentence(error))
        return None


def _shared_settings(taken: set[str]) -> None:
    """Draw the widgets of the settings that the chosen attacks have and share."""
    if "direction" in taken:
        st.segmented_control(
            "The score",
            [name for name in DIRECTION_NAMES if name != "towards"],
            format_func=DIRECTION_NAMES.__getitem__,
            key=_key(state.DIRECTION),
            required=True,
            width="stretch",
            persist_state="session",
            help="Raise it, lower it, or push it to the farther end of the model's usual range.",
        )
    for name, choices in (("steps", STEP_CHOICES), ("queries", QUERY_CHOICES)):
        if name in taken:
            st.select_slider(
                SETTINGS[name].label,
                sorted({*choices, st.session_state[_key(name)]}),
                key=_key(name),
                persist_state="session",
                help=SETTINGS[name].help,
            )


def _checked(request: CompareRequest) -> CompareRequest | None:
    """Return a request that is not too large for a page."""
    if request.recipe.rows <= MOST_ROWS:
        return request
    st.error(
        f"These are {request.recipe.rows} attacks, more than the {MOST_ROWS} that this page takes. Choose fewer, or "
        "use the command robustiqa evaluate."
    )
    return None


def _key(name: str) -> str:
    return f"{PLACE}{name}"
