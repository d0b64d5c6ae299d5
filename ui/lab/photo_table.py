"""The table of several attacked photos, from which one is opened in full."""

import base64
import statistics

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from robustiqa_core.images.photo import decode_image, preview_png
from ui.attacks.batch_job import BatchOutcome
from ui.attacks.texts import attack_words
from ui.lab import duel, session
from ui.lab.duel import Duel
from ui.photos import cache as photo_cache
from ui.shell import cache, controls
from ui.shell.markdown import plain

_THUMBNAIL_SIDE = 96


def draw_table(outcome: BatchOutcome) -> int:
    """Draw the photos with their scores; return the place of the one that is open.

    Args:
        outcome: of several photos.
    """
    recipe = outcome.recipe
    names = [
        photo_cache.samples()[photo.name].title if photo.source == "sample" else photo.name for photo in recipe.photos
    ]
    _draw_header(outcome)
    chosen = st.dataframe(
        _columns(outcome, names),
        key="photo_table",
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        row_height=56,
        column_config={
            "": st.column_config.ImageColumn(width=60),
            "Photo": st.column_config.TextColumn(width=144),
            **_column_config(outcome),
        },
        alt=f"The scores of {len(names)} photos before and after the attack",
    )
    st.caption(
        f"{_legend(outcome)}Scores are in each model's own unit, higher = better photo. The gain is the change as a "
        "share of the model's own usual range; 0 = robust. The last row is the mean over the photos. Select a row, or "
        "choose below, to open a photo."
    )
    if st.button("More photos, attacks and strengths at once", key="to_compare", icon=":material/query_stats:"):
        photos = ",".join(photo.name for photo in recipe.photos if photo.source == "sample")
        st.switch_page(
            "pages/compare.py",
            query_params={"models": ",".join(recipe.stems), **({"photos": photos} if photos else {})},
        )
    # The last row is that of the means: there is no photo to open.
    rows = [row for row in chosen["selection"]["rows"] if row < len(names)] if chosen else []
    if rows and st.session_state.get("photo_row") != rows[0]:
        st.session_state[session.OPENED] = rows[0]
    st.session_state["photo_row"] = rows[0] if rows else None
    if not 0 <= (st.session_state.get(session.OPENED) or 0) < len(names):
        st.session_state[session.OPENED] = 0
    place: int = st.selectbox(
        "Open in full", range(len(names)), format_func=names.__getitem__, key=session.OPENED, persist_state="session"
    )
    return place


def _columns(outcome: BatchOutcome, names: list[str]) -> dict[str, list[object]]:
    """Return the table by column: picture, name, and each model's clean score, attacked score and gain, with means."""
    thumbnails: list[object] = [*(_address(photo.runs[0].clean_png) for photo in outcome.photos), ""]
    columns: dict[str, list[object]] = {"": thumbnails, "Photo": [*names, "Mean"]}
    for number, stem in enumerate(outcome.recipe.stems):
        title, band = controls.model_title(stem), cache.cards()[stem].score_range
        reports = [photo.runs[number].report for photo in outcome.photos]
        columns[f"Clean: {title}"] = _with_mean([report.clean_score for report in reports], digits=3)
        columns[f"Attacked: {title}"] = _with_mean([report.rounded_score for report in reports], digits=3)
        columns[f"Gain: {title}"] = _with_mean([100 * report.gain / band.width for report in reports])
    return columns


def _with_mean(values: list[float], *, digits: int | None = None) -> list[object]:
    found = [*values, statistics.fmean(values)]
    return list(found if digits is None else [round(value, digits) for value in found])


def _column_config(outcome: BatchOutcome) -> dict[str, ColumnConfig]:
    """Return how the columns of figures look: narrow enough that those of two models are on a screen of 1280 px."""
    stems, config = outcome.recipe.stems, dict[str, ColumnConfig]()
    for number, stem in enumerate(stems, 1):
        for figure, format_ in (("Clean", "%.3f"), ("Attacked", "%.3f"), ("Gain", "%+.0f %%")):
            name = f"{figure}: {controls.model_title(stem)}"
            label = figure if len(stems) == 1 else f"{figure} {number}"
            config[name] = st.column_config.NumberColumn(label, format=format_, width=90, help=name)
    return config


def _legend(outcome: BatchOutcome) -> str:
    """Return which model each number at the head of a column stands for; nothing where there is one model."""
    stems = outcome.recipe.stems
    if len(stems) == 1:
        return ""
    names = "; ".join(f"**{number}** is {plain(controls.model_title(stem))}" for number, stem in enumerate(stems, 1))
    return f"{names}. "


def _draw_header(outcome: BatchOutcome) -> None:
    """Draw what was done, and with two models what follows for them: that one is broken comes first."""
    recipe = outcome.recipe
    done = f"{len(recipe.photos)} photos, attacked one by one ({attack_words(recipe.attack)})"
    cards = [cache.cards()[stem] for stem in recipe.stems]
    if len(cards) == 1:
        st.header(done, anchor=False)
        return
    duels = [Duel.of(photo, cards) for photo in outcome.photos]
    lost = duel.broken_models(duels[0])
    st.header(lost or done, anchor=False)
    if lost:
        st.subheader(done, anchor=False)
    st.markdown(duel.conclusion_of_several(duels))


@st.cache_data(max_entries=64, show_spinner=False, scope="session")
def _address(png: bytes) -> str:
    """Return a small picture as an address that holds it."""
    small = preview_png(decode_image(png).images, _THUMBNAIL_SIDE)
    return "data:image/png;base64," + base64.b64encode(small).decode("ascii")
