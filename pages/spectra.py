"""Spectra: which frequencies an attack uses, which ones move a model, and how a change grows through its layers."""

import streamlit as st

from ui.shell import cache, controls, navigation
from ui.spectra import controls as spectra_controls
from ui.spectra import live, session
from ui.spectra import view as spectra_view

navigation.through_app()

st.title("Spectra", anchor=False)
if not cache.cards():
    st.error("There are no models in the folder checkpoints. Clone the whole repository, or train a model first.")
    st.stop()
spectra_controls.prepare()
view = spectra_view.choose()
jobs = session.jobs(view)

with st.sidebar:
    request = spectra_controls.spectra_controls(view)

live.restore(view, request)
live.greet(view, request)
if jobs.asked and request is not None:
    live.start(request)
live.job(view).settle()
live.job(view).draw_notice()

if jobs.active is not None:
    live.follow(view)
    st.stop()

outcome = live.job(view).result()
if outcome is None:
    if request is not None:
        st.query_params.from_dict(request.recipe.address())
    spectra_view.draw_invitation(request)
    st.stop()

st.query_params.from_dict(spectra_view.address(outcome))
if request is not None and request.recipe != outcome.ran.recipe:
    st.info(f"The controls have changed since this run. {controls.press('Run the measurement')} to see their result.")
spectra_view.draw_outcome(outcome)
