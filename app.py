"""RobustIQA: see how adversarial attacks fool image-quality models. Started with `streamlit run app.py`."""

from pathlib import Path

import streamlit as st

BRAND = Path(__file__).parent / "assets" / "brand"

st.set_page_config(page_title="RobustIQA", page_icon=str(BRAND / "icon.svg"), layout="wide")
st.logo(str(BRAND / "wordmark.svg"), size="large", icon_image=str(BRAND / "icon.svg"))
st.navigation(
    [
        st.Page("pages/attack_lab.py", title="Attack lab", icon=":material/experiment:", default=True),
        st.Page("pages/about.py", title="How it works", icon=":material/menu_book:", url_path="how-it-works"),
    ],
    position="top",
).run()
