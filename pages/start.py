"""Start: the app in three pictures, one result computed on the spot, and where to go next."""

import streamlit as st

from ui.shell import cache, navigation
from ui.start import live, session, view

navigation.through_app()

view.follow_old_address()

st.title("Can a photo fool the model that rates it?", anchor=False)
st.markdown(
    "Cameras, video services and image generators ask networks how good a photo looks. Here you see how easily such a "
    "score can be faked, what helps against it, and how much."
)
view.draw_pictures()

st.header("Live, on this machine", anchor=False)
if not cache.cards():
    st.error("There are no models in the folder checkpoints. Clone the whole repository, or train a model first.")
    st.stop()
jobs = session.jobs()
live.settle()
if jobs.asked:
    live.start(live.start_recipe(cache.cards()))
live.JOB.draw_notice()

outcome = live.JOB.result()
if jobs.active is not None:
    live.JOB.follow()
elif outcome is not None:
    view.draw_outcome(outcome)
else:
    st.button("Compute it", key="start_again", icon=":material/replay:", on_click=jobs.ask)

view.draw_ways_on()
