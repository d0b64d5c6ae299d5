"""Attack lab: choose a photo, a model and an attack, and watch the score change while the photo looks the same."""

import streamlit as st

from ui import cache, controls, live, result, state

st.title("Attack lab", anchor=False)
if not cache.cards():
    st.error("There are no models in the folder checkpoints. Clone the repository with it, or train a model first.")
    st.stop()
controls.prepare()
lab = state.lab()

st.markdown(
    "A quality model says how good a photo looks. Change the photo so little that nobody sees it, and watch the model "
    "change its mind."
)

with st.sidebar:
    request = controls.attack_controls()
    if request is not None:
        live.warn_if_long(request)

if lab.asked and request is not None:
    live.start(request)
live.settle()
live.restore()

if lab.notice is not None:
    (st.error if lab.notice.kind == "error" else st.info)(lab.notice.text)

if lab.active is not None:
    live.follow()
    st.stop()

shown = live.shown_outcome()
if shown is None:
    st.markdown("There is no result to show yet. Choose a photo and press **Run the attack**.")
    st.stop()

outcome, points = shown
st.query_params.from_dict(outcome.recipe.address())
if request is not None and request.recipe != outcome.recipe:
    st.info("The controls have changed since this run. Press **Run the attack** to see their result.")
result.draw_result(outcome, points, key=str(lab.shown))
