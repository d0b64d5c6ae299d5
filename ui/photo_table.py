"""The table of several attacked photos, from which one is opened in full."""

import base64
import statistics
from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from robustiqa_core.images import decode_image, preview_png
from robustiqa_core.models.card import ModelCard
from ui import cache, controls, duel_texts, state
from ui.attack_texts import attack_words
from ui.duel_texts import Duel
from ui.lab_job import LabOutcome
from ui.model_texts import model_name

_THUMBNAIL_SIDE = 96


def draw_table(outcome: LabOutcome) -> int:
    """Draw the photos with their scores; return the place of the one that is open.

    Args:
        outcome: of several photos.
    """
    recipe = outcome.recipe
    names = [cache.samples()[photo.name].title if photo.source == "sample" else photo.name for photo in recipe.photos]
    _draw_header(outcome)
    chosen = st.dataframe(
        _columns(outcome, names),
        key="photo_table",
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        row_height=56,
        column_config={
            "": st.column_config.ImageColumn(width=64),
            "Photo": st.column_config.TextColumn(width=150),
            **_column_config(outcome),
        },
        alt=f"The scores of {len(names)} photos before and after the attack",
    )
    st.caption(
        "Scores are in each model's own unit, higher = better photo. The gain is the change as a share of the model's "
        "own usual range; 0 = robust. The last row is the mean of the photos. "
        "Select a row, or choose below, to open a photo in full."
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
        st.session_state[state.OPENED] = rows[0]
    st.session_state["photo_row"] = rows[0] if rows else None
    if not 0 <= (st.session_state.get(state.OPENED) or 0) < len(names):
        st.session_state[state.OPENED] = 0
    place: int = st.selectbox(
        "Open in full", range(len(names)), format_func=names.__getitem__, key=state.OPENED, persist_state="session"
    )
    return place


def _columns(outcome: LabOutcome, names: list[str]) -> dict[str, list[object]]:
    """Return the table by column: picture, name, and each model's clean score, attacked score and gain, with means."""
    thumbnails: list[object] = [*(_address(photo.runs[0].clean_png) for photo in outcome.photos), None]
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


def _column_config(outcome: LabOutcome) -> dict[str, ColumnConfig]:
    """Return how the columns of figures look: narrow enough that those of two models are on a screen of 1280 px."""
    config: dict[str, ColumnConfig] = {}
    for stem, short in zip(outcome.recipe.stems, short_names(outcome.recipe.stems, cache.cards()), strict=True):
        title = controls.model_title(stem)
        for figure, format_ in (("Clean", "%.3f"), ("Attacked", "%.3f"), ("Gain", "%+.0f %%")):
            name = f"{figure}: {title}"
            config[name] = st.column_config.NumberColumn(f"{figure}, {short}", format=format_, width=104, help=name)
    return config


def short_names(stems: Sequence[str], cards: Mapping[str, ModelCard]) -> list[str]:
    """Return what tells the models of a run apart: the version where they are of one architecture, else that."""
    names = [model_name(cards[stem]) for stem in stems]
    return [cards[stem].variant for stem in stems] if len(set(names)) < len(names) else names


def _draw_header(outcome: LabOutcome) -> None:
    """Draw what was done, and with two models what follows for them: that one is broken comes first."""
    recipe = outcome.recipe
    done = f"{len(recipe.photos)} photos, attacked one by one ({attack_words(recipe.attack)})"
    cards = [cache.cards()[stem] for stem in recipe.stems]
    if len(cards) == 1:
        st.header(done, anchor=False)
        return
    duels = [Duel.of(photo, cards) for photo in outcome.photos]
    lost = duel_texts.broken_models(duels[0])
    st.header(lost or done, anchor=False)
    if lost:
        st.subheader(done, anchor=False)
    st.markdown(duel_texts.conclusion_of_several(duels))


@st.cache_data(max_entries=64, show_spinner=False, scope="session")
def _address(png: bytes) -> str:
    """Return a small picture as an address that holds it."""
    small = preview_png(decode_image(png).images, _THUMBNAIL_SIDE)
    return "data:image/png;base64," + base64.b64encode(small).decode("ascii")
