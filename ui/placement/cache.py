"""How long blocks take to build here."""

import streamlit as st

from robustiqa_core.blocks import BlockSettings, new_block, preview, with_build_time
from ui.shell import cache


@st.cache_data(max_entries=256, show_spinner=False)
def build_seconds(settings: BlockSettings, channels: int, side: int) -> float:
    """Return how long this server takes to build the kernel of a block on maps of so many channels and places."""
    block = new_block(settings, channels).to(cache.device())
    return with_build_time(preview(settings, channels, side, side), block, side, side).build_seconds or 0.0
