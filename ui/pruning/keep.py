"""Bake and keep: which of the measured models, what is wrong with it, and its name for every page."""

import streamlit as st

from ui.hardening.keep import draw_keep
from ui.pruning import session
from ui.pruning.controls import ask_for
from ui.pruning.job import PruningOutcome
from ui.pruning.texts import point_of, symptoms
from ui.shell.glossary import WORDS
from ui.shell.markdown import plain

PLACE = session.PREFIX


def draw_bake(outcome: PruningOutcome, ratio: float) -> None:
    """Draw the choice of a measured ratio, the known failures of that model, and what keeps it.

    Args:
        outcome: of the sweep.
        ratio: where the slider stands; one that was not measured can be.
    """
    st.subheader("Bake and keep", anchor=False, help=WORDS["Baking"])
    trials = {trial.recipe.pruning.ratio: trial for trial in outcome.trials if trial.removed}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if trials:
            chosen = st.selectbox(
                "Pruned model",
                list(trials),
                format_func=lambda value: f"{100 * value:g} % pruned",
                index=min(range(len(trials)), key=lambda place: abs(list(trials)[place] - ratio)),
                key=f"{PLACE}keep_{len(trials)}_{ratio:g}",
                width=220,
            )
        if ratio and ratio not in outcome.recipe.ratios:
            st.button(
                f"Measure {100 * ratio:g} % too",
                key=f"{PLACE}measure",
                icon=":material/add:",
                on_click=ask_for,
                args=(outcome.recipe, ratio),
                help="The ratio where the slider stands has no point on the curve yet.",
            )
    if not trials:
        st.caption("No filter went at these ratios. Choose a larger one.")
        return
    trial = trials[chosen]
    for symptom in symptoms(point_of(trial)):
        st.warning(f"**{plain(symptom.what)}**  \n{plain(symptom.cause)} {plain(symptom.advice)}")
    draw_keep(trial, place=PLACE, name=f"pruned-{100 * chosen:g}")
