"""Audit: is a model robust, or does it only look so? Questions with their answers and the figures behind them."""

import streamlit as st

from ui import audit_controls, audit_live, audit_view, cache, controls, job_view, pages, state

pages.through_app()

st.title("Audit", anchor=False)
if not cache.cards():
    st.error("There are no models in the folder checkpoints. Clone the repository with it, or train a model first.")
    st.stop()
audit_controls.prepare()
jobs = state.audit()

st.markdown(
    "A model can look robust because the attack on it failed. Each check here asks for one of the usual reasons, in "
    "plain words and with a figure."
)

with st.sidebar:
    request = audit_controls.audit_controls()

if jobs.asked and request is not None:
    audit_live.start(request)
audit_live.settle()
audit_live.restore(request)
job_view.draw_notice(jobs)

if jobs.active is not None:
    audit_live.follow()
    st.stop()

outcome = audit_live.outcome()
if outcome is None:
    audit_view.draw_invitation(request)
    st.stop()

st.query_params.from_dict(audit_view.address(outcome))
if request is not None and request.recipe != outcome.recipe:
    st.info(f"The controls have changed since this audit. {controls.press('Run the audit')} to see their findings.")
audit_view.draw_outcome(outcome)
