"""The first view of the page of spectra: the change of an attack, its spectrum, its bands, its flow."""

import statistics
from collections.abc import Mapping, Sequence

import streamlit as st

from robustiqa_core.spectra import SpectrumFigures, combine_figures
from ui.photos import cache as photo_cache
from ui.photos.credits import credit_line
from ui.shell import cache, state
from ui.shell.figures import GAINS
from ui.shell.markdown import plain
from ui.spectra import session
from ui.spectra.figures import density_figure, density_limit, flow_figure, flow_gain, profile_figure, shares_figure
from ui.spectra.frame import colours, draw_figure, model_names
from ui.spectra.outcome import Change, PerturbationOutcome
from ui.spectra.texts import (
    bands_reading,
    change_reading,
    density_reading,
    flow_reading,
    perturbation_conclusion,
    profile_reading,
)


def draw(outcome: PerturbationOutcome) -> None:
    """Draw everything about the changes of an attack."""
    changes = _by_model(outcome.changes)
    figures = {stem: _mean([change.figures for change in found]) for stem, found in changes.items()}
    st.header(perturbation_conclusion(figures, model_names()), anchor=False)
    place = _choose_photo(outcome)
    shown = [change for change in outcome.changes if change.photo == place]
    _draw_pictures(outcome, shown)
    _draw_densities(shown)
    _draw_flows(shown)
    photos = len(outcome.ran.photos)
    if photos > 1:
        st.caption(f"The two figures below are means over {photos} photos.")
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("By frequency", anchor=False)
        draw_figure(
            profile_figure(changes, colours=colours(), names=model_names()),
            key="profile",
            alt="Energy density against frequency, compared with white noise",
            reading=profile_reading(figures, model_names()),
        )
    with right:
        st.subheader("By band and colour", anchor=False)
        draw_figure(
            shares_figure(figures, colours=colours(), names=model_names()),
            key="bands",
            alt="Shares of the energy by band, luma and chroma, compared with white noise",
            reading=bands_reading(figures, model_names()),
        )


def _choose_photo(outcome: PerturbationOutcome) -> str:
    """Draw the choice of the photo whose pictures are shown, where there are several; return its path."""
    places = outcome.ran.photos
    if len(places) == 1:
        return places[0]
    titles = dict(zip(places, _titles(outcome), strict=True))
    chosen: str = st.selectbox(
        "Photo of the pictures and maps",
        places,
        format_func=titles.__getitem__,
        key=f"{session.PREFIX}{session.SHOWN_PHOTO}_{outcome.ran.recipe.key(())}",
    )
    return chosen


def _draw_pictures(outcome: PerturbationOutcome, shown: Sequence[Change]) -> None:
    st.subheader("The change", anchor=False)
    gain = st.session_state.setdefault(state.GAIN, state.DEFAULT_GAIN)
    for column, change in zip(st.columns(max(2, len(shown))), shown, strict=False):
        name = model_names()[change.model]
        key = f"{outcome.ran.recipe.key(())} {change.photo} {change.model}"
        picture = cache.perturbation_png(key, gain, change.clean_png, change.adversarial_png)
        with column:
            st.markdown(f"**{plain(name)}**")
            st.image(
                picture,
                output_format="PNG",
                width="stretch",
                alt=f"What the attack on {name} changed, {gain} times enlarged",
            )
            width = cache.cards()[change.model].score_range.width
            st.caption(plain(change_reading(change, name, width=width)))
    st.segmented_control(
        "Enlarge the change",
        GAINS,
        key=state.GAIN,
        required=True,
        format_func=lambda value: f"× {value}",
        help="Mid-grey means no change, brighter a higher colour value, darker a lower one.",
        persist_state="session",
    )
    st.caption(_credit(outcome, shown[0].photo))


def _draw_densities(shown: Sequence[Change]) -> None:
    st.subheader("Its spectrum", anchor=False)
    st.markdown("Frequency 0 is in the middle. Red: more energy than white noise of the same size has; blue: less.")
    limit = density_limit([change.density for change in shown])
    for column, change in zip(st.columns(max(2, len(shown))), shown, strict=False):
        name = model_names()[change.model]
        with column:
            st.markdown(f"**{plain(name)}**")
            draw_figure(
                density_figure(change.density, limit=limit),
                key=f"density-{change.model}",
                alt=f"Spectrum of the change by the attack on {name}",
                reading=density_reading(change, name),
            )


def _draw_flows(shown: Sequence[Change]) -> None:
    found = [(change, change.arrows, change.flow) for change in shown]
    moved = [(change, arrows, flow) for change, arrows, flow in found if arrows is not None and flow is not None]
    if not moved:
        return
    st.subheader("Where pixels come from", anchor=False)
    size = shown[0].size
    gain = flow_gain([arrows for _, arrows, _ in moved], size=size)
    for column, (change, arrows, flow) in zip(st.columns(max(2, len(moved))), moved, strict=False):
        name = model_names()[change.model]
        with column:
            st.markdown(f"**{plain(name)}**")
            draw_figure(
                flow_figure(arrows, size=size, colour=colours()[change.model], gain=gain),
                key=f"flow-{change.model}",
                alt=f"Arrows that show how the attack on {name} moved pixels",
                reading=flow_reading(flow, name, gain=gain),
            )


def _by_model(changes: Sequence[Change]) -> Mapping[str, Sequence[Change]]:
    stems = dict.fromkeys(change.model for change in changes)
    return {stem: [change for change in changes if change.model == stem] for stem in stems}


def _mean(figures: Sequence[SpectrumFigures]) -> SpectrumFigures:
    return combine_figures(figures, statistics.fmean)


def _titles(outcome: PerturbationOutcome) -> list[str]:
    photos = outcome.ran.recipe.photos
    return [photo_cache.samples()[name].title if photos.source == "samples" else name for name in photos.names]


def _credit(outcome: PerturbationOutcome, place: str) -> str:
    photos = outcome.ran.recipe.photos
    name = dict(zip(outcome.ran.photos, photos.names, strict=True))[place]
    return credit_line(photo_cache.samples()[name]) if photos.source == "samples" else plain(name)
