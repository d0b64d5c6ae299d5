"""The address of what a page shows, to be copied."""

from collections.abc import Mapping
from urllib.parse import urlencode

import streamlit as st

NOT_YOUR_PHOTOS = "No address contains your photos or their result: they stay on this machine while this page is open."
KEPT_AN_HOUR = "It is kept for an hour after the last visit and recomputed after that."


def draw_share(noun: str, parameters: Mapping[str, str], note: str = "", *, own_photos: bool = False) -> None:
    """Draw a button that shows the address of a result, with a button there that copies it.

    Args:
        noun: what the address opens again, such as `comparison`.
        parameters: of the address; none for the page itself.
        note: what somebody who passes the address on should know.
        own_photos: whether the result is of the visitor's own photos, which no address can open again.
    """
    query = f"?{urlencode(parameters)}" if parameters else ""
    with st.popover("Share", icon=":material/link:"):
        what = "the same settings on a sample photo" if own_photos else f"the same {noun}"
        st.markdown(f"This address opens {what}:")
        st.code(f"{st.context.url or ''}{query}", language=None, wrap_lines=True)
        if note or own_photos:
            st.caption(note or NOT_YOUR_PHOTOS)
