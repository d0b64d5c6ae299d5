"""Block placement: insert a block into a model, fine-tune it on the spot, and see what changes."""

from functools import partial

import streamlit as st

from ui.hardening import live
from ui.placement import ahead, session, view
from ui.placement import controls as placement_controls
from ui.placement import live as placement_live
from ui.shell import controls, navigation

navigation.through_app()

st.title("Block placement", anchor=False)
if not live.baselines():
    st.error("There are no models in the folder checkpoints. Clone the whole repository, or train a model first.")
    st.stop()
placement_controls.prepare()
jobs = session.jobs()

st.markdown(
    f"Choose a place in the model and a RobustBlock for it. {controls.press('Harden')}: a copy with the block is "
    "fine-tuned on this server, then attacked alongside the baseline."
)
live.draw_way()
# The running job and its result come first: that is where visitors look after pressing the button.
above = st.container()

with st.sidebar:
    model = placement_controls.model_control()
points = placement_controls.points_of(model)
probe = placement_live.measured(model)
left, right = st.columns([3, 2], gap="medium")
with right:
    block = placement_controls.block_controls(points)
    if block is not None:
        view.draw_cost(block, points, probe)
    if probe is None:
        placement_live.follow()
with left:
    view.draw_diagram(points, model, probe)
with st.sidebar:
    placement_controls.tuning_controls()
    recipe = placement_controls.recipe_of(model, block)
    placement_controls.run_control(recipe)
    if jobs.active is None and not jobs.asked and recipe is not None and probe is not None:
        ahead.keep_ready(recipe)
        ahead.follow()

if jobs.asked and recipe is not None:
    placement_live.JOB.start(recipe, partial(live.prepare, recipe))
placement_live.JOB.settle()
live.restore(placement_live.JOB)
view.note_as_mine(jobs.shown)

trial = placement_live.JOB.result()
is_shown = jobs.active is None and trial is not None and trial.recipe.model == model
with above:
    view.draw_notice()
    if jobs.active is not None:
        placement_live.JOB.follow()
        placement_live.JOB.draw_away()
    elif trial is not None and is_shown:
        st.query_params.from_dict(live.address(trial.recipe))
        if recipe is not None and recipe != trial.recipe:
            st.info(f"The controls have changed since this trial. {controls.press('Harden')} to see their result.")
        view.draw_summary(trial)
if trial is not None and is_shown:
    view.draw_trial(trial)
view.draw_trials(model, jobs.shown)
