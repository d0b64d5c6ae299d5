"""The jobs of the page of spectra: what is submitted, what is drawn while one runs, and its outcome."""

from collections.abc import Callable, Iterator
from functools import partial

import streamlit as st

from robustiqa_core.jobs import JobSnapshot
from ui.jobs.page_job import AWAY_SECONDS, RESULT, PageJob
from ui.jobs.progress import STARTING, Progress
from ui.shell import cache
from ui.spectra import session
from ui.spectra.controls import SpectraRequest, estimate_seconds
from ui.spectra.job import spectra_records
from ui.spectra.outcome import OUTCOMES, SpectraOutcome, SpectraStep
from ui.spectra.recipe import VIEWS, SpectraRecipe, View
from ui.spectra.view import kept_as

QUICK_SECONDS = 10.0
"""What takes no longer is run for a new visitor without being asked for."""


def job(view: View) -> PageJob[SpectraRecipe, SpectraOutcome]:
    """Return the job of a view; each view has its own."""
    return _JOBS[view]


def greet(view: View, request: SpectraRequest | None) -> None:
    """Ask for a run where a visitor opens a view for the first time, there is nothing to show, and it is quick."""
    seconds = None if request is None else estimate_seconds(request.recipe)
    job(view).greet(f"{session.PREFIX}{view}_", seconds, quick=QUICK_SECONDS)


def start(request: SpectraRequest) -> None:
    """Submit a run for this visit; one of the same view that is still running is cancelled first."""
    job(request.recipe.question.view).start(request.recipe, partial(_prepare, request))


def _prepare(request: SpectraRequest) -> Callable[[], Iterator[SpectraStep | SpectraOutcome]]:
    cards = [cache.cards()[stem] for stem in request.recipe.models]
    models = [(card, cache.scorer(card.model, card.variant)) for card in cards]
    return partial(spectra_records, request.recipe, request.photos, models, cache.device())


def restore(view: View, request: SpectraRequest | None) -> None:
    """Show the result that the address names, or the one that the controls ask for, if it is kept."""
    named = st.query_params.get(RESULT, "")
    job(view).restore(
        # Another view's result is nothing to go on with here.
        named if named.startswith(view) else None,
        None if request is None else kept_as(request.recipe),
    )


def follow(view: View) -> None:
    """Draw the view's active run as it is now, again and again, until it has ended."""
    job(view).follow()
    job(view).draw_away("run")


def _progress(snapshot: JobSnapshot, recipe: SpectraRecipe) -> Progress:
    step = snapshot.record
    if not isinstance(step, SpectraStep):
        return Progress(0.0, STARTING)
    return Progress(step.share, step.doing, estimate_seconds(recipe))


def _cancelled(snapshot: JobSnapshot) -> str:
    return f"Cancelled after {snapshot.seconds:.0f} s." if snapshot.records else "Cancelled before it began."


_JOBS: dict[View, PageJob[SpectraRecipe, SpectraOutcome]] = {
    view: PageJob(
        noun="measurement",
        remembered=partial(session.jobs, view),
        recipe=SpectraRecipe,
        outcome=OUTCOMES[view],
        progress=_progress,
        cancelled=_cancelled,
        keep_as=kept_as,
        address=SpectraRecipe.address,
        heartbeat=AWAY_SECONDS,
    )
    for view in VIEWS
}
