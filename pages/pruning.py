"""Pruning: which filters would be removed, and how that affects agreement, robustness and speed."""

import streamlit as st

from robustiqa_core.errors import RobustIQAError
from ui.jobs import page_job
from ui.pruning import controls as pruning_controls
from ui.pruning import keep, live, session, view
from ui.shell import controls, navigation
from ui.shell.markdown import sentence

navigation.through_app()

st.title("Pruning", anchor=False)
if not pruning_controls.prunable():
    st.error("There are no models in the folder checkpoints. Clone the whole repository, or train a model first.")
    st.stop()
pruning_controls.prepare()
jobs = session.jobs()

st.markdown(
    "Pruning removes the least important filters of a network to make it smaller and faster. Does it also become more "
    "robust? Choose a ratio and a criterion to see what would be removed, then measure the effect."
)
ratio, criterion = pruning_controls.sliders()
with st.sidebar:
    recipe = pruning_controls.sidebar()

if jobs.asked:
    live.start(pruning_controls.asked_for(recipe))
live.JOB.settle()
live.JOB.restore_named(None)
live.JOB.draw_notice()
outcome = live.JOB.result()
kept = {page_job.RESULT: live.kept_as(outcome.recipe)} if outcome is not None else {}
st.query_params.from_dict({**recipe.address(ratio), **kept})

if outcome is not None and jobs.active is None:
    view.draw_headline(outcome)
before, after = st.columns(2, gap="large")
with before:
    controls.small_header("Before: which filters would be removed", key="before")
    try:
        view.draw_plan(recipe, ratio, view.plan_at(recipe, ratio))
    except RobustIQAError as error:
        st.error(f"There is no plan. {sentence(error)}")
with st.sidebar:
    pruning_controls.run_button(recipe)
with after:
    controls.small_header("After: the effect of removing them", key="after")
    if jobs.active is not None:
        live.follow(view.draw_live)
    elif outcome is None:
        view.draw_invitation(recipe)
    else:
        if outcome.recipe.without_ratios != recipe:
            st.info(
                f"The controls have changed since this sweep. {controls.press('Run the sweep')} to measure what they "
                "ask for."
            )
        view.draw_curves(outcome.recipe, outcome.trials)

if outcome is not None and jobs.active is None:
    view.draw_findings(outcome)
    keep.draw_bake(outcome, ratio)
    view.draw_take_away(outcome)
