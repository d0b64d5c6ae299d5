"""The score against the attack's strength: requested below a result, drawn during and after the run."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import cast

import plotly.graph_objects as go
import streamlit as st

from robustiqa_core.jobs import JobSnapshot
from ui.attacks.batch_recipe import BatchRecipe
from ui.jobs.page_job import AWAY_SECONDS, LIVE_REGION, PageJob
from ui.jobs.progress import Progress
from ui.lab import session
from ui.lab.single_photo import photo_of
from ui.lab.sweep_figure import sweep_figure
from ui.lab.sweep_job import SweepOutcome, SweepPoint, SweepRecipe, SweepStep, point_of, sweep_csv, sweep_records
from ui.shell import cache, controls
from ui.shell.charts import draw_chart, draw_live_chart
from ui.shell.figures import model_colours

NOUN = "sweep"
SWEEP = "sweep"
"""Query parameter that asks for the sweep, too."""


def address() -> dict[str, str]:
    """Return what the page's address says about a sweep; once asked for, it stays there."""
    jobs = session.sweep_jobs()
    wanted = SWEEP in st.query_params and not jobs.recipes
    return {SWEEP: "yes"} if wanted or jobs.active is not None or jobs.shown is not None else {}


def draw_sweep(shown: BatchRecipe) -> None:
    """Draw the sweep of the run that is shown: the button, its progress, or its curve.

    Args:
        shown: the run, of one photo.
    """
    jobs, recipe = session.sweep_jobs(), SweepRecipe(shown.photos[0], shown.models, shown.attack)
    st.subheader("Score against strength", anchor=False)
    JOB.settle()
    first_look = SWEEP in st.query_params and not jobs.recipes and jobs.notice is None
    if jobs.asked or first_look:
        jobs.notice = None
        JOB.start(recipe, partial(_prepare, recipe))
    JOB.draw_notice()
    if jobs.active is not None:
        JOB.follow()
        return
    outcome = JOB.result()
    if outcome is None or _apart(outcome.recipe) != _apart(recipe):
        st.markdown("Run the same attack on this photo at all strengths, next to random noise.")
        st.button("Try all strengths", key="sweep_run", icon=":material/show_chart:", on_click=jobs.ask)
        return
    _draw_done(outcome)


def _apart(recipe: SweepRecipe) -> object:
    """Return what tells two sweeps apart: their attacks may start at different strengths."""
    return recipe.photo, recipe.models, recipe.attacks()


def _prepare(recipe: SweepRecipe) -> Callable[[], Iterator[SweepStep | SweepOutcome]]:
    scorers = [cache.scorer(model, variant) for model, variant in recipe.models]
    return partial(sweep_records, recipe, scorers, photo_of(recipe.photo), cache.device())


def _kept_as(recipe: SweepRecipe) -> str | None:
    weights = [cache.weights(f"{model}-{variant}") for model, variant in recipe.models]
    return recipe.key(weights) if recipe.photo.source == "sample" else None


def _progress(snapshot: JobSnapshot, recipe: SweepRecipe) -> Progress:
    share = snapshot.record.share if isinstance(snapshot.record, SweepStep) else 0.0
    return Progress(share, f"{len(snapshot.trace)} attacks are done")


def _beside(snapshot: JobSnapshot, recipe: SweepRecipe) -> Callable[[], None]:
    points = cast(Sequence[SweepPoint], snapshot.trace)
    alt = f"The score against the strength of the attack, {len(points)} attacks so far"
    return partial(draw_live_chart, _figure(recipe, points), key="live_sweep", alt=alt)


def _draw_done(outcome: SweepOutcome) -> None:
    recipe = outcome.recipe
    alt = f"The score against the strength of the attack, {len(outcome.points)} attacks; the file has the numbers"
    draw_chart(_figure(recipe, outcome.points), key="sweep_curve", alt=alt, file="strengths")
    st.caption(
        "Each score is that of the stored PNG, as a share of the model's usual range: 0 and 1 are the lowest and "
        "highest scores in training. Flat = robust. Dashed: random noise of the same size, which an attack has to beat."
    )
    st.download_button(
        "Curve (CSV)",
        sweep_csv(recipe, outcome.points),
        "score-against-strength.csv",
        "text/csv",
        key="download_sweep",
        on_click="ignore",
        icon=":material/download:",
    )
    st.markdown("**The same numbers from the command line**")
    st.code(recipe.command(device=outcome.device), language=None, wrap_lines=True)


def _figure(recipe: SweepRecipe, points: Sequence[SweepPoint]) -> go.Figure:
    cards = cache.cards()
    return sweep_figure(
        points,
        budget=recipe.budget,
        ranges={stem: card.score_range for stem, card in cards.items()},
        colours=model_colours(cards),
        names={stem: controls.model_title(stem) for stem in cards},
    )


JOB = PageJob(
    noun=NOUN,
    remembered=session.sweep_jobs,
    recipe=SweepRecipe,
    outcome=SweepOutcome,
    progress=_progress,
    beside=_beside,
    cancelled=lambda snapshot: "The sweep was cancelled.",
    keep_as=_kept_as,
    trace=point_of,
    heartbeat=AWAY_SECONDS,
    queued=NOUN,
    region=f"{LIVE_REGION}_sweep",
)
