"""Work that a page does in the background: started, followed, cancelled, ended, found again. Said once for all pages.

A feature says what its work is called, how its progress is drawn and what is kept, in a `PageJob`, and how a recipe
becomes an iterator of records when it starts one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import streamlit as st

from robustiqa_core.errors import InputError, RobustIQAError
from robustiqa_core.jobs import HEARTBEAT, JobSnapshot
from ui.jobs import cache as jobs_cache
from ui.jobs.progress import Progress, cancel, draw_away, draw_progress, waiting_text
from ui.jobs.results import Shelf
from ui.shell import cache, state
from ui.shell.components.live_region import live_region
from ui.shell.markdown import sentence
from ui.shell.state import PageJobs

POLL_SECONDS = 0.4
"""Often enough to look alive; at 0.1 s Streamlit loses uploads that happen meanwhile."""
LIVE_REGION = "live_region"
"""Key of what tells screen readers that a run has ended."""
RESULT = "result"
"""Query parameter that names a kept result."""
AWAY_SECONDS = 900.0
"""Seconds that a long job goes on while its visitor is on another page. Closing the page ends it at once."""

RecipeT = TypeVar("RecipeT")
OutcomeT = TypeVar("OutcomeT")
Records = Callable[[], Iterator[Any]]
"""What the queue calls for the records of a job."""
Drawing = Callable[[], None]


def _not_kept(recipe: object) -> str | None:
    return None


def _silent(snapshot: JobSnapshot) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageJob(Generic[RecipeT, OutcomeT]):
    """One kind of work of a page, from the press of its button to its result.

    Args:
        noun: what it is called, such as `comparison`.
        remembered: returns what this visit remembers of it.
        recipe: kind of what decides its numbers.
        outcome: kind of its last record; what an address names may be anything.
        progress: returns how far a job is that runs; it is quick, since the job waits while it is drawn.
        beside: makes what is drawn below the bar, and returns what draws it; None for nothing.
        cancelled: returns how far a job came that was cancelled, as a sentence.
        keep_as: returns the key under which a result is kept for everybody on this server, for a reload of the page
            and for its address; None where it is a visitor's own and ends with the visit.
        address: returns the query parameters of a job that runs and is kept; None where the page sees to that.
        trace: as for `JobQueue.submit`.
        redraws: whether the whole page is drawn anew with each note that `trace` makes.
        heartbeat: as for `JobQueue.submit`.
        lasting: whether `restore` finds a job by its id after a reload, though its result is not kept.
        queued: what the jobs are called that this one waits for.
        asked_for: whether somebody asked for it; else a line says how far it is, without a button.
        region: name of the live region, where a page has several kinds of jobs; it begins with `LIVE_REGION`.
    """

    noun: str
    remembered: Callable[[], PageJobs[RecipeT]]
    recipe: type[RecipeT]
    outcome: type[OutcomeT]
    progress: Callable[[JobSnapshot, RecipeT], Progress]
    beside: Callable[[JobSnapshot, RecipeT], Drawing] | None = None
    cancelled: Callable[[JobSnapshot], str] = _silent
    keep_as: Callable[[RecipeT], str | None] = _not_kept
    address: Callable[[RecipeT], Mapping[str, str]] | None = None
    trace: Callable[[Any], object] | None = None
    redraws: bool = False
    heartbeat: float = HEARTBEAT
    lasting: bool = False
    queued: str = "job"
    asked_for: bool = True
    region: str = LIVE_REGION

    def greet(self, place: str, seconds: float | None, *, quick: float) -> None:
        """Ask for a run where a new visitor opens a page that has nothing to show, and it does not take long.

        Args:
            place: prefix of the page's keys.
            seconds: that the run would take; None where there is nothing to run.
            quick: seconds that a new visitor waits without having asked.
        """
        key, jobs = f"{place}{state.GREETED}", self.remembered()
        if key in st.session_state:
            return
        st.session_state[key] = True
        if (jobs.active, jobs.shown, jobs.notice) == (None, None, None) and seconds is not None and seconds <= quick:
            jobs.ask()

    def start(self, recipe: RecipeT, prepare: Callable[[], Records]) -> None:
        """Submit a job for this visit; one that is still active is cancelled first.

        Where a result of the same key is kept it is shown at once, unless it is on the page already: then it is
        computed anew. Where a job of the same key runs, the page follows that one.

        Args:
            recipe: what the job runs.
            prepare: loads what the job needs; an error of the core in it becomes the page's notice.
        """
        jobs, key = self.remembered(), self.keep_as(recipe)
        jobs.asked = False
        self.cancel()
        if key is not None and key != jobs.shown and self._found(key, recipe):
            return
        try:
            make = prepare()
            jobs.active = cache.jobs().submit(
                make if key is None else partial(_kept, make, key, jobs_cache.shelf()),
                owner=cache.owner(),
                trace=self.trace,
                heartbeat=self.heartbeat,
                key=key,
                about=recipe,
                lasting=self.lasting or key is not None,
            )
        except RobustIQAError as error:
            jobs.active = None
            jobs.notice = state.Notice("error", f"The {self.noun} could not be started. {sentence(error)}")
            return
        jobs.recipes[jobs.active] = recipe

    def _found(self, key: str, recipe: RecipeT) -> bool:
        """Show the kept result of a key, or follow the job that computes it; return whether there is one."""
        jobs = self.remembered()
        if jobs_cache.shelf().get(key) is not None:
            jobs.active, jobs.shown = None, key
            jobs.recipes[key] = recipe
            return True
        joined = cache.jobs().join(key, cache.owner())
        if joined is None or not cache.jobs().snapshot(joined[0]).active:
            return False
        jobs.active = joined[0]
        jobs.recipes[jobs.active] = recipe
        return True

    def cancel(self) -> None:
        """Cancel the active job, if there is one."""
        active = self.remembered().active
        if active is not None:
            cancel(active)

    def settle(self) -> None:
        """Take note of the end of the active job, if it has ended: its result is shown from now on."""
        jobs = self.remembered()
        if jobs.active is None:
            return
        try:
            snapshot = cache.jobs().snapshot(jobs.active)
        except InputError:
            # The connection was lost for a moment, and with it what the visit had left running.
            jobs.active = None
            jobs.notice = state.Notice("info", f"The connection was lost during the {self.noun}. Run it again.")
            return
        if snapshot.active and cache.jobs().has(snapshot.id, cache.owner()):
            return
        jobs.active = None
        if snapshot.state == "done":
            jobs.ended = f"The {self.noun} has ended. Its result is shown."
            self._show(snapshot)
        elif snapshot.state == "failed":
            jobs.notice = state.Notice("error", f"The {self.noun} failed. {sentence(snapshot.error)}")
        else:
            jobs.notice = state.Notice("info", snapshot.error or self.cancelled(snapshot))
        jobs.keep_needed_recipes()

    def _show(self, snapshot: JobSnapshot) -> None:
        jobs, shelf = self.remembered(), jobs_cache.shelf()
        recipe = jobs.recipes[snapshot.id]
        key = self.keep_as(recipe)
        if key is not None and shelf.get(key) is None:
            shelf.put(key, snapshot.record)
        # What is too large to be kept for everybody stays with its job.
        jobs.shown = snapshot.id if key is None or shelf.get(key) is None else key
        jobs.recipes[jobs.shown] = recipe

    def restore(self, *keys: str | None) -> None:
        """Show a kept result where the page has nothing to show, as after a reload; note where one is gone.

        A job of one of the keys that still runs is followed again, and one of a visitor's own that is done is shown.

        Args:
            keys: under which it may be kept, the first one that is there counts.
        """
        jobs, named = self.remembered(), [key for key in keys if key]
        if jobs.active is not None:
            return
        if jobs.shown is not None and _shown(jobs) is None:
            jobs.shown, jobs.notice = None, state.Notice("info", "The result is no longer kept. Run it again.")
        for key in named:
            if jobs.shown is None and isinstance(jobs_cache.shelf().get(key), self.outcome):
                jobs.shown = key
        if jobs.shown is None:
            self._rejoin(named)

    def restore_named(self, recipe: RecipeT | None) -> None:
        """Show what the address names, or what the controls ask for, if it is kept.

        Args:
            recipe: of the controls; None while they ask for nothing.
        """
        self.restore(st.query_params.get(RESULT), None if recipe is None else self.keep_as(recipe))

    def _rejoin(self, keys: Sequence[str]) -> None:
        jobs = self.remembered()
        for key in keys:
            found = cache.jobs().join(key, cache.owner())
            if found is None:
                continue
            job, recipe = found
            if not isinstance(recipe, self.recipe):
                continue
            snapshot = cache.jobs().snapshot(job)
            if snapshot.active:
                jobs.active = job
            elif job == key and isinstance(snapshot.record, self.outcome):
                # A visitor's own, named by its id; what everybody may see is on the shelf as long as it is kept.
                jobs.shown = job
            else:
                continue
            jobs.asked, jobs.recipes[job] = False, recipe
            return

    def result(self) -> OutcomeT | None:
        """Return the result that is on the page; None if there is none, or it is no longer kept."""
        found = _shown(self.remembered())
        return found if isinstance(found, self.outcome) else None

    def draw_notice(self) -> None:
        """Draw the sentence about the last run, if there is one, and say its end to who cannot see it."""
        self.announce()
        notice = self.remembered().notice
        if notice is not None:
            (st.error if notice.kind == "error" else st.info)(notice.text)

    def announce(self) -> None:
        """Say to screen readers that a run has ended, and how; a page draws this at the same place in each run."""
        jobs = self.remembered()
        said = "" if jobs.active is not None else jobs.ended if jobs.notice is None else jobs.notice.text
        live_region(said.replace("\\", ""), key=self.region)

    def follow(self) -> JobSnapshot:
        """Draw the active job again and again until it has ended; return how it was when the page was drawn."""
        jobs, snapshot = self.remembered(), self.active()
        if snapshot is None:
            st.rerun()
        recipe = jobs.recipes[snapshot.id]
        if self.address is not None and self.keep_as(recipe) is not None:
            st.query_params.from_dict(self.address(recipe))
        _follow(self, len(snapshot.trace))
        return snapshot

    def draw_away(self, noun: str = "") -> None:
        """Say what becomes of the active job when nobody looks at it; `noun` if it has another one here."""
        jobs = self.remembered()
        recipe = jobs.recipes[jobs.active or ""]
        draw_away(noun or self.noun, public=self.keep_as(recipe) is not None)

    def active(self) -> JobSnapshot | None:
        """Return the job that waits or runs, and say that somebody waits for it; None where there is none."""
        jobs = self.remembered()
        if jobs.active is None:
            return None
        try:
            cache.jobs().touch(jobs.active, cache.owner())
            snapshot = cache.jobs().snapshot(jobs.active)
        except InputError:
            return None
        return snapshot if snapshot.active and cache.jobs().has(snapshot.id, cache.owner()) else None

    def draw(self, snapshot: JobSnapshot) -> None:
        """Draw how far a job is, and what is known of its result."""
        recipe = self.remembered().recipes[snapshot.id]
        if not self.asked_for:
            st.caption(self.progress(snapshot, recipe).doing)
            return
        queued = snapshot.state == "queued"
        progress = Progress(0.0, waiting_text(snapshot, self.queued)) if queued else self.progress(snapshot, recipe)
        # What takes time is made before anything is drawn: elements fade while the page waits for their next version.
        drawing = None if self.beside is None else self.beside(snapshot, recipe)
        draw_progress(snapshot, progress)
        if drawing is not None:
            drawing()


@st.fragment(run_every=POLL_SECONDS)
def _follow(job: PageJob[Any, Any], seen: int) -> None:
    """Draw the active job as it is now; draw the whole page where it has ended, or there is more than was `seen`."""
    snapshot = job.active()
    if snapshot is None or (job.redraws and len(snapshot.trace) > seen):
        st.rerun()
    job.draw(snapshot)


def _kept(make: Records, key: str, shelf: Shelf) -> Iterator[Any]:
    """Yield what a job yields, and put its result on the shelf, whether a page waits for it or none does any more."""
    records, newest = make(), None
    try:
        for newest in records:
            yield newest
        if newest is not None:
            shelf.put(key, newest)
    finally:
        close = getattr(records, "close", None)
        if close is not None:
            close()


def _shown(jobs: PageJobs[Any]) -> object | None:
    """Return what is on the page, kept or of a job; None if there is nothing, or it is gone."""
    kept = None if jobs.shown is None else jobs_cache.shelf().get(jobs.shown)
    if kept is not None or jobs.shown is None:
        return kept
    try:
        return cache.jobs().snapshot(jobs.shown).record
    except InputError:
        return None
