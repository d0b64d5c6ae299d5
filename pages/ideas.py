"""Ideas: three small demonstrations of how attacks and the defence work, each ending with a question."""

import streamlit as st

from ui.attacks.growth import SIDES
from ui.ideas import controls, view
from ui.shell import charts, navigation
from ui.shell.markdown import plain

navigation.through_app()

st.title("Ideas", anchor=False)
st.markdown(
    "Three ideas explain everything in this app. Move the sliders; results update at once. Each ends with a question."
)
wrong = controls.complaints(st.query_params.to_dict(), SIDES)
if wrong:
    st.error(f"The address is not valid, so the defaults are shown. {plain(' '.join(wrong))}")

view.draw_lipschitz()
st.divider()
view.draw_orthogonal()
st.divider()
view.draw_regression()
st.divider()
charts.format_control()
