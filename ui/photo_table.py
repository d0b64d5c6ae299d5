"""The table of several attacked photos, from which one is opened in full."""

import base64

import streamlit as st

from robustiqa_core.images import decode_image, preview_png
from ui import cache, controls, state
from ui.lab_job import LabOutcome

_THUMBNAIL_SIDE = 96


def draw_table(outcome: LabOutcome) -> int:
    """Draw the photos with their scores; return the place of the one that is open.

    Args:
        outcome: of several photos.
    """
    recipe = outcome.recipe
    names = [cache.samples()[photo.name].title if photo.source == "sample" else photo.name for photo in recipe.photos]
    st.header(f"{len(names)} photos, attacked one by one", anchor=False)
    chosen = st.dataframe(
        _columns(outcome, names),
        key="photo_table",
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        row_height=56,
        column_config={
            "": st.column_config.ImageColumn(width="small"),
            "Photo": st.column_config.TextColumn(width="medium"),
            **{
                name: st.column_config.NumberColumn(format="%+.0f %%")
                for name in _columns(outcome, names)
                if name.startswith("Gain")
            },
        },
        alt=f"The scores of {len(names)} photos before and after the attack",
    )
    st.caption(
        "Scores are in each model's own unit, higher = better photo. The gain is the change as a share of the model's "
        "own range; 0 = robust. Select a row, or choose below, to open a photo in full."
    )
    if st.button("More photos, attacks and strengths at once", key="to_compare", icon=":material/query_stats:"):
        photos = ",".join(photo.name for photo in recipe.photos if photo.source == "sample")
        st.switch_page(
            "pages/compare.py",
            query_params={"models": ",".join(recipe.stems), **({"photos": photos} if photos else {})},
        )
    rows = chosen["selection"]["rows"] if chosen else []
    if rows and st.session_state.get("photo_row") != rows[0]:
        st.session_state[state.OPENED] = rows[0]
    st.session_state["photo_row"] = rows[0] if rows else None
    if not 0 <= (st.session_state.get(state.OPENED) or 0) < len(names):
        st.session_state[state.OPENED] = 0
    place: int = st.selectbox(
        "Open in full", range(len(names)), format_func=names.__getitem__, key=state.OPENED, persist_state="session"
    )
    return place


def _columns(outcome: LabOutcome, names: list[str]) -> dict[str, list[object]]:
    """Return the table by column: thumbnail, name, and for each model clean score, attacked score and gain."""
    thumbnails: list[object] = [_address(photo.runs[0].clean_png) for photo in outcome.photos]
    columns: dict[str, list[object]] = {"": thumbnails, "Photo": list(names)}
    for number, stem in enumerate(outcome.recipe.stems):
        title, band = controls.model_title(stem), cache.cards()[stem].score_range
        reports = [photo.runs[number].report for photo in outcome.photos]
        columns[f"Clean: {title}"] = [round(report.clean_score, 3) for report in reports]
        columns[f"Attacked: {title}"] = [round(report.rounded_score, 3) for report in reports]
        columns[f"Gain: {title}"] = [100 * report.gain / band.width for report in reports]
    return columns


@st.cache_data(max_entries=64, show_spinner=False, scope="session")
def _address(png: bytes) -> str:
    """Return a small picture as an address that holds it."""
    small = preview_png(decode_image(png).images, _THUMBNAIL_SIDE)
    return "data:image/png;base64," + base64.b64encode(small).decode("ascii")
