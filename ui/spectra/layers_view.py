"""The third view of the page of spectra: how a change grows through the layers of each model."""

import streamlit as st

from robustiqa_core.evaluation.report import attack_name
from robustiqa_core.spectra import summarise
from ui.attacks.texts import attack_text
from ui.shell.glossary import WORDS
from ui.shell.markdown import plain
from ui.spectra.files import growth_table
from ui.spectra.frame import colours, draw_figure, model_names
from ui.spectra.layer_figures import growth_figure, stage_figure
from ui.spectra.outcome import LayersOutcome
from ui.spectra.recipe import Layers
from ui.spectra.texts import growth_reading, layers_conclusion, stage_reading

_RATIO = "Paper's ratio"


def draw(outcome: LayersOutcome) -> None:
    """Draw the growth since the input, the growth within the stages, and both as a table."""
    points = {stem: summarise(growths) for stem, growths in outcome.growths.items()}
    names, question = model_names(), outcome.ran.recipe.question
    attack = attack_text(attack_name(question.attack)).name if isinstance(question, Layers) else ""
    st.header(layers_conclusion(points, names, attack), anchor=False)
    # One above the other: the names of eight curves need the whole width.
    st.subheader("Since the input", anchor=False)
    draw_figure(
        growth_figure(points, colours=colours(), names=names),
        key="growth",
        alt="Growth of the change since the input at each place of the model",
        reading=growth_reading(points, names, attack),
    )
    st.subheader("Within each stage", anchor=False)
    draw_figure(
        stage_figure(points, colours=colours(), names=names),
        key="stages",
        alt="Growth of the change within each stage, with the largest singular value and the paper's ratio",
        reading=stage_reading(points, names),
    )
    st.subheader("The figures", anchor=False)
    st.markdown(f"**{_RATIO}**: {WORDS[_RATIO]}")
    for stem, found in points.items():
        st.markdown(f"**{plain(names[stem])}**")
        st.table(growth_table(found), hide_index=True, border="horizontal", alt=f"Growth through {names[stem]}")
    photos = len(outcome.ran.photos)
    st.caption(
        f"Mean over {photos} photo{'' if photos == 1 else 's'}. Since input: by how much the change's share of the "
        "signal has grown; at the score, its share of the usual range of scores. In stage: length out over length in."
    )
