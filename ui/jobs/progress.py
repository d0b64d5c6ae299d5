"""How far a job is, as a page draws it: the bar, the time that is left, the button that cancels."""

from dataclasses import dataclass

import streamlit as st

from robustiqa_core.errors import InputError
from robustiqa_core.jobs import JobSnapshot
from ui.jobs.estimate import spoken
from ui.shell import cache, state

_COUNTED_DOWN = 100.0
"""Seconds below which the time that is left is counted down one by one."""
_MOST_SHARE = 0.99
"""A bar is full only when there is a result."""
STARTING = "Starting"
"""What a job does before its first record."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    Args:
        share: of the work that is done, 0 to 1.
        doing: what is going on, in words.
        expected: seconds that the whole job was estimated at; None for no estimate.
    """

    share: float
    doing: str
    expected: float | None = None


def draw_progress(snapshot: JobSnapshot, progress: Progress) -> None:
    """Draw the bar of a job with its text, and the button that cancels it.

    Args:
        snapshot: the job.
        progress: how far it is.
    """
    share = min(_MOST_SHARE, max(0.0, progress.share))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(share, text=progress.doing + time_left(snapshot, share, expected=progress.expected))
        st.button("Cancel", key=state.CANCEL, icon=":material/close:", on_click=cancel, args=(snapshot.id,))


def draw_away(noun: str, *, public: bool) -> None:
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
