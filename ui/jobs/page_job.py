"""A job on a page: start it, follow it, take note of its end, find its result. The same for every page."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import streamlit as st

from robustiqa_core.errors import InputError, RobustIQAError
from robustiqa_core.jobs import HEARTBEAT, JobSnapshot
from ui.jobs import cache as jobs_cache
from ui.jobs.estimate import spoken
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
_COUNTED_DOWN = 100.0
"""Seconds below which the time that is left is counted down one by one."""

RecipeT = TypeVar("RecipeT")
Prepare = Callable[[], Callable[[], Iterator[Any]]]
"""Loads what a job needs, and returns what the queue calls for its records."""


def greet(jobs: PageJobs[RecipeT], place: str, seconds: float | None, *, quick: float) -> None:
    """Ask for a run where a new visitor opens a page that has nothing to show, and it does not take long.

    Args:
        jobs: of the page.
        place: prefix of the page's keys.
        seconds: that the run would take; None where there is nothing to run.
        quick: seconds that a new visitor waits without having asked.
    """
    key = f"{place}{state.GREETED}"
    if key in st.session_state:
        return
    st.session_state[key] = True
    if (jobs.active, jobs.shown, jobs.notice) == (None, None, None) and seconds is not None and seconds <= quick:
        jobs.ask()


def start(
    jobs: PageJobs[RecipeT],
    recipe: RecipeT,
    prepare: Prepare,
    *,
    noun: str,
    trace: Callable[[Any], object] | None = None,
    heartbeat: float = HEARTBEAT,
    keep_as: str | None = None,
    lasting: bool = False,
) -> None:
    """Submit a job for this visit; one that is still active for the page is cancelled first.

    Where a result of the same key is kept it is shown at once, unless it is on the page already: then it is computed
    anew. Where a job of the same key runs, the page follows that one.

    Args:
        jobs: of the page.
        recipe: what the job runs.
        prepare: called at once; an error of the core in it becomes the page's notice.
        noun: what the job is called, such as `attack`.
        trace: as for `JobQueue.submit`.
        heartbeat: as for `JobQueue.submit`.
        keep_as: key under which the result is kept for everybody on this server; None where it is a visitor's own.
        lasting: whether `restore` finds the job again after a reload, by its key or id.
    """
    jobs.asked = False
    if jobs.active is not None:
        cancel(jobs.active)
    if keep_as is not None and keep_as != jobs.shown:
        if jobs_cache.shelf().get(keep_as) is not None:
            jobs.active, jobs.shown = None, keep_as
            jobs.recipes[keep_as] = recipe
            return
        joined = cache.jobs().join(keep_as, cache.owner())
        if joined is not None and cache.jobs().snapshot(joined[0]).active:
            jobs.active = joined[0]
            jobs.recipes[jobs.active] = recipe
            return
    try:
        make = prepare()
        jobs.active = cache.jobs().submit(
            make if keep_as is None else partial(_kept, make, keep_as, jobs_cache.shelf()),
            owner=cache.owner(),
            trace=trace,
            heartbeat=heartbeat,
            key=keep_as,
            about=recipe,
            lasting=lasting or keep_as is not None,
        )
    except RobustIQAError as error:
        jobs.active = None
        jobs.notice = state.Notice("error", f"The {noun} could not be started. {sentence(error)}")
        return
    jobs.recipes[jobs.active] = recipe


def _kept(make: Callable[[], Iterator[Any]], key: str, shelf: Shelf) -> Iterator[Any]:
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


def settle(
    jobs: PageJobs[RecipeT],
    *,
    noun: str,
    cancelled: Callable[[JobSnapshot], str],
    keep_as: Callable[[RecipeT], str | None] = lambda recipe: None,
) -> None:
    """Take note of the end of the active job, if it has ended: its result is shown from now on.

    Args:
        jobs: of the page.
        noun: what the job is called.
        cancelled: returns how far a job came that was cancelled, as a sentence.
        keep_as: returns the key under which a result is kept for a reload of the page and for its address; None where
            it must end with the visit.
    """
    if jobs.active is None:
        return
    try:
        snapshot = cache.jobs().snapshot(jobs.active)
    except InputError:
        # The connection was lost for a moment, and with it what the visit had left running.
        jobs.active = None
        jobs.notice = state.Notice("info", f"The connection was lost during the {noun}. Run it again.")
        return
    if snapshot.active and cache.jobs().has(snapshot.id, cache.owner()):
        return
    jobs.active = None
    if snapshot.state == "done":
        jobs.ended = f"The {noun} has ended. Its result is shown."
        recipe = jobs.recipes[snapshot.id]
        key = keep_as(recipe)
        if key is not None and jobs_cache.shelf().get(key) is None:
            jobs_cache.shelf().put(key, snapshot.record)
        # What is too large to be kept for everybody stays with its job.
        jobs.shown = snapshot.id if key is None or jobs_cache.shelf().get(key) is None else key
        jobs.recipes[jobs.shown] = recipe
    elif snapshot.state == "failed":
        jobs.notice = state.Notice("error", f"The {noun} failed. {sentence(snapshot.error)}")
    else:
        jobs.notice = state.Notice("info", snapshot.error or cancelled(snapshot))
    jobs.keep_needed_recipes()


def shown_snapshot(jobs: PageJobs[RecipeT]) -> JobSnapshot | None:
    """Return the job whose result is on the page; None if there is none, or it is no longer known."""
    if jobs.shown is None:
        return None
    try:
        return cache.jobs().snapshot(jobs.shown)
    except InputError:
        return None


def shown_result(jobs: PageJobs[RecipeT]) -> object | None:
    """Return the result that is on the page, kept or of a job; None if there is none, or it is gone."""
    kept = None if jobs.shown is None else jobs_cache.shelf().get(jobs.shown)
    if kept is not None:
        return kept
    snapshot = shown_snapshot(jobs)
    return None if snapshot is None else snapshot.record


def draw_notice(jobs: PageJobs[RecipeT], *, region: str = LIVE_REGION) -> None:
    """Draw the sentence about the last run, if there is one, and say its end to who cannot see it.

    Args:
        jobs: of the page.
        region: name of the live region, where a page has several kinds of jobs; it begins with `LIVE_REGION`.
    """
    announce(jobs, region=region)
    if jobs.notice is not None:
        (st.error if jobs.notice.kind == "error" else st.info)(jobs.notice.text)


def announce(jobs: PageJobs[RecipeT], *, region: str = LIVE_REGION) -> None:
    """Say to screen readers that a run has ended, and how; a page draws this at the same place in each of its runs."""
    said = "" if jobs.active is not None else jobs.ended if jobs.notice is None else jobs.notice.text
    live_region(said.replace("\\", ""), key=region)


@st.fragment(run_every=POLL_SECONDS)
def follow(jobs: PageJobs[RecipeT], draw: Callable[[JobSnapshot], None]) -> None:
    """Draw the active job as it is now, again and again, until it has ended.

    Args:
        jobs: of the page.
        draw: draws a few things quickly; while it draws, the job computes more slowly.
    """
    snapshot = active_snapshot(jobs)
    if snapshot is None:
        st.rerun()
    draw(snapshot)


def active_snapshot(jobs: PageJobs[RecipeT]) -> JobSnapshot | None:
    """Return the job that waits or runs for the page, and say that somebody waits for it; None where there is none."""
    if jobs.active is None:
        return None
    try:
        cache.jobs().touch(jobs.active, cache.owner())
        snapshot = cache.jobs().snapshot(jobs.active)
    except InputError:
        return None
    return snapshot if snapshot.active and cache.jobs().has(snapshot.id, cache.owner()) else None


def draw_progress(snapshot: JobSnapshot, share: float, text: str) -> None:
    """Draw the bar of a job with its text, and the button that cancels it.

    Args:
        snapshot: the job.
        share: of the work that is done, 0 to 1.
        text: what is going on.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(1.0, max(0.0, share)), text=text)
        st.button("Cancel", key=state.CANCEL, icon=":material/close:", on_click=cancel, args=(snapshot.id,))


def draw_away(noun: str, *, public: bool = True) -> None:
    """Say what becomes of a run that nobody looks at.

    Args:
        noun: what it is called.
        public: whether a page that is loaded anew finds it again.
    """
    if public:
        st.caption(
            f"You may go to another page or reload this one; closing the page cancels the {noun} after a minute."
        )
    else:
        st.caption(f"You may go to another page and come back; closing or reloading this one ends the {noun}.")


def waiting_text(snapshot: JobSnapshot, noun: str) -> str:
    """Return how many jobs are ahead of one that waits."""
    others = f"one {noun} is" if snapshot.position == 1 else f"{snapshot.position} {noun}s are"
    return f"Waiting: {others} ahead of yours."


def time_left(snapshot: JobSnapshot, share: float, *, expected: float | None = None) -> str:
    """Return how long a running job still takes, such as `. About 12 s left`; nothing at its beginning and end.

    Args:
        snapshot: the job.
        share: of the work that is done.
        expected: seconds that the whole job was estimated at; what was measured since counts the more, the more of the
            work is done. Without it only that counts.
    """
    if not 0.0 < share < 1.0:
        return ""
    total = snapshot.seconds / share
    if expected is not None:
        total = share * total + (1.0 - share) * expected
    left = (1.0 - share) * total
    return f". About {f'{max(1, round(left))} s' if left < _COUNTED_DOWN else spoken(left)} left"


def cancel(job: str) -> None:
    """End a job for this visit, and altogether if nobody else waits for it; nothing happens if it has ended."""
    try:
        cache.jobs().leave(job, cache.owner())
    except InputError:
        # Gone already, which is what was asked for.
        return


def restore(
    jobs: PageJobs[RecipeT], keys: Sequence[str | None], kind: type, *, of: type[RecipeT] | None = None
) -> None:
    """Show a kept result where the page has nothing to show, as after a reload; note where one is gone.

    Args:
        jobs: of the page.
        keys: under which it may be kept, the first one that is there counts.
        kind: of the page's results; what an address names may be anything.
        of: kind of the page's recipes; with it a job of one of the keys that still runs is followed again, and one of a
            visitor's own that is done is shown again.
    """
    if jobs.active is not None:
        return
    if jobs.shown is not None and shown_result(jobs) is None:
        jobs.shown, jobs.notice = None, state.Notice("info", "The result is no longer kept. Run it again.")
    for key in filter(None, keys):
        if jobs.shown is None and isinstance(jobs_cache.shelf().get(key), kind):
            jobs.shown = key
    if jobs.shown is None and of is not None:
        _rejoin(jobs, [key for key in keys if key], kind, of)


def _rejoin(jobs: PageJobs[RecipeT], keys: Sequence[str], kind: type, of: type[RecipeT]) -> None:
    for key in keys:
        found = cache.jobs().join(key, cache.owner())
        if found is None:
            continue
        job, recipe = found
        if not isinstance(recipe, of):
            continue
        snapshot = cache.jobs().snapshot(job)
        if snapshot.active:
            jobs.active = job
        elif job == key and isinstance(snapshot.record, kind):
            # A visitor's own, named by its id; what everybody may see is on the shelf as long as it is kept.
            jobs.shown = job
        else:
            continue
        jobs.asked, jobs.recipes[job] = False, recipe
        return
