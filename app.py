"""RobustIQA: see how adversarial attacks fool image-quality models. Started with `streamlit run app.py`."""

from pathlib import Path

import streamlit as st

from ui.shell import navigation, unusable_models

BRAND = Path(__file__).parent / "assets" / "brand"

# The icon first: without one, the browser would ask Google's servers for that of the page.
st.set_page_config(page_icon=str(BRAND / "icon.svg"), layout="wide")
page = st.navigation(navigation.navigation(), position="top")
st.set_page_config(page_title=f"{page.title} - RobustIQA")
st.logo(str(BRAND / "wordmark.svg"), size="large", icon_image=str(BRAND / "icon.svg"))
st.html(Path(__file__).parent / "ui" / "controls.css")
unusable_models.draw()
page.run()
