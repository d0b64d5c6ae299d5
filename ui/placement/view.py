"""The page's contents: the diagram, the cost of a block, a trial beside the baseline, and all trials."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd
import streamlit as st

from robustiqa_core.attacks import spell_attack
from robustiqa_core.auditing.diagnosis import Symptom, diagnose, diagnose_memory
from robustiqa_core.blocks import BlockSettings, preview
from robustiqa_core.errors import RobustIQAError
from robustiqa_core.hardening import SHORT_ATTACK
from robustiqa_core.metrics.correlation import spell_correlation
from robustiqa_core.models.card import ModelCard
from robustiqa_core.scorer import InsertionPoint
from ui.hardening import cache as hardening_cache
from ui.hardening import live
from ui.hardening.figures import epoch_figure
from ui.hardening.job import Trial
from ui.hardening.keep import draw_keep
from ui.hardening.texts import COLUMNS, figures_of, trial_row, verdict_of, verdict_sentence
from ui.jobs import cache as jobs_cache
from ui.placement import cache as placement_cache
from ui.placement import session
from ui.placement.controls import PLACE, POSITION
from ui.placement.figures import diagram_figure, trials_figure
from ui.placement.live import JOB
from ui.placement.probe import NOISE_KIND, ProbeOutcome
from ui.placement.slots import dimension_ratios, slots_of
from ui.shell import cache, charts
from ui.shell.charts import draw_chart
from ui.shell.controls import small_header
from ui.shell.glossary import WORDS
from ui.shell.markdown import plain, sentence
from ui.shell.model_names import place_name, times
from ui.shell.sharing import draw_share
from ui.shell.verdicts import reservation

EVERYBODYS = f"{PLACE}everybodys"
"""Key of the switch that shows the trials of other visitors."""
_MINE = f"{PLACE}mine"
MAP_SIDE = 224
"""Side of the photo whose maps the costs are given for."""


def draw_diagram(points: Sequence[InsertionPoint], model: str, probe: ProbeOutcome | None) -> None:
    """Draw the architecture; a click on a place chooses it."""
    chosen = st.session_state[POSITION]
    trials = mine_among(trials_of(model))
    figure = diagram_figure(
        slots_of(points),
        chosen=chosen,
        growth={point.name: None if probe is None else probe.relative(point.name) for point in points},
        tried=Counter(trial.recipe.position or "" for trial in trials),
    )
    # A key for each place: otherwise Streamlit keeps marking the point that was clicked.
    key = f"{PLACE}diagram_{model}_{chosen}"
    draw_chart(
        figure,
        key=key,
        on_select=lambda: _pick(key),
        file=model,
        alt=f"The places of {model} for a block, from the photo to the score: "
        + "; ".join(f"{place_name(point.name)}, {point.channels} channels" for point in points)
        + ". Choose one in the list beside it.",
    )
    st.caption(
        "Click a point, or choose in the list. ch: channels of the map; 1/n: one step on the map is n pixels. "
        "Growth: how much an attack's change has grown since the photo, relative to the signal."
    )


def _pick(key: str) -> None:
    """Choose the place that was clicked."""
    points = st.session_state[key].selection.points
    found = points[0].get("customdata") if points else None
    if found:
        st.session_state[POSITION] = found[0]


def draw_cost(block: BlockSettings, points: Sequence[InsertionPoint], probe: ProbeOutcome | None) -> None:
    """Draw what a block costs at the chosen place, and what is known of the place."""
    point = next(point for point in points if point.name == st.session_state[POSITION])
    side = -(-MAP_SIDE // point.stride)
    try:
        cost = preview(block, point.channels, side, side)
        seconds = placement_cache.build_seconds(block, point.channels, side)
    except RobustIQAError as error:
        st.error(sentence(error))
        return
    ratio = dimension_ratios(points, side=MAP_SIDE)[point.name]
    grown = None if probe is None else probe.relative(point.name)
    noise = None if probe is None else probe.relative(point.name, NOISE_KIND)
    stage = None if probe is None else probe.stage(point.name)
    grid = st.grid(3, min_column_width=120, gap="small")
    for label, value, text in (
        ("Parameters", f"{cost.parameters:,}", "Trainable numbers in the block."),
        (
            "Memory",
            f"{cost.kernel_bytes / 2**10:,.0f} KiB",
            f"Of its kernel; {cost.build_bytes / 2**20:.1f} MiB to build.",
        ),
        (
            "Build time",
            f"{1000 * seconds:.0f} ms",
            "Measured here, once for each map size; paid at every step of fine-tuning.",
        ),
        ("Paper's ratio", f"{ratio:.2f}", WORDS["Ratio of dimensions"]),
        ("Growth, attack", "..." if grown is None else times(grown), WORDS["Amplification"]),
        ("Growth, noise", "..." if noise is None else times(noise), "The same for noise of the attack's size."),
    ):
        with grid:
            st.metric(label, value, help=text, border=True)
    if stage is not None:
        st.caption(f"The stage before this place makes the attack's change {stage:.2f} times as long.")


def draw_notice() -> None:
    """Draw the notice about the last run, with advice where memory ran out."""
    JOB.announce()
    notice = session.jobs().notice
    if notice is None:
        return
    (st.error if notice.kind == "error" else st.info)(notice.text)
    if "ran out of memory" in notice.text:
        _symptom(diagnose_memory(kernel_bytes=None, build_bytes=None))


def draw_summary(trial: Trial) -> None:
    """Draw what a trial found, beside the baseline."""
    st.header(verdict_sentence(trial), anchor=False)
    more = reservation(verdict_of(trial))
    if more:
        st.markdown(more)
    grid = st.grid(4, min_column_width=150, gap="small")
    before, after = trial.attacked("baseline"), trial.attacked("hardened")
    r_before, r_after = (trial.attacked(which, "r_score") for which in ("baseline", "hardened"))
    milliseconds = 1000 * trial.timing.hardened
    for label, value, change, colour, text in (
        ("Agreement", spell_correlation(trial.agreement), _people(trial), "off", WORDS["Agreement"]),
        ("AbsGain", f"{after:+.3f}", f"baseline {before:+.3f}", "off", WORDS["Gain (AbsGain)"]),
        ("R-score", f"{r_after:.2f}", f"baseline {r_before:.2f}", "off", WORDS["R-score"]),
        (
            "Time per image",
            f"{milliseconds:.1f} ms",
            f"baseline {1000 * trial.timing.baseline:.1f} ms",
            "off",
            f"One crop of {trial.recipe.crop} px, the fastest of several runs, alternating between the models.",
        ),
    ):
        with grid:
            st.metric(label, value, change, delta_color=colour, delta_arrow="off", help=text, border=True)  # type: ignore[arg-type]
    example = trial.example
    st.caption(
        "Agreement: SROCC with the baseline. AbsGain: near 0 = robust. R-score: higher = more robust. "
        f"Score of {plain(example.title)}: {example.after:.3f}, by the baseline {example.before:.3f}."
    )


def draw_trial(trial: Trial) -> None:
    """Draw a trial in detail: how it was made, what is wrong with it, and how to keep it."""
    small_header("This trial in detail", key="trial")
    _asked(trial)
    symptoms = diagnose(figures_of(trial, trials_of(trial.recipe.model)))
    for symptom in symptoms:
        _symptom(symptom)
    if not symptoms:
        st.success("No known failure found: order kept, gain changed, gradients intact, scores not compressed.")
    draw_chart(
        epoch_figure(trial.epochs, epochs_in_all=trial.recipe.epochs),
        key=f"{PLACE}epochs_chart",
        file="epochs",
        alt=f"Loss and agreement with the baseline over {trial.recipe.epochs} epochs, "
        f"which end at SROCC {spell_correlation(trial.agreement)}",
    )
    draw_keep(trial, place=PLACE, name=f"{(trial.recipe.position or 'no-block').replace('_', '-')}")


def draw_trials(model: str, shown: str | None) -> None:
    """Draw the trials of a model beside each other, and their files: one's own, and those of others if asked for."""
    mine, every = mine_among(trials_of(model)), trials_of(model)
    if not every:
        return
    small_header("Trials", key="trials")
    trials = mine
    if len(mine) < len(every):
        others = len(every) - len(mine)
        st.toggle(f"Also show trials by others on this server ({others})", key=EVERYBODYS, persist_state="session")
        trials = every if st.session_state[EVERYBODYS] else mine
    if not trials:
        return
    rows = [trial_row(trial, number) for number, trial in enumerate(trials, 1)]
    table = pd.DataFrame(rows).rename(columns=COLUMNS)
    columns = {
        COLUMNS["pruned"]: st.column_config.NumberColumn(format="percent"),
        **{COLUMNS[name]: st.column_config.NumberColumn(format="%.3f") for name in ("agreement", "mos", "spread")},
        **{COLUMNS[name]: st.column_config.NumberColumn(format="%+.3f") for name in ("gain_before", "gain_after")},
        **{COLUMNS[name]: st.column_config.NumberColumn(format="%.2f") for name in ("r_before", "r_after")},
        COLUMNS["milliseconds"]: st.column_config.NumberColumn(format="%.1f"),
    }
    st.dataframe(table.dropna(axis=1, how="all"), hide_index=True, column_config=columns, key=f"{PLACE}table")
    st.caption(
        "AbsGain: near 0 = robust. R-score and SROCC: higher = better. Spread: width of the scores before they are "
        "rescaled to the baseline's, 1 = as wide. Trials stay until the server stops. After a reload only the trial "
        "in the page's address counts as yours; the others appear among everybody's."
    )
    bundled = comparable(model, cache.listed_models()[0].values())
    draw_chart(
        trials_figure(trials, chosen=shown, bundled=bundled),
        key=f"{PLACE}trials_chart",
        file="trials",
        alt=f"AbsGain of {len(trials)} trials against their agreement with the baseline; the table has the numbers",
    )
    if bundled:
        st.caption(
            "Open shapes: hardened models shipped with the app, as measured when they were made, on other crops. "
            "AbsGain is a share of the baseline's usual range."
        )
    keys = [trial.key for trial in trials]
    charts.format_control()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        picked = st.selectbox(
            "Show again",
            keys,
            index=keys.index(shown) if shown in keys else len(keys) - 1,
            format_func=lambda key: _trial_title(keys.index(key) + 1, trials[keys.index(key)]),
            key=f"{PLACE}again_{len(keys)}_{shown}",
            width=280,
        )
        st.button("Show", key=f"{PLACE}show", icon=":material/visibility:", on_click=_show, args=(picked,))
        for label, name, mime, content in (
            ("Trials (CSV)", "trials.csv", "text/csv", table.to_csv(index=False)),
            ("Trials (JSON)", "trials.json", "application/json", trials_json(trials)),
        ):
            st.download_button(
                label, content, name, mime, key=f"{PLACE}{name}", on_click="ignore", icon=":material/download:"
            )


def trials_of(model: str) -> list[Trial]:
    """Return the trials with a block of an architecture by everybody on this server, the oldest first."""
    return [trial for trial in hardening_cache.trial_store().trials(model) if trial.recipe.block is not None]


def comparable(model: str, cards: Iterable[ModelCard]) -> list[ModelCard]:
    """Return the cards of an architecture whose hardened models met the attack that trials meet."""
    attack = spell_attack(SHORT_ATTACK)
    return [
        card
        for card in cards
        if card.model == model and "attacked" in card.hardening and card.hardening["attacked"]["attack"] == attack
    ]


def note_as_mine(key: str | None) -> None:
    """Note that a trial is this visitor's: made in this visit, or named in the address."""
    if key is not None:
        st.session_state.setdefault(_MINE, set()).add(key)


def mine_among(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials of this visit."""
    keys = st.session_state.get(_MINE, set())
    return [trial for trial in trials if trial.key in keys]


def trials_json(trials: Sequence[Trial]) -> str:
    """Return trials with all their figures as JSON."""
    return json.dumps([trial.to_json() for trial in trials], indent=2, ensure_ascii=False)


def _trial_title(number: int, trial: Trial) -> str:
    block = trial.recipe.block
    return f"{number}: {place_name(trial.recipe.position)}, {'' if block is None else block.orthogonalization}"


def _show(key: str) -> None:
    """Put an earlier trial on the page."""
    trial, jobs = hardening_cache.trial_store().trial(key), session.jobs()
    if trial is not None:
        jobs_cache.shelf().put(key, trial)
        jobs.shown, jobs.recipes[key] = key, trial.recipe


def _people(trial: Trial) -> str:
    if trial.mos is None or trial.mos_before is None:
        return "1 = the same order"
    return f"with people {trial.mos:.3f}, before {trial.mos_before:.3f}"


def _asked(trial: Trial) -> None:
    figures = trial.card.hardening["attacked"]
    st.caption(
        f"{plain(trial.card.training.dataset)}. White-box attack on each: {plain(figures['attack'])} on "
        f"{figures['crops']} held-out crops of {figures['side']} px. {trial.seconds:.0f} s on {trial.timing.device}, "
        f"tuned in {trial.recipe.precision}, measured in float32."
    )
    draw_share("trial", live.address(trial.recipe))


def _symptom(symptom: Symptom) -> None:
    st.warning(
        f"**{plain(symptom.what)}**  \n{plain(symptom.cause)} {plain(symptom.advice)}", icon=":material/stethoscope:"
    )
