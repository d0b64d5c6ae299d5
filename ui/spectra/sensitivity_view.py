"""The second view of the page of spectra: which waves move the score of each model."""

import streamlit as st

from ui.shell.markdown import plain
from ui.spectra.frame import colours, draw_figure, model_names
from ui.spectra.layer_figures import radius_figure, sensitivity_figure
from ui.spectra.outcome import SensitivityOutcome
from ui.spectra.texts import map_reading, radius_reading, sensitivity_conclusion


def draw(outcome: SensitivityOutcome) -> None:
    """Draw the map of each model, and all against the frequency."""
    means = [100 * found.changes.mean(0) for found in outcome.maps.values()]
    low, high = min(float(mean.min()) for mean in means), max(float(mean.max()) for mean in means)
    width, height = outcome.size
    photos = len(outcome.ran.photos)
    st.header(sensitivity_conclusion(outcome.maps, model_names()), anchor=False)
    st.subheader("By wave", anchor=False)
    st.markdown(
        f"Each cell is a wave. Bright: it moves the score far. Mean over {photos} photo{'' if photos == 1 else 's'}, "
        f"{width} × {height} px."
    )
    for column, (stem, found) in zip(st.columns(max(2, len(outcome.maps))), outcome.maps.items(), strict=False):
        name = model_names()[stem]
        with column:
            st.markdown(f"**{plain(name)}**")
            draw_figure(
                sensitivity_figure(found, low=low, high=high),
                key=f"sensitivity-{stem}",
                alt=f"How far waves of each frequency move the score of {name}",
                reading=map_reading(found, name),
            )
    st.subheader("By frequency", anchor=False)
    draw_figure(
        radius_figure(outcome.maps, colours=colours(), names=model_names()),
        key="sensitivity-by-frequency",
        alt="Change of the score against the frequency of the wave",
        reading=radius_reading(outcome.maps, model_names()),
    )
