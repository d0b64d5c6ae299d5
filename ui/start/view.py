"""The first page: three pictures, a live result, and the ways on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st

from robustiqa_core.verdict import known_agreement
from ui.attacks.batch_job import BatchOutcome
from ui.attacks.growth import growth_figure
from ui.attacks.job import Outcome
from ui.photos import cache as photo_cache
from ui.photos.credits import credit_line
from ui.shell import cache, charts
from ui.shell.charts import draw_chart
from ui.shell.components.compare_slider import Picture, compare_slider
from ui.shell.controls import model_title, small_header
from ui.shell.figures import model_colours
from ui.shell.markdown import plain
from ui.shell.navigation import LAB, PLACEMENT, START, AppPage, listed_pages
from ui.shell.sharing import draw_share
from ui.start import session
from ui.start.figures import TWIN_BOX, answers_figure, crop_png, likeness, pipeline_svg, twin_svg
from ui.start.texts import (
    Answer,
    answers_csv,
    answers_json,
    answers_of,
    hardened_words,
    headline,
    photo_sentence,
    setting_words,
    table,
)

GAIN = 20
_LAB_PARAMETERS = frozenset({"photo", "photos", "model", "variant", "against", "attack"})
_TWIN = Path(__file__).parents[2] / "assets" / "start" / "cat_twin.png"
_TWIN_SAMPLE = "cat"


def follow_old_address() -> None:
    """Open the attack lab where the address is one of its own: it was the first page once."""
    parameters = st.query_params.to_dict()
    if _LAB_PARAMETERS & parameters.keys():
        st.switch_page(LAB.file, query_params=parameters)


def draw_pictures() -> None:
    """Draw what this is about in three pictures."""
    scheme = charts.scheme()
    attack, sum_up, block = st.columns(3, gap="medium", border=True)
    with attack:
        small_header("1. A change that is hard to see", key="change")
        clean, twin = crop_png(photo_cache.samples()[_TWIN_SAMPLE].path.read_bytes(), TWIN_BOX), _TWIN.read_bytes()
        st.image(
            twin_svg(clean, twin, scheme),
            width="stretch",
            alt="A photo of a cat, plus a change that looks like noise when enlarged, gives a twin that looks alike",
        )
        st.markdown(
            "A **quality model** is a network that says how good a photo looks. An **attack** moves each colour a "
            f"little. {likeness(clean, twin)} to us, and gets another score."
        )
    with sum_up:
        small_header("2. Why that works", key="why")
        draw_chart(
            growth_figure(4 / 255, height=210),
            key="start_growth",
            alt="An aimed change moves the score of a simple model the more, the more pixels a photo has; "
            "a random change of the same size does not",
            file="growth",
        )
        st.markdown(
            "Each pixel helps a little, all in the same direction, and a photo has very many. Random changes of the "
            "same size cancel each other out."
        )
    with block:
        small_header("3. What can help", key="help")
        st.image(
            pipeline_svg(scheme),
            width="stretch",
            alt="A photo goes through the layers of a network and then through a block near the end to its score",
        )
        st.markdown(
            "A **hardened** model has a block near its end that does not let changes grow, or was trained "
            "on attacked photos, or both."
        )


def draw_outcome(outcome: BatchOutcome) -> None:
    """Draw the live result.

    Args:
        outcome: of the run of this visit.
    """
    cards = cache.cards()
    photos = answers_of(
        outcome,
        {stem: model_title(stem) for stem in outcome.recipe.stems},
        {stem: cards[stem].score_range for stem in outcome.recipe.stems},
    )
    first = photos[0]
    agreement = known_agreement(cards[first[1].stem]) if len(first) > 1 else None
    st.markdown(f"### {plain(headline(photos, agreement=agreement))}")
    levels = 255 * max(run.report.rounded_linf for photo in outcome.photos for run in photo.runs)
    st.markdown(plain(setting_words(first[0], first[1] if len(first) > 1 else None, levels)))
    for number, column in enumerate(st.columns(len(photos), gap="large")):
        with column:
            _photo(outcome.photos[number].runs[0], photos[number], number)
    if len(first) == 1:
        _no_hardened()
    st.caption(
        "One photo proves little, and so do two; and the scores were only pushed up. The page Compare takes many "
        "photos, and also pushes their scores down."
    )
    _take_away(outcome, [answer for answers in photos for answer in answers])


def draw_ways_on() -> None:
    """Draw a card for every other page."""
    st.header("Where to go next", anchor=False)
    grid = st.grid("auto", min_column_width=260, gap="medium")
    for page in listed_pages():
        if page is not START:
            with grid.container(border=True, height="stretch"):
                _link(page, page.title)
                st.markdown(page.sentence)


def _link(page: AppPage, label: str, parameters: Mapping[str, str] | None = None) -> None:
    st.page_link(page.file, label=f"**{label}**", icon=page.icon, query_params=dict(parameters or {}))


def _photo(run: Outcome, answers: Sequence[Answer], number: int) -> None:
    """Draw one photo: its twin, both answers and what they say."""
    sample, cards = photo_cache.samples()[run.recipe.photo.name], cache.cards()
    st.markdown(
        f"**{plain(photo_sentence(run.report, answers[0], trained=cards[answers[0].stem].training.photos > 0))}**"
    )
    change = cache.perturbation_png(f"start {session.jobs().shown} {number}", GAIN, run.clean_png, run.adversarial_png)
    compare_slider(
        Picture("Photo", f"{sample.title}, the photo", run.clean_png),
        [
            Picture("Twin", f"{sample.title}, its attacked twin", run.adversarial_png),
            Picture(f"Change × {GAIN}", f"What the attack changed, {GAIN} times enlarged", change),
        ],
        size=run.size,
        hint="Drag the divider, or focus it and use the arrow keys. Both are shown lossless.",
        key=f"start_pair{number or ''}",
    )
    if len(answers) > 1:
        st.markdown(plain(hardened_words(*answers)))
    draw_chart(
        answers_figure(answers, model_colours(cards)),
        key=f"start_answers{number or ''}",
        alt="; ".join(f"{answer.name}: {answer.clean:.2f} to {answer.attacked:.2f}" for answer in answers),
        file=f"answers-{answers[0].photo}",
    )
    st.caption(credit_line(sample))


def _no_hardened() -> None:
    page = next((page for page in listed_pages() if page is PLACEMENT), None)
    st.info(
        "There is no hardened model here yet, so the baseline stands alone. You can make one on the page "
        f"{PLACEMENT.title}."
    )
    if page is not None:
        _link(page, "Make a hardened model")


def _take_away(outcome: BatchOutcome, answers: Sequence[Answer]) -> None:
    seconds = sum(run.report.seconds for photo in outcome.photos for run in photo.runs)
    titles = {name: sample.title for name, sample in photo_cache.samples().items()}
    with st.expander("The numbers, and the commands that give them"):
        st.table(table(answers, titles), border="horizontal", hide_index=True)
        st.caption("Scores in each model's own unit; higher = better photo. A share near 0 = robust.")
        st.code("\n".join(answer.command for answer in answers), language=None, wrap_lines=True)
        charts.format_control()
        with st.container(horizontal=True):
            st.download_button(
                "Numbers (CSV)",
                answers_csv(answers),
                "start.csv",
                "text/csv",
                key="start_csv",
                on_click="ignore",
                icon=":material/download:",
            )
            st.download_button(
                "Numbers (JSON)",
                answers_json(answers),
                "start.json",
                "application/json",
                key="start_json",
                on_click="ignore",
                icon=":material/data_object:",
            )
    with st.container(horizontal=True, vertical_alignment="center"):
        _link(LAB, "Open this in the Attack lab", outcome.recipe.address())
        st.button("Compute it again", key="start_again", icon=":material/replay:", on_click=session.jobs().ask)
        draw_share("page, and recomputes the same numbers", {})
    st.caption(f"Computed for this visit in {seconds:.1f} s of attacks, on {outcome.first.report.device}.")
