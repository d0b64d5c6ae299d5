"""Start: what this is in three pictures, one result computed here and now, and where to go next."""

import streamlit as st

from ui import cache, job_view, pages, start_live, start_view, state

pages.through_app()

start_view.follow_old_address()

st.title("Can a photo fool the model that rates it?", anchor=False)
st.markdown(
    "Cameras, video services and image generators ask networks how good a photo looks. Here you see how easily such a "
    "score is faked, what helps against it, and how much."
)
start_view.draw_pictures()

st.header("Live, on this machine", anchor=False)
if not cache.cards():
    st.error("There are no models in the folder checkpoints. Clone the repository with it, or train a model first.")
    st.stop()
jobs = state.start()
start_live.settle()
if jobs.asked:
    start_live.start(start_live.start_recipe(cache.cards()))
job_view.draw_notice(jobs)

outcome = start_live.outcome()
if jobs.active is not None:
    start_live.follow()
elif outcome is not None:
    start_view.draw_outcome(outcome)
else:
    st.button("Compute it", key="start_again", icon=":material/replay:", on_click=jobs.ask)

start_view.draw_ways_on()
