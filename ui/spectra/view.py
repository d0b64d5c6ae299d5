"""The frame of the page of spectra: which view, what stands above and below its figures."""

from functools import partial

import streamlit as st

from ui.jobs import page_job
from ui.jobs.estimate import spoken
from ui.shell import cache, charts, controls
from ui.shell.glossary import WORDS
from ui.shell.sharing import draw_share
from ui.spectra import layers_view, perturbation_view, sensitivity_view, session
from ui.spectra.controls import SpectraRequest, estimate_seconds
from ui.spectra.files import outcome_csv, outcome_json
from ui.spectra.outcome import LayersOutcome, PerturbationOutcome, SensitivityOutcome, SpectraOutcome
from ui.spectra.recipe import VIEWS, SpectraRecipe, View
from ui.spectra.texts import QUESTIONS, VIEW_NAMES

_WORDS: dict[View, tuple[str, ...]] = {
    "perturbation": ("Spectrum", "Cycles per pixel", "White noise", "Root mean square", "Luma and chroma", "Flow"),
    "sensitivity": ("Cycles per pixel", "Root mean square"),
    "layers": ("White noise", "Largest singular value", "Paper's ratio"),
}
"""Of the glossary, by view."""


def choose() -> View:
    """Draw the switch between the views; return the one that is open. Only that one computes."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "What to look at",
            VIEWS,
            format_func=VIEW_NAMES.__getitem__,
            key=f"{session.PREFIX}{session.VIEW}",
            required=True,
            persist_state="session",
        )
        view: View = st.session_state[f"{session.PREFIX}{session.VIEW}"]
        with st.popover("What the words mean", icon=":material/menu_book:"):
            st.markdown("\n\n".join(f"**{word}**: {WORDS[word]}" for word in _WORDS[view]))
    st.markdown(QUESTIONS[view])
    return view


def draw_invitation(request: SpectraRequest | None) -> None:
    """Say what a run does and how long it takes, where there is none to show."""
    if request is None:
        return
    recipe = request.recipe
    photos, models = len(recipe.photos.names), len(recipe.models)
    st.markdown(
        f"With the settings chosen here, {photos} photo{'' if photos == 1 else 's'} and {models} "
        f"model{'' if models == 1 else 's'} take **about {spoken(estimate_seconds(recipe))}** on this machine when "
        f"nothing else runs. You may cancel at any time. {controls.press('Run the measurement')}."
    )


def draw_outcome(outcome: SpectraOutcome) -> None:
    """Draw everything about a finished run."""
    match outcome:
        case PerturbationOutcome():
            perturbation_view.draw(outcome)
        case SensitivityOutcome():
            sensitivity_view.draw(outcome)
        case LayersOutcome():
            layers_view.draw(outcome)
    _take_away(outcome)


def address(outcome: SpectraOutcome) -> dict[str, str]:
    """Return the query parameters that open what is on the page."""
    recipe = outcome.ran.recipe
    key = kept_as(recipe)
    return {**recipe.address(), **({} if key is None else {page_job.RESULT: key})}


def kept_as(recipe: SpectraRecipe) -> str | None:
    """Return the key under which a result is kept for everybody; None where its photos are a visitor's own."""
    return recipe.key([cache.weights(stem) for stem in recipe.models]) if recipe.photos.public else None


def _take_away(outcome: SpectraOutcome) -> None:
    ran = outcome.ran
    stem = f"spectra-{ran.recipe.question.view}"
    charts.format_control()
    with st.container(horizontal=True):
        for label, ending, mime, make in (
            ("Numbers (CSV)", "csv", "text/csv", outcome_csv),
            ("Numbers (JSON)", "json", "application/json", outcome_json),
        ):
            st.download_button(
                label,
                partial(make, outcome),
                f"{stem}.{ending}",
                mime,
                key=f"{stem}_{ending}",
                on_click="ignore",
                icon=":material/download:",
            )
        draw_share("view, with the same numbers", address(outcome), own_photos=not ran.recipe.photos.public)
    st.caption(f"Computed on {ran.device} in {ran.seconds:.1f} s.")
    st.markdown("**The same numbers from the command line**")
    st.code(ran.command, language=None, wrap_lines=True)
