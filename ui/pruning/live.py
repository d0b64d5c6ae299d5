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
from ui.jobs import page_job
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

NOUN = "job"


def data_of(recipe: HardeningRecipe) -> TuningData:
    """Return what a point is measured on.

    Raises:
        RobustIQAError: the photos cannot be read.
    """
    return tuning_data(recipe, None if recipe.is_distillation else hardening_cache.labelled())


def start(recipe: PruningRecipe) -> None:
    """Submit a sweep for this visit; one that is still running for it is cancelled first."""

    def prepare() -> Callable[[], Iterator[PruningRecord]]:
        network = hardening_cache.network(recipe.model, recipe.variant)
        card = cache.cards()[recipe.stem]
        source = PruningSource(network, card, hardening_cache.computed(), hardening_cache.trial_store(), data_of)
        return partial(pruning_records, recipe, source)

    page_job.start(
        session.jobs(),
        recipe,
        prepare,
        noun="sweep",
        trace=point_of,
        heartbeat=page_job.AWAY_SECONDS,
        keep_as=kept_as(recipe),
    )


def kept_as(recipe: PruningRecipe) -> str:
    """Return the key under which a sweep's curve is kept."""
    return recipe.key([cache.weights(recipe.stem)])


def settle() -> None:
    """Take note of the end of the active sweep, if it has ended; its points are kept for a reload of the page."""
    page_job.settle(session.jobs(), noun="sweep", cancelled=_cancelled, keep_as=kept_as)


def restore() -> None:
    """Show the sweep that the address names, if it is kept; what others ran is not what a visitor begins with."""
    named = st.query_params.get(page_job.RESULT)
    page_job.restore(session.jobs(), [named], PruningOutcome, of=PruningRecipe)


def outcome() -> PruningOutcome | None:
    """Return the outcome that is on the page; None if there is none, or it is no longer kept."""
    found = page_job.shown_result(session.jobs())
    return found if isinstance(found, PruningOutcome) else None


def follow(draw: Callable[[PruningRecipe, Sequence[Trial]], None]) -> None:
    """Draw the active sweep until it has ended: its progress again and again, its curves whenever there is a point.

    Args:
        draw: draws the curves.
    """
    jobs = session.jobs()
    snapshot = page_job.active_snapshot(jobs)
    if snapshot is None:
        st.rerun()
    trials = cast(Sequence[Trial], snapshot.trace)
    page_job.follow(jobs, lambda newest: _draw(newest, jobs.recipes[newest.id], drawn=len(trials)))
    draw(jobs.recipes[snapshot.id], trials)
    st.query_params[page_job.RESULT] = kept_as(jobs.recipes[snapshot.id])
    page_job.draw_away("sweep")


def _draw(snapshot: JobSnapshot, recipe: PruningRecipe, *, drawn: int) -> None:
    if len(snapshot.trace) > drawn:
        st.rerun()
    step = snapshot.record.step if isinstance(snapshot.record, NewPoint) else snapshot.record
    if not isinstance(step, PruningStep):
        page_job.draw_progress(
            snapshot, 0.0, page_job.waiting_text(snapshot, NOUN) if snapshot.position else "Starting"
        )
        return
    share = min(0.99, step.share)
    # Once there is a point, the pace of this sweep says more than any estimate.
    left = page_job.time_left(snapshot, share, expected=None if drawn else expected_seconds(recipe))
    text = f"Point {step.number} of {step.points}, {100 * step.ratio:g} %: {step.doing}{left}"
    page_job.draw_progress(snapshot, share, text)


def _cancelled(snapshot: JobSnapshot) -> str:
    done = len(snapshot.trace)
    if not done:
        return "Cancelled before the first point was measured."
    return f"Cancelled after {done} point{'' if done == 1 else 's'}. Run it again: what was measured is not lost."
