"""The attack lab's job: what is submitted, and what is drawn while it runs and after it."""

from functools import partial

import streamlit as st

from robustiqa_core.evaluation.report import AttackReport
from ui.attacks.batch_job import BatchOutcome, batch_point
from ui.attacks.batch_recipe import OWN_PHOTOS, BatchRecipe
from ui.attacks.live import NOUN, batch_beside, batch_progress, batch_records_of, cancelled, kept_as
from ui.jobs.estimate import spoken
from ui.jobs.page_job import AWAY_SECONDS, PageJob
from ui.lab import session
from ui.lab.controls import Request
from ui.lab.single_photo import photo_of
from ui.lab.sweep_view import JOB as SWEEP
from ui.shell import state
from ui.shell.state import PageJobs

OWN_JOB = "job"
"""Query parameter that names a run of the visitor's own photos, for a reload; whoever has it sees them."""
LOST_UPLOAD = (
    "Your own photos are not part of an address, and this page was loaded anew: they are gone, and so is their result. "
    "Nothing else was run in their place. Upload them again, or choose a sample."
)
EXTRA_CALLS = 3
"""Evaluations of the model besides the steps: of the photo, the last point and the rounded image."""
LONG_SECONDS = 10.0
"""From here on the page warns that a run takes long."""


def start(recipe: BatchRecipe) -> None:
    """Submit the lab's run for this visit; one that is still running for it is cancelled first."""
    # The visitor's own sweep shall not stand in the way of what was asked for since.
    SWEEP.cancel()
    JOB.start(recipe, partial(batch_records_of, recipe, photo_of))


def rejoin(request: Request | None) -> None:
    """Go on with what the address names after a reload: the job that still runs, or its result.

    Args:
        request: what the controls ask for, as the address says.
    """
    lab = session.jobs()
    if _has_job(lab):
        return
    first = lab.asked or st.query_params.get(OWN_PHOTOS)
    keys = [st.query_params.get(OWN_JOB), None if request is None else kept_as(request.recipe)] if first else []
    JOB.restore(*keys)
    outcome = JOB.result()
    if outcome is not None:
        lab.recipes[str(lab.shown)] = outcome.recipe
    lab.asked = lab.asked and not _has_job(lab)
    if not _has_job(lab) and lab.notice is None and st.query_params.get(OWN_PHOTOS):
        lab.notice = state.Notice("info", LOST_UPLOAD)


def _has_job(lab: PageJobs[BatchRecipe]) -> bool:
    return lab.active is not None or lab.shown is not None


def address() -> dict[str, str]:
    """Return the query parameters of what runs, or else is shown: a reload goes on with that."""
    lab = session.jobs()
    job = lab.active or lab.shown
    if job is None:
        return {}
    recipe = lab.recipes[job]
    return {**recipe.address(), **({} if recipe.public else {OWN_JOB: job})}


def restore() -> None:
    """Run what is shown again if its result is no longer kept, as after a lost connection."""
    lab = session.jobs()
    if lab.active is not None or lab.shown is None or JOB.result() is not None:
        return
    recipe, lab.shown = lab.recipes[lab.shown], None
    start(recipe)


def warn_if_long(request: Request) -> None:
    """Warn before a run that takes long, judged by the run that is shown: the cost grows with the pixels, or less."""
    shown, recipe = JOB.result(), request.recipe
    # Attacks differ in what a step costs: only a run of the same kind tells.
    if shown is None or type(shown.recipe.attack) is not type(recipe.attack):
        return
    done, steps = shown.recipe.attack.steps, recipe.attack.steps
    each = estimate_seconds(shown.first.report, done=done, steps=steps, pixels=request.pixels)
    seconds = len(recipe.runs()) * each
    if seconds > LONG_SECONDS:
        st.warning(f"This run may take up to {spoken(seconds)}. Fewer steps, photos or pixels make it quicker.")


def estimate_seconds(report: AttackReport, *, done: int, steps: int, pixels: int) -> float:
    """Return how long an attack takes at most, in seconds, judged by another one of its kind.

    Args:
        report: of a run of the same model on the same device.
        done: steps of that run.
        steps: of the attack.
        pixels: of the photo.
    """
    per_step = report.seconds / (done + EXTRA_CALLS)
    return per_step * (steps + EXTRA_CALLS) * max(1.0, pixels / (report.width * report.height))


JOB = PageJob(
    noun=NOUN,
    remembered=session.jobs,
    recipe=BatchRecipe,
    outcome=BatchOutcome,
    progress=batch_progress,
    beside=batch_beside,
    cancelled=cancelled,
    keep_as=kept_as,
    trace=batch_point,
    heartbeat=AWAY_SECONDS,
    lasting=True,
    queued=NOUN,
)
