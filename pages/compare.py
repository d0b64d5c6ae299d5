"""Compare: a set of photos, models, attacks and strengths; curves, scores, figures and worst cases."""

import streamlit as st

from ui.compare import controls as compare_controls
from ui.compare import live, session, view
from ui.shell import cache, controls, navigation

navigation.through_app()

st.title("Compare", anchor=False)
if not cache.cards():
    st.error("There are no models in the folder checkpoints. Clone the whole repository, or train a model first.")
    st.stop()
compare_controls.prepare()
jobs = session.jobs()

st.markdown(
    "One photo proves little. Attack several with the same settings and see how far each model's scores move, compared "
    "with random noise of the same size."
)

with st.sidebar:
    request = compare_controls.compare_controls()

live.JOB.restore_named(None if request is None else request.recipe)
live.greet(request)
if jobs.asked and request is not None:
    live.start(request)
live.JOB.settle()
live.JOB.draw_notice()

if jobs.active is not None:
    live.follow()
    st.stop()

outcome = live.JOB.result()
if outcome is None:
    view.draw_invitation(request)
    st.stop()

if request is not None and request.recipe != outcome.recipe:
    st.info(
        f"The controls have changed since this comparison. {controls.press('Run the comparison')} to see their result."
    )
view.draw_outcome(outcome)
