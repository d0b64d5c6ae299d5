"""The result of an attack: the finding, both photos, the figures, downloads."""

import json
from collections.abc import Sequence
from pathlib import PurePath

import streamlit as st

from robustiqa_core.attacks import Attack
from robustiqa_core.models.card import ModelCard
from robustiqa_core.verdict import known_agreement, rates_as_before
from ui.attacks import verdict
from ui.attacks.batch_job import BatchOutcome, PhotoOutcome
from ui.attacks.batch_recipe import OWN_PHOTOS
from ui.attacks.figures import score_curve
from ui.attacks.job import CurvePoint, Outcome
from ui.attacks.widgets import set_attack
from ui.lab import controls, photo_table, single_photo, sweep_view
from ui.lab import duel as duel_texts
from ui.lab.duel import Duel
from ui.lab.files import lab_zip
from ui.lab.suggestions import Suggestion, suggestions
from ui.photos import cache as photo_cache
from ui.photos.credits import credit_line
from ui.shell import cache, charts, state
from ui.shell import controls as shell_controls
from ui.shell.charts import draw_chart
from ui.shell.components.compare_slider import Picture, compare_slider
from ui.shell.components.score_meter import MeterScale, MeterText, score_meter
from ui.shell.figures import GAINS
from ui.shell.markdown import plain
from ui.shell.model_names import prose_name
from ui.shell.sharing import KEPT_AN_HOUR, draw_share
from ui.shell.verdicts import broken


def draw_lab(outcome: BatchOutcome, *, key: str) -> None:
    """Draw everything about a finished run of the lab: the table of its photos, and one photo in full.

    Args:
        outcome: the result.
        key: id of its job.
    """
    place = photo_table.draw_table(outcome) if len(outcome.photos) > 1 else 0
    photo = outcome.photos[place]
    key = f"{key} {place}"
    if len(photo.runs) == 1:
        draw_result(photo.runs[0], photo.curves[0], key=key)
    else:
        _draw_duel(photo, key=key)
    sweep_view.draw_sweep(outcome.recipe.only(outcome.recipe.photos[place]))
    charts.format_control()
    if len(outcome.recipe.runs()) > 1:
        _everything(outcome)
    _try_next(outcome)


def draw_result(outcome: Outcome, points: Sequence[CurvePoint], *, key: str) -> None:
    """Draw everything about a finished attack on one photo and one model.

    Args:
        outcome: the result.
        points: the curve of its steps.
        key: id of its job.
    """
    report, card = outcome.report, _card(outcome)
    agreement = known_agreement(card)
    if agreement is not None and rates_as_before(agreement) is False:
        st.header(plain(broken(shell_controls.model_title(card.stem), agreement)), anchor=False)
        st.subheader(verdict.headline(report), anchor=False)
    else:
        st.header(verdict.headline(report), anchor=False)
    st.markdown(verdict.explanation(report, card.score_range))
    _meter(outcome, card)
    pictures, figures = st.columns([3, 2], gap="medium")
    with pictures:
        _compare(outcome, key)
    with figures:
        _curve(outcome, points)
        _figures(outcome)
    _take_away(outcome)


def _draw_duel(photo: PhotoOutcome, *, key: str) -> None:
    """Draw one photo that was attacked on two models with the same settings, side by side."""
    cards = [_card(outcome) for outcome in photo.runs]
    duel = Duel.of(photo, cards)
    st.header(duel_texts.headline(duel), anchor=False)
    st.markdown(duel_texts.conclusion(duel))
    for warning in duel_texts.warnings(duel):
        st.warning(warning, icon=":material/visibility_off:")
    for symptom in duel_texts.diagnosis(cards, duel):
        with st.expander(symptom.what, icon=":material/troubleshoot:"):
            st.markdown(f"{symptom.cause} {symptom.advice}")
    _sides(photo.runs, key)
    st.subheader("Each model on each change", anchor=False)
    st.markdown(duel_texts.table(duel))
    st.caption(duel_texts.TABLE_HELP)
    st.markdown(duel_texts.transfer_sentence(duel))
    st.markdown("**The same table from the command line**")
    st.code(duel_texts.command(photo.runs), language=None, wrap_lines=True)
    for tab, outcome, points in zip(st.tabs([duel.names[0], duel.names[1]]), photo.runs, photo.curves, strict=True):
        with tab:
            left, right = st.columns(2, gap="medium")
            with left:
                _curve(outcome, points, name=_card(outcome).stem)
            with right:
                _figures(outcome)
            _take_away(outcome, name=_card(outcome).stem)


def _card(outcome: Outcome) -> ModelCard:
    return cache.cards()[f"{outcome.recipe.model}-{outcome.recipe.variant}"]


def _curve(outcome: Outcome, points: Sequence[CurvePoint], *, name: str = "") -> None:
    report = outcome.report
    draw_chart(
        score_curve(points, steps=outcome.recipe.attack.steps, score_range=_card(outcome).score_range),
        key=f"curve{name}",
        alt=f"The score at each step, from {report.clean_score:.3f} to {report.adversarial_score:.3f}",
        file=f"steps-{_card(outcome).stem}",
    )


def _meter(outcome: Outcome, card: ModelCard, *, name: str = "") -> None:
    report, band = outcome.report, card.score_range
    origin = (
        "The band is its usual range: the lowest and highest score that it gave its training photos."
        if card.training.photos
        else "The band is its usual range."
    )
    text = MeterText(
        clean=f"{report.clean_score:.3f}",
        adversarial=f"{report.rounded_score:.3f}",
        adversarial_name=verdict.changed_name(report),
        unrounded=f"{report.adversarial_score:.3f}",
        change=f"{report.gain:+.3f}",
        share=f"{report.gain / band.width:+.0%} of its usual range",
        caption=f"Scores of {prose_name(card)}: {card.score_unit}. {origin}",
    )
    scale = MeterScale(band.low, band.high, report.clean_score, report.rounded_score)
    score_meter(text, scale, key=f"meter{name}")


@st.fragment
def _compare(outcome: Outcome, key: str) -> None:
    """Draw an outcome's photo against the clean one, and the choice of how the change is enlarged."""
    gain = st.session_state.setdefault(state.GAIN, state.DEFAULT_GAIN)
    _pair(outcome, key, gain)
    _gain_control()
    st.caption(_credits(outcome))


@st.fragment
def _sides(outcomes: Sequence[Outcome], key: str) -> None:
    """Draw each model with its scores and its pair of photos, side by side or, on a phone, one below the other."""
    gain = st.session_state.setdefault(state.GAIN, state.DEFAULT_GAIN)
    for number, (side, outcome) in enumerate(zip(st.columns(2, gap="medium"), outcomes, strict=True)):
        card = _card(outcome)
        with side:
            st.subheader(plain(shell_controls.model_title(card.stem)), anchor=False)
            _meter(outcome, card, name=card.stem)
            st.markdown(f"**Clean photo and the one made against {plain(shell_controls.model_title(card.stem))}**")
            _pair(outcome, f"{key} {number}", gain, number=number, model=shell_controls.model_title(card.stem))
    _gain_control()
    st.caption(_credits(outcomes[0]))


def _pair(outcome: Outcome, key: str, gain: int, *, number: int = 0, model: str = "") -> None:
    """Draw an outcome's photo against the clean one.

    Args:
        outcome: the attack.
        key: id of its job, and of the run in it.
        gain: by how much the change is enlarged.
        number: of the pair on the page.
        model: what people call the model, where the page shows two.
    """
    change = cache.perturbation_png(key, gain, outcome.clean_png, outcome.adversarial_png)
    name, changed = _title(outcome), verdict.changed_name(outcome.report)
    of_model = f" for {model}" if model else ""
    compare_slider(
        Picture("Clean", f"{name}, clean photo", outcome.clean_png),
        [
            Picture(changed, f"{name}, {changed.lower()}{of_model}", outcome.adversarial_png),
            Picture(f"Change × {gain}", f"{name}, what the attack changed{of_model}, {gain} times enlarged", change),
        ],
        size=outcome.size,
        hint="Drag the divider, or focus it and use the arrow keys. Both photos are shown lossless, pixel by pixel.",
        key=f"compare{number or ''}",
    )


def _gain_control() -> None:
    st.segmented_control(
        "Enlarge the change",
        GAINS,
        key=state.GAIN,
        required=True,
        format_func=lambda value: f"× {value}",
        help="Mid-grey means no change, brighter a higher colour value, darker a lower one.",
        persist_state="session",
    )


def _title(outcome: Outcome) -> str:
    """Return what the photo shows, for those who cannot see it; a file name is all that is known of an upload."""
    choice = outcome.recipe.photo
    return choice.name if choice.source == "upload" else photo_cache.samples()[choice.name].title


def _credits(outcome: Outcome) -> str:
    choice = outcome.recipe.photo
    width, height = outcome.size
    if choice.source == "upload":
        return f"{plain(choice.name)}, {width} × {height} px. {' '.join(outcome.notes)}"
    return credit_line(photo_cache.samples()[choice.name])


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
        help=f"Euclidean length of the change over all values in [0, 1]; {mean_change:.2f}/255 RMS. "
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
        help=f"How often the model's gradient was computed. The attack also made {report.queries} score queries.",
    )
    grid.metric("Time", f"{report.seconds:.2f} s", help=f"Wall time of the attack on {report.device}.")


def _take_away(outcome: Outcome, *, name: str = "") -> None:
    report, place = outcome.report, PurePath(outcome.recipe.photo.place).stem
    stem = f"{place}-{report.attack}-{report.model}-{report.variant}"
    numbers = json.dumps({**report.to_json(), "adversarial_path": f"{stem}.png"}, indent=2, ensure_ascii=False)
    files: list[tuple[str, str | bytes, str, str, str]] = [
        ("Adversarial photo (PNG)", outcome.adversarial_png, f"{stem}.png", "image/png", "png"),
        ("Numbers (JSON)", numbers, f"{stem}.json", "application/json", "json"),
        ("Clean photo (PNG)", outcome.clean_png, f"{place}-clean.png", "image/png", "clean"),
    ]
    with st.container(horizontal=True):
        for label, data, file, kind, key in files:
            icon = ":material/data_object:" if key == "json" else ":material/download:"
            st.download_button(label, data, file, kind, key=f"download_{key}{name}", on_click="ignore", icon=icon)
    st.markdown("**The same numbers from the command line**")
    st.code(report.command, language=None, wrap_lines=True)


def _everything(outcome: BatchOutcome) -> None:
    ranges = {stem: cache.cards()[stem].score_range for stem in outcome.recipe.stems}
    st.download_button(
        "All photos and numbers (ZIP)",
        lambda: lab_zip(outcome, ranges),
        f"attack-lab-{outcome.first.report.attack}.zip",
        "application/zip",
        key="download_zip",
        on_click="ignore",
        icon=":material/folder_zip:",
        help="The photos as lossless PNG, the table as CSV and JSON, and the figures of each run.",
    )


def _share(outcome: BatchOutcome) -> None:
    recipe = outcome.recipe
    shared = {key: value for key, value in recipe.address().items() if key != OWN_PHOTOS}
    draw_share(
        "run, with the same numbers", shared, "" if not recipe.public else KEPT_AN_HOUR, own_photos=not recipe.public
    )


def _try_next(outcome: BatchOutcome) -> None:
    recipe = outcome.recipe
    st.markdown("**Try next**")
    with st.container(horizontal=True):
        found = suggestions(recipe.attack, recipe.photos[0].name, list(photo_cache.samples()))
        for number, suggestion in enumerate(found):
            if suggestion.photo is None or len(recipe.photos) == 1:
                st.button(
                    suggestion.label,
                    key=f"next_{number}",
                    icon=suggestion.icon,
                    on_click=_follow,
                    args=(suggestion, recipe.attack),
                )
        _share(outcome)


def _follow(suggestion: Suggestion, attack: Attack) -> None:
    set_attack(suggestion.attack or attack)
    if suggestion.photo is not None:
        single_photo.pick_sample(suggestion.photo)
    controls.ask_for_run()
