"""Audit: is a model robust, or does it only look so? Questions with their answers and the figures behind them."""

import streamlit as st

from ui.audit import controls as audit_controls
from ui.audit import live, session, view
from ui.shell import cache, controls, navigation

navigation.through_app()

st.title("Audit", anchor=False)
if not cache.cards():
    st.error("There are no models in the folder checkpoints. Clone the whole repository, or train a model first.")
    st.stop()
audit_controls.prepare()
jobs = session.jobs()

st.markdown(
    "A model can look robust because the attack on it failed. Each check here tests one common reason and shows the "
    "measurement behind its answer."
)

with st.sidebar:
    request = audit_controls.audit_controls()

if jobs.asked and request is not None:
    live.start(request)
live.JOB.settle()
live.JOB.restore_named(None if request is None else request.recipe)
live.JOB.draw_notice()

if jobs.active is not None:
    live.follow()
    st.stop()

outcome = live.JOB.result()
if outcome is None:
    view.draw_invitation(request)
    st.stop()

st.query_params.from_dict(view.address(outcome))
if request is not None and request.recipe != outcome.recipe:
    st.info(f"The controls have changed since this audit. {controls.press('Run the audit')} to see their findings.")
view.draw_outcome(outcome)
