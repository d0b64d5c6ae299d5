"""The jobs of the page of spectra: what is submitted, what is drawn while one runs, and its outcome."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import streamlit as st

from robustiqa_core.jobs import JobSnapshot
from ui.jobs import page_job
from ui.shell import cache, state
from ui.spectra import session
from ui.spectra.controls import SpectraRequest, estimate_seconds
from ui.spectra.job import spectra_records
from ui.spectra.outcome import OUTCOMES, SpectraOutcome, SpectraStep
from ui.spectra.recipe import SpectraRecipe, View
from ui.spectra.view import kept_as

NOUN = "job"
QUICK_SECONDS = 10.0
"""What takes no longer is run for a new visitor without being asked for."""


def greet(view: View, request: SpectraRequest | None) -> None:
    """Ask for a run where a visitor opens a view for the first time, there is nothing to show, and it is quick."""
    key = f"{session.PREFIX}{view}_{state.GREETED}"
    jobs = session.jobs(view)
    if key in st.session_state:
        return
    st.session_state[key] = True
    untouched = jobs.active is None and jobs.shown is None and jobs.notice is None
    if untouched and request is not None and estimate_seconds(request.recipe) <= QUICK_SECONDS:
        jobs.ask()


def start(request: SpectraRequest) -> None:
    """Submit a run for this visit; one of the same view that is still running is cancelled first."""
    recipe = request.recipe

    def prepare() -> Callable[[], Iterator[SpectraStep | SpectraOutcome]]:
        cards = [cache.cards()[stem] for stem in recipe.models]
        models = [(card, cache.scorer(card.model, card.variant)) for card in cards]
        return partial(spectra_records, recipe, request.photos, models, cache.device())

    jobs = session.jobs(recipe.question.view)
    page_job.start(jobs, recipe, prepare, noun="measurement", heartbeat=page_job.AWAY_SECONDS, keep_as=kept_as(recipe))


def settle(view: View) -> None:
    """Take note of the end of a view's active run, if it has ended; without uploads it is kept for a reload."""
    page_job.settle(session.jobs(view), noun="measurement", cancelled=_cancelled, keep_as=kept_as)


def restore(view: View, request: SpectraRequest | None) -> None:
    """Show the result that the address names, or the one that the controls ask for, if it is kept."""
    named = st.query_params.get(page_job.RESULT, "")
    keys = [named if named.startswith(view) else None, None if request is None else kept_as(request.recipe)]
    page_job.restore(session.jobs(view), keys, OUTCOMES[view], of=SpectraRecipe)


def outcome(view: View) -> SpectraOutcome | None:
    """Return the outcome that is on the view; None if there is none, or it is no longer kept."""
    return cast(SpectraOutcome | None, page_job.shown_result(session.jobs(view)))


def follow(view: View) -> None:
    """Draw the view's active run as it is now, again and again, until it has ended."""
    jobs = session.jobs(view)
    recipe = jobs.recipes[jobs.active or ""]
    if recipe.photos.public:
        st.query_params.from_dict(recipe.address())
    page_job.follow(jobs, lambda snapshot: _draw(snapshot, jobs.recipes[snapshot.id]))
    page_job.draw_away("run", public=recipe.photos.public)


def _draw(snapshot: JobSnapshot, recipe: SpectraRecipe) -> None:
    step = snapshot.record if isinstance(snapshot.record, SpectraStep) else None
    share = 0.0 if step is None else min(0.99, step.share)
    left = page_job.time_left(snapshot, share, expected=estimate_seconds(recipe))
    text = page_job.waiting_text(snapshot, NOUN) if step is None else step.doing + left
    page_job.draw_progress(snapshot, share, text)


def _cancelled(snapshot: JobSnapshot) -> str:
    return f"Cancelled after {snapshot.seconds:.0f} s." if snapshot.records else "Cancelled before it began."
