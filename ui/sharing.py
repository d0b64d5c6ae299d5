"""The address of what a page shows, to be copied."""

from collections.abc import Mapping
from urllib.parse import urlencode

import streamlit as st

NOT_YOUR_PHOTOS = (
    "Your photos are not part of it: the address opens these settings on sample photos. The result of your photos ends "
    "when you close or reload this page."
)
KEPT_AN_HOUR = "It is kept here for an hour after somebody looked at it, and computed again after that."


def draw_share(noun: str, parameters: Mapping[str, str], note: str = "") -> None:
    """Draw a button that shows the address of a result, with a button there that copies it.

    Args:
        noun: what the address opens again, such as `comparison`.
        parameters: of the address; none for the page itself.
        note: what somebody who passes the address on should know.
    """
    query = f"?{urlencode(parameters)}" if parameters else ""
    with st.popover("Share", icon=":material/link:"):
        st.markdown(f"This address opens the same {noun}:")
        st.code(f"{st.context.url or ''}{query}", language=None, wrap_lines=True)
        if note:
            st.caption(note)
