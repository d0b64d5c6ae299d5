"""The result of a comparison: curves, scores, the table of figures, worst cases, downloads."""

import streamlit as st

from robustiqa_core.attacks.settings import format_fraction
from robustiqa_core.auditing.comparison import symptoms
from robustiqa_core.errors import InputError
from robustiqa_core.evaluation.tables.summary import Summary
from robustiqa_core.metrics.scale import CONVENTIONS, MEANING, Convention
from robustiqa_core.models.card import unmeasured_ranges
from robustiqa_core.scorer import ScoreRange
from ui.compare import cache as compare_cache
from ui.compare import pair, session
from ui.compare.controls import CompareRequest, estimate_seconds
from ui.compare.figures import curve_figure, scatter_figure
from ui.compare.headline import draw_headline
from ui.compare.job import CompareOutcome, Point, point_of_row, recipe_of
from ui.compare.live import kept_as, model_names, photo_titles
from ui.compare.reading import NOMINAL, Reading
from ui.compare.summary import (
    comparison_table,
    rows_csv,
    rows_json,
    summary_csv,
    summary_json,
    summary_table,
    transfer_table,
)
from ui.compare.texts import CONVENTION_NAMES, FIGURES, attack_and_strength, attack_label
from ui.jobs import page_job
from ui.jobs.estimate import spoken
from ui.shell import cache, charts, controls, state
from ui.shell.charts import draw_chart
from ui.shell.figures import model_colours
from ui.shell.glossary import WORDS
from ui.shell.markdown import plain, sentence
from ui.shell.sharing import draw_share

PLACE = session.PREFIX
AUTOMATIC = "automatic"


def draw_invitation(request: CompareRequest | None) -> None:
    """Describe the comparison and how long it takes, before the first run."""
    if request is None:
        return
    recipe = request.recipe
    count = len(recipe.attacks.grid())
    st.markdown(
        f"With the settings chosen here, {_count(len(recipe.photos.names), 'photo')} meet "
        f"{_count(len(recipe.models), 'model')} and {_count(count, 'attack')}, each at its own strength: "
        f"{_count(recipe.rows, 'row')} of a table, in **about {spoken(estimate_seconds(recipe))}** on this machine "
        f"when nothing else runs. You can cancel at any time. {controls.press('Run the comparison')}."
    )


def draw_outcome(outcome: CompareOutcome) -> None:
    """Draw everything about a finished comparison."""
    if not outcome.rows:
        _skipped(outcome)
        st.error("No photo could be attacked. Choose others.")
        return
    names = model_names()
    reading = _reading(outcome)
    if reading is None:
        return
    result = session.jobs().shown or ""
    try:
        summary = compare_cache.compare_summary(result, reading.convention, reading.baseline, reading.fixed, outcome)
    except InputError:
        st.error("This scale needs at least two photos with different scores from every model. Choose another scale.")
        return
    draw_headline(outcome, summary, names)
    _asked(outcome)
    _symptoms(outcome, names)
    _skipped(outcome)
    left, right = st.columns(2, gap="medium")
    with left:
        _curves(summary, names)
    with right:
        _scatter(outcome, names)
    titles = photo_titles(outcome.recipe, outcome.places)
    pair.draw_pair(outcome, {row.key: row for row in outcome.rows}, titles=titles, names=names)
    _tables(summary, names)
    _worst(outcome, titles, names)
    _take_away(outcome, summary, reading)


def _reading(outcome: CompareOutcome) -> Reading | None:
    """Draw the switch of the scale; return how to read the rows, or None while that makes no sense."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="compare_scale"):
        st.segmented_control(
            "Scale of the scores",
            CONVENTIONS,
            format_func=CONVENTION_NAMES.__getitem__,
            key=f"{PLACE}{session.CONVENTION}",
            required=True,
            persist_state="session",
            help=WORDS["Scale convention"],
        )
        convention: Convention = st.session_state[f"{PLACE}{session.CONVENTION}"]
        baseline = _baseline(outcome)
        low, high = _fixed() if convention == "fixed" else (NOMINAL.low, NOMINAL.high)
    st.caption(f"Scores are measured on this scale: {MEANING[convention]}. Switching runs no attack again.")
    if convention == "own":
        for stem, words in unmeasured_ranges(cache.cards().values(), outcome.recipe.models).items():
            st.caption(plain(f"The own range of {model_names()[stem]} is {words}."))
    if low >= high:
        st.error("The upper end of the fixed scale must exceed the lower one. Choose a larger upper end.")
        return None
    return Reading(convention, baseline, ScoreRange(low, high))


def _baseline(outcome: CompareOutcome) -> str | None:
    """Draw the choice of the baseline where there are several models; None for that of each architecture."""
    models, key = outcome.recipe.models, f"{PLACE}{state.COMPARED_WITH}"
    if len(models) < 2:
        return None
    names = {AUTOMATIC: "Each architecture's baseline", **{stem: model_names()[stem] for stem in models}}
    if st.session_state[key] not in names:
        st.session_state[key] = AUTOMATIC
    chosen: str = st.selectbox(
        "Compared with",
        list(names),
        format_func=names.__getitem__,
        key=key,
        persist_state="session",
        width=260,
        help="The baseline of the paired tests, and of the baseline's scale.",
    )
    return None if chosen == AUTOMATIC else chosen


def _fixed() -> tuple[float, float]:
    low = st.number_input("Scale from", step=0.1, key=f"{PLACE}{session.FIXED_LOW}", persist_state="session", width=120)
    high = st.number_input("to", step=0.1, key=f"{PLACE}{session.FIXED_HIGH}", persist_state="session", width=120)
    return low, high


def _asked(outcome: CompareOutcome) -> None:
    recipe = outcome.recipe
    attacks = ", ".join(attack_label(name) for name in recipe.attacks.names)
    strengths = ", ".join(format_fraction(value) for value in recipe.attacks.strengths)
    photos, models = _count(len(recipe.photos.names), "photo"), _count(len(recipe.models), "model")
    few = " A few photos tell you little: look at the intervals." if len(recipe.photos.names) < 10 else ""
    st.caption(f"{photos}, {models}; {attacks} at {strengths}; computed on {outcome.device}.{few}")


def _skipped(outcome: CompareOutcome) -> None:
    if outcome.skipped:
        lines = [f"- **{plain(record.image)}**: {sentence(record.reason)}" for record in outcome.skipped]
        st.warning("These photos were skipped:\n\n" + "\n".join(lines))


def _symptoms(outcome: CompareOutcome, names: dict[str, str]) -> None:
    """Say which known failures of hardened models show here, with the likely cause and what to try."""
    for stem, listed in symptoms(outcome.rows, cache.cards()).items():
        lines = [f"- **{plain(found.what)}** {plain(found.cause)} {plain(found.advice)}" for found in listed]
        st.warning(f"What to look at in {plain(names[stem])}:\n\n" + "\n".join(lines), icon=":material/stethoscope:")


def _curves(summary: Summary, names: dict[str, str]) -> None:
    name = st.selectbox(
        "Figure against strength",
        list(FIGURES),
        format_func=lambda name: f"{FIGURES[name].label} ({FIGURES[name].direction})",
        key=f"{PLACE}{session.FIGURE}",
        persist_state="session",
        help="  \n".join(f"**{text.label}**: {text.help}" for text in FIGURES.values()),
    )
    figure = curve_figure(summary, name, colours=model_colours(cache.cards()), model_names=names)
    draw_chart(
        figure,
        key="compare_curves",
        alt=f"{FIGURES[name].label} of each model and attack against the strength; the table below has the numbers",
        file=name,
    )
    st.caption("Bars are 95 % bootstrap intervals over the photos." if FIGURES[name].direction else "")


def _scatter(outcome: CompareOutcome, names: dict[str, str]) -> None:
    points = [point_of_row(row) for row in outcome.rows]
    columns = list(dict.fromkeys((point.attack, point.strength) for point in points))
    labels = [attack_and_strength(*column) for column in columns]
    strongest = max(range(len(columns)), key=lambda place: _mean_change(points, columns[place]))
    place = st.selectbox(
        "Scores under",
        range(len(columns)),
        format_func=labels.__getitem__,
        index=strongest,
        key=f"{PLACE}{session.SCATTER}_{len(columns)}",
    )
    shown = [point for point in points if (point.attack, point.strength) == columns[place]]
    figure = scatter_figure(
        shown,
        colours=model_colours(cache.cards()),
        model_names=names,
        titles=photo_titles(outcome.recipe, outcome.places),
    )
    draw_chart(
        figure,
        key="compare_scatter",
        alt=f"Scores of {len(shown)} photos after {labels[place]} against their clean scores; "
        "choose a photo in the list below to see it",
        file="scores",
        on_select=_pick,
    )
    st.caption("Each point is a photo; on the dotted line nothing changed. Select a point to see its photo.")


def _pick() -> None:
    """Show the photo of the point that was selected in the chart."""
    points = st.session_state["compare_scatter"].selection.points
    keys = [point.get("customdata") for point in points]
    if keys and keys[0]:
        pair.choose(keys[0] if isinstance(keys[0], str) else keys[0][0])


def _mean_change(points: list[Point], column: tuple[str, float | None]) -> float:
    changes = [abs(point.attacked - point.clean) for point in points if (point.attack, point.strength) == column]
    return sum(changes) / len(changes)


def _tables(summary: Summary, names: dict[str, str]) -> None:
    st.subheader("The figures", anchor=False)
    st.table(
        summary_table(summary, names), hide_index=True, border="horizontal", alt="Figures of each model and attack"
    )
    scale = CONVENTION_NAMES[summary.convention].lower()
    directions = "; ".join(f"{text.label}: {text.direction}" for text in FIGURES.values())
    st.caption(
        f"{directions}. Gain, R-score and unmoved photos are on the {scale} scale. [95 % bootstrap interval]. "
        "Worst attack for each photo: for each photo, the change that moves its score farthest."
    )
    transferred = transfer_table(summary, names)
    if not transferred.empty:
        with st.expander("Photos attacked on one model, scored by another"):
            st.table(transferred, hide_index=True, border="horizontal", alt="Figures of transferred attacks")
            st.caption("If these photos move a model farther than those made against it, the model hides its gradient.")
    compared = comparison_table(summary, names)
    if not compared.empty:
        st.markdown("**Against the baseline, photo by photo**")
        st.table(compared, hide_index=True, border="horizontal", alt="Paired tests against the baseline")
        st.caption(
            "Negative: the scores move less than the baseline's. p and the effect hold for this comparison only."
        )


def _worst(outcome: CompareOutcome, titles: dict[str, str], names: dict[str, str]) -> None:
    if not outcome.worst:
        return
    st.subheader("Worst cases", anchor=False)
    st.markdown("The photos whose scores moved farthest, after the attack. They look as they did before.")
    keys = {recipe_of(row, outcome.recipe): row for row in outcome.rows}
    grid = st.grid(3, min_column_width=240, gap="medium")
    for result in outcome.worst:
        row, title = keys[result.recipe], titles[result.report.image]
        with grid.cell():
            st.image(result.adversarial_png, output_format="PNG", width="stretch", alt=f"{title}, attacked photo")
            st.markdown(
                f"**{plain(title)}**  \n{row.report.clean_score:.3f} → {row.report.rounded_score:.3f}, "
                f"{plain(attack_and_strength(row.report.attack, row.strength))}, {plain(names[row.stem])}"
            )
            st.button(
                "Compare with the clean photo",
                key=f"worst_{row.key}",
                icon=":material/compare:",
                on_click=pair.choose,
                args=(row.key,),
            )


def _take_away(outcome: CompareOutcome, summary: Summary, reading: Reading) -> None:
    recipe = outcome.recipe
    key = kept_as(recipe)
    result = {} if key is None else {page_job.RESULT: key}
    address = {**recipe.address(), **reading.address(), **result}
    st.query_params.from_dict(address)
    command = recipe.command(outcome.places, device=outcome.device, also=reading.words)
    files = (
        ("Rows (CSV)", "rows.csv", "text/csv", lambda: rows_csv(outcome.rows)),
        ("Rows (JSON)", "rows.json", "application/json", lambda: rows_json(outcome.rows, outcome.skipped)),
        ("Figures (CSV)", "figures.csv", "text/csv", lambda: summary_csv(summary)),
        ("Figures (JSON)", "figures.json", "application/json", lambda: summary_json(summary, command)),
    )
    charts.format_control()
    with st.container(horizontal=True):
        for label, name, mime, make in files:
            st.download_button(
                label, make, f"comparison-{name}", mime, key=name, on_click="ignore", icon=":material/download:"
            )
        draw_share("comparison", address, own_photos=not recipe.photos.public)
    st.markdown("**The same numbers from the command line**")
    st.code(command, language=None, wrap_lines=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
