"""The result of an attack: what happened, the photos against each other, the figures, what to take away."""

import json
from collections.abc import Sequence
from pathlib import PurePath
from urllib.parse import urlencode

import streamlit as st

from robustiqa_core.models.card import ModelCard
from robustiqa_core.samples import SamplePhoto
from ui import cache, controls, photo_controls, state, verdict
from ui.attack_job import CurvePoint, Outcome
from ui.attack_widgets import set_attack
from ui.components.compare_slider import Picture, compare_slider
from ui.components.score_meter import MeterScale, MeterText, score_meter
from ui.figures import score_curve
from ui.markdown import plain
from ui.model_texts import model_name
from ui.suggestions import Suggestion, suggestions

GAINS = (1, 5, 10, 20, 50)


def draw_result(outcome: Outcome, points: Sequence[CurvePoint], *, key: str) -> None:
    """Draw everything about a finished attack.

    Args:
        outcome: the result.
        points: the curve of its steps.
        key: id of its job.
    """
    report, recipe = outcome.report, outcome.recipe
    card = cache.cards()[f"{recipe.model}-{recipe.variant}"]
    st.header(verdict.headline(report), anchor=False)
    st.markdown(verdict.explanation(report, card.score_range))
    _meter(outcome, card)
    pictures, figures = st.columns([3, 2], gap="medium")
    with pictures:
        _compare(outcome, key)
    with figures:
        st.plotly_chart(
            score_curve(points, steps=recipe.attack.steps, score_range=card.score_range),
            key="curve",
            config={"displayModeBar": False},
            alt=f"The score at each step, from {report.clean_score:.3f} to {report.adversarial_score:.3f}",
        )
        _figures(outcome)
    _take_away(outcome)
    _try_next(outcome)


def _meter(outcome: Outcome, card: ModelCard) -> None:
    report, band = outcome.report, card.score_range
    origin = (
        "The band shows the lowest and the highest score that it gave to its training photos."
        if card.training.photos
        else "The band shows its score range."
    )
    text = MeterText(
        clean=f"{report.clean_score:.3f}",
        adversarial=f"{report.rounded_score:.3f}",
        adversarial_name=verdict.changed_name(report),
        unrounded=f"{report.adversarial_score:.3f}",
        change=f"{report.gain:+.3f}",
        share=f"{report.gain / band.width:+.0%} of the band",
        caption=f"Scores of {model_name(card)} ({card.variant}): {card.score_unit}. {origin}",
    )
    scale = MeterScale(band.low, band.high, report.clean_score, report.rounded_score)
    score_meter(text, scale, key="meter")


@st.fragment
def _compare(outcome: Outcome, key: str) -> None:
    gain = st.session_state.setdefault(state.GAIN, state.DEFAULT_GAIN)
    change = cache.perturbation_png(key, gain, outcome.clean_png, outcome.adversarial_png)
    name, changed = _title(outcome), verdict.changed_name(outcome.report)
    compare_slider(
        Picture("Clean", f"{name}, clean photo", outcome.clean_png),
        [
            Picture(changed, f"{name}, {changed.lower()}", outcome.adversarial_png),
            Picture(f"Change × {gain}", f"{name}, what the attack changed, {gain} times enlarged", change),
        ],
        size=outcome.size,
        hint="Drag the divider, or focus it and use the arrow keys. Both photos are shown lossless, pixel by pixel.",
        key="compare",
    )
    st.segmented_control(
        "Enlarge the change",
        GAINS,
        key=state.GAIN,
        required=True,
        format_func=lambda value: f"× {value}",
        help="Mid-grey means no change, brighter means a higher colour value, darker a lower one.",
        persist_state="session",
    )
    st.caption(_credits(outcome))


def _title(outcome: Outcome) -> str:
    """Return what the photo shows, for those who cannot see it; a file name is all that is known of an upload."""
    choice = outcome.recipe.photo
    return choice.name if choice.source == "upload" else cache.samples()[choice.name].title


def _credits(outcome: Outcome) -> str:
    choice = outcome.recipe.photo
    width, height = outcome.size
    if choice.source == "upload":
        return f"{plain(choice.name)}, {width} × {height} px. {' '.join(outcome.notes)}"
    return credit_line(cache.samples()[choice.name])


def credit_line(sample: SamplePhoto) -> str:
    """Return the credit of a sample photo as markdown, with a link to its licence."""
    licence = f"[{sample.licence}]({sample.licence_url})"
    made = f"{plain(sample.changes)}. From: {plain(sample.source)}."
    return f"“{plain(sample.title)}” by {plain(sample.author)}, {licence}; {made}"


def _figures(outcome: Outcome) -> None:
    report = outcome.report
    pixels = 3 * report.width * report.height
    mean_change = 255 * report.rounded_l2 / pixels**0.5
    psnr = "∞" if report.psnr is None else f"{report.psnr:.1f} dB"
    grid = st.grid(2, min_column_width=128, gap="small")
    grid.metric(
        "Largest change (l∞)",
        f"{255 * report.rounded_linf:.1f}/255",
        help=f"Of any colour value, in the stored file. Before rounding to 8 bits: {255 * report.linf:.2f}/255.",
    )
    grid.metric(
        "Total change (l2)",
        f"{report.rounded_l2:.2f}",
        help=f"Euclidean length of the change over all values in [0, 1]; {mean_change:.2f}/255 as root mean square. "
        f"Before rounding to 8 bits: {report.l2:.2f}.",
    )
    grid.metric(
        "PSNR",
        psnr,
        help="Peak signal-to-noise ratio of the stored file; higher = more alike.",
    )
    grid.metric("SSIM", f"{report.ssim:.4f}", help="Structural similarity of the stored file to the photo; 1 = equal.")
    grid.metric(
        "Gradient calls",
        f"{report.gradient_calls}",
        help=f"How often the model's gradient was computed. Besides, it was asked for {report.queries} scores.",
    )
    grid.metric("Time", f"{report.seconds:.2f} s", help=f"Wall time of the attack on {report.device}.")


def _take_away(outcome: Outcome) -> None:
    report, recipe = outcome.report, outcome.recipe
    stem = f"{PurePath(recipe.photo.place).stem}-{report.attack}-{report.model}-{report.variant}"
    with st.container(horizontal=True):
        st.download_button(
            "Adversarial photo (PNG)",
            outcome.adversarial_png,
            f"{stem}.png",
            "image/png",
            key="download_png",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Numbers (JSON)",
            json.dumps({**report.to_json(), "adversarial_path": f"{stem}.png"}, indent=2, ensure_ascii=False),
            f"{stem}.json",
            "application/json",
            key="download_json",
            on_click="ignore",
            icon=":material/data_object:",
        )
        st.download_button(
            "Clean photo (PNG)",
            outcome.clean_png,
            f"{PurePath(recipe.photo.place).stem}-clean.png",
            "image/png",
            key="download_clean",
            on_click="ignore",
            icon=":material/download:",
        )
        with st.popover("Share", icon=":material/link:"):
            st.markdown("This address opens the same run, with the same numbers:")
            st.code(f"{st.context.url or ''}?{urlencode(recipe.address())}", language=None, wrap_lines=True)
            if recipe.photo.source == "upload":
                st.caption("Your photo is not part of it: the address opens these settings on a sample photo.")
    st.markdown("**The same numbers from the command line**")
    st.code(report.command, language=None, wrap_lines=True)


def _try_next(outcome: Outcome) -> None:
    recipe = outcome.recipe
    st.markdown("**Try next**")
    with st.container(horizontal=True):
        for number, suggestion in enumerate(suggestions(recipe.attack, recipe.photo.name, list(cache.samples()))):
            st.button(
                suggestion.label,
                key=f"next_{number}",
                icon=suggestion.icon,
                on_click=_follow,
                args=(suggestion, outcome),
            )


def _follow(suggestion: Suggestion, outcome: Outcome) -> None:
    set_attack(suggestion.attack or outcome.recipe.attack)
    if suggestion.photo is not None:
        photo_controls.pick_sample(suggestion.photo)
    controls.ask_for_run()
