"""Pruning on the page: the plan, the curves, what they say, what to take away."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from robustiqa_core.attacks import spell_attack
from robustiqa_core.hardening import SHORT_ATTACK
from robustiqa_core.metrics.correlation import spell_correlation
from robustiqa_core.pruning import PruningPlan
from robustiqa_core.pruning.rows import layer_rows, plan_csv, plan_json
from ui.hardening import cache as hardening_cache
from ui.hardening.job import Trial
from ui.hardening.texts import CRITERION_NAMES
from ui.jobs.estimate import spoken
from ui.pruning import cache as pruning_cache
from ui.pruning.controls import expected_seconds
from ui.pruning.figures import CURVES, MOS, Curve, curve_figure, importance_figure, plan_figure
from ui.pruning.job import PruningOutcome
from ui.pruning.live import data_of
from ui.pruning.recipe import CROPS, HELD_OUT, SIDE, PruningRecipe
from ui.pruning.texts import (
    SCOPE_NAMES,
    Point,
    broken_sentence,
    findings,
    headline,
    plan_sentence,
    point_of,
    points_csv,
)
from ui.shell import cache, charts, controls
from ui.shell.charts import draw_chart
from ui.shell.figures import model_colours
from ui.shell.glossary import WORDS
from ui.shell.markdown import plain
from ui.shell.sharing import KEPT_AN_HOUR, draw_share

_PRUNED = "pruned"
"""Stands for the pruned model among the stems."""


def plan_at(recipe: PruningRecipe, ratio: float) -> PruningPlan:
    """Return the plan of a ratio; the importance of the filters is computed once.

    Raises:
        RobustIQAError: the model, or the photos that the criterion looks at, cannot be read.
    """
    importance = pruning_cache.filter_importance(
        recipe.model, recipe.variant, recipe.criterion, data_of(recipe.hardening(ratio))
    )
    return pruning_cache.pruning_plan(recipe.model, recipe.variant, recipe.settings(ratio), importance)


def draw_plan(recipe: PruningRecipe, ratio: float, plan: PruningPlan) -> None:
    """Draw which filters would go, layer by layer, and what that would save."""
    st.markdown(plan_sentence(plan))
    figures = (
        ("Filters", f"{plan.filters:,} → {plan.filters - plan.removed:,}", WORDS["Filter"]),
        ("Parameters", _fewer(plan.before.parameters, plan.after.parameters), WORDS["Parameters"]),
        ("Multiply-adds", _fewer(plan.before.multiply_adds, plan.after.multiply_adds), WORDS["Multiply-adds"]),
    )
    with st.container(horizontal=True):
        for label, value, help_text in figures:
            st.metric(label, value, help=help_text, width="content")
    rows = layer_rows(plan)
    colour = _colours(recipe)[recipe.stem]
    st.markdown("**Filters of each layer**")
    draw_chart(
        plan_figure(rows, colour=colour),
        key="pruning_plan",
        alt=f"Filters of each of {len(rows)} layers that stay and that go: {plan_sentence(plan)}",
        file="pruning-plan",
    )
    st.markdown("**Importance of the filters that go and of those that stay**", help=WORDS["Importance"])
    draw_chart(
        importance_figure(rows, colour=colour),
        key="pruning_importance",
        alt="Importance of the filters that go and of those that stay, by layer; the table has the numbers",
        file="pruning-importance",
    )
    st.caption(
        "A layer keeps a multiple of 8 filters, since processors compute in blocks; so the share that goes is not "
        "exactly the ratio."
    )
    with st.expander("The plan as a table, as files, from the command line"):
        st.dataframe(_plan_table(plan), hide_index=True)
        command = recipe.plan_command(ratio)
        with st.container(horizontal=True):
            _download("Filters (CSV)", plan_csv(plan), "pruning-plan.csv", "text/csv")
            _download("Plan (JSON)", plan_json(plan, command), "pruning-plan.json", "application/json")
        st.code(command, language=None, wrap_lines=True)
        if recipe.criterion == "pls_vip":
            st.caption(
                f"This criterion looks at photos. The page shows it the {CROPS} crops that models are tuned on, the "
                "command whole sample photos: so a few filters differ. The command of the curve takes the same crops."
            )


def draw_invitation(recipe: PruningRecipe) -> None:
    """Say what a sweep measures and how long it takes, where there is none to show."""
    ratios = ", ".join(f"{100 * ratio:g}" for ratio in recipe.ratios)
    tuning = "tuned for a short time" if recipe.epochs else "not tuned"
    st.markdown(
        f"A sweep prunes the model at {ratios} %, each {tuning}, and measures agreement, AbsGain and time in "
        f"**about {spoken(expected_seconds(recipe))}** on this machine when nothing else runs. The points appear one "
        "by one, and you may cancel at any time. "
        f"{controls.press('Run the sweep')}."
    )
    draw_curves(recipe, [])


def draw_live(recipe: PruningRecipe, trials: Sequence[Trial]) -> None:
    """Draw the curves while they fill; what no longer rates photos as before is said above them."""
    broken = broken_sentence([point_of(trial) for trial in trials])
    if broken:
        st.warning(broken)
    draw_curves(recipe, trials)


def draw_headline(outcome: PruningOutcome) -> None:
    """Say what pruning did, in a sentence."""
    st.header(headline([point_of(trial) for trial in outcome.trials]), anchor=False)


def draw_curves(recipe: PruningRecipe, trials: Sequence[Trial]) -> None:
    """Draw the three curves with the points so far; nothing while there is none."""
    points = [point_of(trial) for trial in trials]
    others = _others(recipe)
    if not points and not others:
        return
    labelled = bool(points) and all(point.mos is not None for point in points)
    for name, curve in CURVES.items():
        shown = MOS if labelled and name == "agreement" else curve
        st.markdown(f"**{shown.label}**")
        figure = curve_figure(
            shown,
            points,
            name=f"pruned: {CRITERION_NAMES[recipe.criterion]}",
            colour=_colours(recipe)[_PRUNED],
            whole=_colours(recipe)[recipe.stem],
            others=others,
        )
        draw_chart(figure, key=f"pruning_{name}", alt=_curve_alt(shown, points), file=f"pruning-{name}")


def draw_findings(outcome: PruningOutcome) -> None:
    """Say what the figures say, and draw them as a table."""
    points = [point_of(trial) for trial in outcome.trials]
    st.header("What the figures say", anchor=False)
    st.markdown("\n\n".join(findings(points)))
    recipe, device = outcome.recipe, outcome.trials[0].timing.device
    tuning = f"tuned for {recipe.epochs} epochs of {CROPS} crops" if recipe.epochs else "not tuned"
    attacked = outcome.trials[0].card.hardening["attacked"]["crops"]
    st.caption(
        f"{plain(controls.model_title(recipe.stem))}, {CRITERION_NAMES[recipe.criterion]}, "
        f"{SCOPE_NAMES[recipe.scope].lower()}, {tuning}. Agreement on {HELD_OUT} crops of {SIDE} × {SIDE} px of photos "
        f"held out from all tuning. AbsGain under {plain(spell_attack(SHORT_ATTACK))} on {attacked} of them, a first "
        f"impression. Time of one crop in turns with the whole model, on {device}. {WORDS['Agreement']}"
    )
    st.table(_points_table(points), hide_index=True, border="horizontal", alt="Figures of each ratio")


def draw_take_away(outcome: PruningOutcome) -> None:
    """Draw the files, the address and the command of a sweep."""
    recipe = outcome.recipe
    points = [point_of(trial) for trial in outcome.trials]
    charts.format_control()
    with st.container(horizontal=True):
        _download("Curve (CSV)", points_csv(points), f"pruning-{recipe.stem}.csv", "text/csv")
        content = json.dumps(outcome.to_json(), indent=1)
        _download("Curve (JSON)", content, f"pruning-{recipe.stem}.json", "application/json")
        draw_share("plan and curve", st.query_params.to_dict(), KEPT_AN_HOUR)
    st.markdown("**The same points from the command line** (time: `python benchmarks/pruning.py`)")
    st.code(recipe.curve_command(), language=None, wrap_lines=True)


def _others(recipe: PruningRecipe) -> dict[str, list[Point]]:
    """Return the points of the same model that were pruned in another way, by the name of that way."""
    found: dict[str, list[Point]] = {}
    for trial in hardening_cache.trial_store().trials(recipe.model):
        known, pruning = trial.recipe, trial.recipe.pruning
        if known.position is not None or known.start != recipe.variant or pruning.ratio == 0:
            continue
        way = replace(recipe, criterion=pruning.criterion, scope=pruning.scope, epochs=known.epochs)
        if way != recipe and known == way.hardening(pruning.ratio):
            found.setdefault(_way(way), []).append(point_of(trial))
    return {way: sorted(points, key=lambda point: point.ratio) for way, points in found.items()}


def _way(recipe: PruningRecipe) -> str:
    """Return a short name of how a model was pruned."""
    words = [CRITERION_NAMES[recipe.criterion]]
    words += ["all layers together"] if recipe.scope == "global" else []
    words += ["tuned"] if recipe.epochs else []
    return ", ".join(words)


def _colours(recipe: PruningRecipe) -> dict[str, str]:
    """Return the colours of the models that are no trial, and of the pruned one: that which the next model gets."""
    kept = cache.named_models().cards()
    return model_colours([*(stem for stem in cache.cards() if stem not in kept), _PRUNED])


def _curve_alt(curve: Curve, points: Sequence[Point]) -> str:
    if not points:
        return f"{curve.axis} against the pruning ratio; no point yet"
    values = ", ".join(f"{100 * point.ratio:g} %: {curve.value(point):{curve.form}}" for point in points)
    return f"{curve.axis} against the pruning ratio: {values}"


def _download(label: str, content: bytes | str, name: str, mime: str) -> None:
    st.download_button(label, content, name, mime, key=name, on_click="ignore", icon=":material/download:")


def _plan_table(plan: PruningPlan) -> pd.DataFrame:
    """Return one row a layer with counts, and where the importances of the two kinds end and begin."""
    return pd.DataFrame(
        [
            {
                "Layer": row.layer,
                "Filters": row.filters,
                "Go": row.removed,
                "Stay": row.kept,
                "Most important that goes": None if row.removed_importance is None else row.removed_importance[2],
                "Least important that stays": row.kept_importance[0],
            }
            for row in layer_rows(plan)
        ]
    )


def _points_table(points: Sequence[Point]) -> pd.DataFrame:
    """Return one row a ratio, all cells as texts."""
    rows = []
    for point in points:
        mos = {} if point.mos is None else {"SROCC with people (higher = better)": f"{point.mos:.3f}"}
        rows.append(
            {
                "Ratio": f"{100 * point.ratio:g} %",
                "Filters gone": f"{100 * point.removed:.1f} %",
                "Agreement (higher = better)": spell_correlation(point.agreement),
                **mos,
                "AbsGain (nearer 0 = more robust)": f"{point.gain:+.3f}",
                "AbsGain, attack made for the whole model": f"{point.transfer_gain:+.3f}",
                "R-score (higher = more robust)": f"{point.r_score:+.3f}",
                "ms per image (lower = faster)": f"{point.milliseconds:.1f}",
                "Time, whole model = 1": f"{point.time_ratio:.2f}",
            }
        )
    return pd.DataFrame(rows)


def _fewer(before: int, after: int) -> str:
    """Return two large numbers in the unit of the first, such as `1.07 → 0.75 billion`."""
    size, unit = (1e9, "billion") if before >= 1e9 else (1e6, "million")
    return f"{before / size:.2f} → {after / size:.2f} {unit}"
