"""The sweep's job on the page: what is submitted, what is drawn while it runs, and its outcome."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import cast

import streamlit as st

from robustiqa_core.hardening import HardeningRecipe, TuningData
from robustiqa_core.jobs import JobSnapshot
from ui.hardening import cache as hardening_cache
from ui.hardening.data import tuning_data
from ui.hardening.job import Trial
from ui.jobs.page_job import AWAY_SECONDS, RESULT, PageJob
from ui.jobs.progress import STARTING, Progress
from ui.pruning import session
from ui.pruning.controls import expected_seconds
from ui.pruning.job import (
    NewPoint,
    PruningOutcome,
    PruningRecord,
    PruningSource,
    PruningStep,
    point_of,
    pruning_records,
)
from ui.pruning.recipe import PruningRecipe
from ui.shell import cache


def data_of(recipe: HardeningRecipe) -> TuningData:
    """Return what a point is measured on.

    Raises:
        RobustIQAError: the photos cannot be read.
    """
    return tuning_data(recipe, None if recipe.is_distillation else hardening_cache.labelled())


def start(recipe: PruningRecipe) -> None:
    """Submit a sweep for this visit; one that is still running for it is cancelled first."""
    JOB.start(recipe, partial(_prepare, recipe))


def _prepare(recipe: PruningRecipe) -> Callable[[], Iterator[PruningRecord]]:
    network = hardening_cache.network(recipe.model, recipe.variant)
    card = cache.cards()[recipe.stem]
    source = PruningSource(network, card, hardening_cache.computed(), hardening_cache.trial_store(), data_of)
    return partial(pruning_records, recipe, source)


def kept_as(recipe: PruningRecipe) -> str:
    """Return the key under which a sweep's curve is kept."""
    return recipe.key([cache.weights(recipe.stem)])


def follow(draw: Callable[[PruningRecipe, Sequence[Trial]], None]) -> None:
    """Draw the active sweep until it has ended: its progress again and again, its curves whenever there is a point.

    Args:
        draw: draws the curves.
    """
    snapshot = JOB.follow()
    recipe = session.jobs().recipes[snapshot.id]
    draw(recipe, cast(Sequence[Trial], snapshot.trace))
    st.query_params[RESULT] = kept_as(recipe)
    JOB.draw_away()


def _progress(snapshot: JobSnapshot, recipe: PruningRecipe) -> Progress:
    step = snapshot.record.step if isinstance(snapshot.record, NewPoint) else snapshot.record
    if not isinstance(step, PruningStep):
        return Progress(0.0, STARTING)
    doing = f"Point {step.number} of {step.points}, {100 * step.ratio:g} %: {step.doing}"
    # Once there is a point, the pace of this sweep says more than any estimate.
    return Progress(step.share, doing, None if snapshot.trace else expected_seconds(recipe))


def _cancelled(snapshot: JobSnapshot) -> str:
    done = len(snapshot.trace)
    if not done:
        return "Cancelled before the first point was measured."
    return f"Cancelled after {done} point{'' if done == 1 else 's'}. Run it again: what was measured is not lost."


JOB = PageJob(
    noun="sweep",
    remembered=session.jobs,
    recipe=PruningRecipe,
    outcome=PruningOutcome,
    progress=_progress,
    cancelled=_cancelled,
    keep_as=kept_as,
    trace=point_of,
    redraws=True,
    heartbeat=AWAY_SECONDS,
)
