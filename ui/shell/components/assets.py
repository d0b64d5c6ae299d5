"""What every component needs: its three source files, and addresses for the pictures it shows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit import runtime


def component_from(folder: Path) -> Callable[..., Any]:
    """Register the component whose .html, .css and .js files lie in `folder`, and return what mounts it."""
    html, css, js = ((folder / f"{folder.name}{ending}").read_text("utf-8") for ending in (".html", ".css", ".js"))
    return st.components.v2.component(f"robustiqa_{folder.name}", html=html, css=css, js=js)


def png_address(png: bytes, *, place: str) -> str:
    """Return an address under which the browser gets exactly these bytes, as long as the page shows them.

    Streamlit keeps the bytes until a full run of the script no longer asks for them.

    Args:
        png: an encoded PNG.
        place: unique name of the spot on the page that shows it; what it showed before is dropped.
    """
    if not runtime.exists():
        return ""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    address = runtime.get_instance().media_file_mgr.add(png, "image/png", f"robustiqa-{place}")
    return f"/{base}{address}" if base else address
