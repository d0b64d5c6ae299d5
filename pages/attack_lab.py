"""Attack lab: choose a photo, a model and an attack, and watch the score change while the photo looks the same."""

import streamlit as st

from ui.lab import controls, live, result, session, sweep_view
from ui.shell import cache, navigation
from ui.shell import controls as shell_controls

navigation.through_app()

st.title("Attack lab", anchor=False)
if not cache.cards():
    st.error("There are no models in the folder checkpoints. Clone the whole repository, or train a model first.")
    st.stop()
controls.prepare()
lab = session.jobs()

st.markdown(
    "A quality model says how good a photo looks. Change the photo so little that it is hard to see, and watch the "
    "model change its mind."
)

with st.sidebar:
    request = controls.attack_controls()
    if request is not None:
        live.warn_if_long(request)

live.rejoin(request)
if lab.asked and request is not None:
    live.start(request.recipe)
live.JOB.settle()
live.restore()

live.JOB.draw_notice()
if lab.active is not None or lab.shown is not None:
    st.query_params.from_dict({**live.address(), **sweep_view.address()})

if lab.active is not None:
    live.JOB.follow()
    st.stop()

outcome = live.JOB.result()
if outcome is None:
    st.markdown(f"There is no result to show yet. Choose a photo. {shell_controls.press('Run the attack')}.")
    st.stop()

if request is not None and request.recipe != outcome.recipe:
    st.info(f"The controls have changed since this run. {shell_controls.press('Run the attack')} to see their result.")
result.draw_lab(outcome, key=str(lab.shown))
