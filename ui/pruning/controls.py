"""The controls of pruning: widgets in, a frozen recipe and the slider's ratio out."""

import streamlit as st

from robustiqa_core.errors import RobustIQAError
from robustiqa_core.hardening import DISTILLATION
from robustiqa_core.models import ARCHITECTURES
from robustiqa_core.pruning import MAX_RATIO, SCOPES
from ui.hardening import live
from ui.hardening.data import data_name
from ui.hardening.texts import CRITERION_NAMES
from ui.jobs import cache as jobs_cache
from ui.jobs.estimate import spoken
from ui.pruning import session
from ui.pruning.job import estimate_seconds
from ui.pruning.recipe import SHORT_TUNING, PruningRecipe, read_recipe
from ui.pruning.texts import SCOPE_NAMES, criterion_help
from ui.shell import cache, controls, state
from ui.shell.glossary import WORDS
from ui.shell.markdown import sentence

PLACE = session.PREFIX
RATIO, CRITERION, SCOPE, TUNING = f"{PLACE}ratio", f"{PLACE}criterion", f"{PLACE}scope", f"{PLACE}tuning"
MORE = f"{PLACE}more"
"""Key of the sweep with one more ratio that was asked for."""


def prunable() -> list[str]:
    """Return the stems of the models that can be pruned: those with a checkpoint, not one's own."""
    kept = cache.named_models().cards()
    return [stem for stem, card in cache.cards().items() if card.model in ARCHITECTURES and stem not in kept]


def prepare() -> None:
    """Give the widgets their first values: those of the address, where it has any, else the defaults."""
    stems = prunable()
    if st.session_state.get(f"{PLACE}{state.MODEL}") in stems:
        return
    data = data_name(live.labelled())
    try:
        recipe, ratio = read_recipe(st.query_params.to_dict(), stems, data=data)
    except RobustIQAError as error:
        session.jobs().notice = state.Notice(
            "error", f"The address is not valid, so the default is shown. {sentence(error)}"
        )
        recipe, ratio = read_recipe({}, stems, data=data)
    st.session_state[f"{PLACE}{state.MODEL}"] = recipe.stem
    state.prepare(
        {
            RATIO: round(100 * ratio),
            CRITERION: recipe.criterion,
            SCOPE: recipe.scope,
            TUNING: recipe.epochs > 0,
        }
    )


def sliders() -> tuple[float, str]:
    """Draw the two controls above the plan; return the ratio and the criterion."""
    left, right = st.columns([4, 5], gap="medium")
    with left:
        st.slider(
            "Pruning ratio",
            min_value=0,
            max_value=round(100 * MAX_RATIO),
            format="%d %%",
            key=RATIO,
            persist_state="session",
            help=WORDS["Pruning ratio"],
        )
    with right:
        st.segmented_control(
            "Criterion: what makes a filter important",
            list(CRITERION_NAMES),
            format_func=CRITERION_NAMES.__getitem__,
            key=CRITERION,
            required=True,
            persist_state="session",
            help=criterion_help(),
        )
    return st.session_state[RATIO] / 100, st.session_state[CRITERION]


def sidebar() -> PruningRecipe:
    """Draw the controls beside the page; return the curve that they ask for, by the criterion above the plan."""
    stem = st.selectbox(
        "Model", prunable(), format_func=controls.model_title, key=f"{PLACE}{state.MODEL}", persist_state="session"
    )
    controls.explain_versions([stem])
    st.radio(
        "Where filters go",
        SCOPES,
        format_func=SCOPE_NAMES.__getitem__,
        key=SCOPE,
        persist_state="session",
        help="The same share of each layer is the usual choice. All layers together takes whole parts of a few layers.",
    )
    st.toggle(
        "Short tuning after pruning",
        key=TUNING,
        persist_state="session",
        help=f"{WORDS['Fine-tuning']} On: {SHORT_TUNING} epochs of all layers. Off shows what pruning alone does, in "
        "less time: it breaks most models.",
    )
    card = cache.cards()[stem]
    labelled = live.labelled()
    return PruningRecipe(
        card.model,
        card.variant,
        st.session_state[CRITERION],
        st.session_state[SCOPE],
        SHORT_TUNING if st.session_state[TUNING] else 0,
        data=DISTILLATION if labelled is None else labelled.name,
    )


def run_button(recipe: PruningRecipe) -> None:
    """Draw the button that runs the sweep, and how long that takes; the first time this is measured, for a second."""
    controls.run_button(
        "Run the sweep",
        key=f"{state.RUN}_pruning",
        ready=True,
        on_click=session.jobs().ask,
        note=f"Takes about {spoken(expected_seconds(recipe))}.",
    )


def expected_seconds(recipe: PruningRecipe) -> float:
    """Return how long a curve takes here when nothing of it is known yet and nothing else runs."""
    return estimate_seconds(recipe, jobs_cache.speed(recipe.model, recipe.variant))


def ask_for(recipe: PruningRecipe, ratio: float) -> None:
    """Request one more ratio for the curve that is shown."""
    jobs = session.jobs()
    jobs.ask()
    st.session_state[MORE] = recipe.with_ratio(ratio)


def asked_for(recipe: PruningRecipe) -> PruningRecipe:
    """Return the curve to measure now: with one more ratio, where that was asked for, else that of the controls."""
    more = st.session_state.pop(MORE, None)
    return more if isinstance(more, PruningRecipe) else recipe
