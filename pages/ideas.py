"""Ideas: three small demonstrations of what is behind attacks and the defence, each with a question at its end."""

import streamlit as st

from ui import charts, ideas_controls, ideas_view, pages
from ui.ideas_figures import SIDES
from ui.markdown import plain

pages.through_app()

st.title("Ideas", anchor=False)
st.markdown(
    "Three ideas are behind all that this app shows. Move the sliders; everything is computed at once. "
    "Each ends with a question."
)
wrong = ideas_controls.complaints(st.query_params.to_dict(), SIDES)
if wrong:
    st.error(f"The address could not be followed, the defaults are shown. {plain(' '.join(wrong))}")

ideas_view.draw_lipschitz()
st.divider()
ideas_view.draw_orthogonal()
st.divider()
ideas_view.draw_regression()
st.divider()
charts.format_control()
