"""Submitting an attack, and the fragment that follows it: job snapshot -> progress, preview, curve, Cancel."""

import base64
from collections.abc import Sequence
from functools import partial
from typing import cast

import streamlit as st

from robustiqa_core.attacks import AttackStep
from robustiqa_core.errors import InputError, RobustIQAError
from robustiqa_core.evaluation import AttackReport
from robustiqa_core.images import preview_png
from robustiqa_core.jobs import JobSnapshot
from ui import cache, state
from ui.attack_job import CurvePoint, Outcome, attack_records, curve_point
from ui.controls import Request
from ui.figures import score_curve
from ui.markdown import sentence
from ui.photo_controls import photo_of

POLL_SECONDS = 0.4
"""Often enough to look alive; at 0.1 s Streamlit loses uploads that happen meanwhile."""
PREVIEW_SIDE = 320
EXTRA_CALLS = 3
"""Evaluations of the model besides the steps: of the photo, the last point and the rounded image."""
LONG_SECONDS = 10.0
"""From here on the page warns that a run takes long."""


def start(request: Request) -> None:
    """Submit an attack for this visit; one that is still running for it is cancelled first."""
    lab = state.lab()
    lab.asked = False
    recipe = request.recipe
    if lab.active is not None:
        _cancel(lab.active)
    try:
        scorer = cache.scorer(recipe.model, recipe.variant)
        lab.active = cache.jobs().submit(
            partial(attack_records, recipe, scorer, request.photo, cache.device()),
            owner=cache.owner(),
            trace=curve_point,
        )
    except RobustIQAError as error:
        lab.active, lab.notice = None, state.Notice("error", f"The attack could not be started. {sentence(error)}")
        return
    lab.recipes[lab.active] = recipe


def settle() -> None:
    """Take note of the end of the active job, if it has ended: its result is shown from now on."""
    lab = state.lab()
    if lab.active is None:
        return
    try:
        snapshot = cache.jobs().snapshot(lab.active)
    except InputError:
        # The connection was lost for a moment, and with it what the visit had left running.
        lab.active, lab.notice = None, state.Notice("info", "The connection was lost during the attack. Run it again.")
        return
    if snapshot.active:
        return
    lab.active = None
    if snapshot.state == "done":
        lab.shown = snapshot.id
    elif snapshot.state == "failed":
        lab.notice = state.Notice("error", f"The attack failed. {sentence(snapshot.error)}")
    else:
        lab.notice = state.Notice("info", _cancelled(snapshot))
    lab.keep_needed_recipes()


def restore() -> None:
    """Run the attack that is shown again if its result is no longer kept, as after a lost connection."""
    lab = state.lab()
    if lab.active is not None or lab.shown is None or shown_outcome() is not None:
        return
    recipe, lab.shown = lab.recipes[lab.shown], None
    try:
        start(Request(recipe, photo_of(recipe.photo)))
    except InputError as error:
        lab.notice = state.Notice("info", f"The result is no longer kept. {sentence(error)}")


def shown_outcome() -> tuple[Outcome, Sequence[CurvePoint]] | None:
    """Return the outcome that the page shows and its curve; None if there is none, or it is no longer kept."""
    lab = state.lab()
    if lab.shown is None:
        return None
    try:
        snapshot = cache.jobs().snapshot(lab.shown)
    except InputError:
        return None
    return cast(Outcome, snapshot.record), cast(Sequence[CurvePoint], snapshot.trace)


def warn_if_long(request: Request) -> None:
    """Warn before a run that takes long, judged by the run that is shown: the cost grows with the pixels, or less."""
    shown = shown_outcome()
    # Attacks differ in what a step costs: only a run of the same kind tells.
    if shown is None or type(shown[0].recipe.attack) is not type(request.recipe.attack):
        return
    width, height = request.photo.size
    done = shown[0].recipe.attack.steps
    seconds = estimate_seconds(shown[0].report, done=done, steps=request.recipe.attack.steps, pixels=width * height)
    if seconds > LONG_SECONDS:
        st.warning(f"This run may take up to {seconds:.0f} s. A smaller work size or fewer steps make it quicker.")


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


@st.fragment(run_every=POLL_SECONDS)
def follow() -> None:
    """Draw the active job as it is now, again and again, until it has ended."""
    job = state.lab().active
    if job is None:
        st.rerun()
    try:
        cache.jobs().touch(job)
        snapshot = cache.jobs().snapshot(job)
    except InputError:
        st.rerun()
    if not snapshot.active:
        st.rerun()
    _draw(snapshot)


def _draw(snapshot: JobSnapshot) -> None:
    recipe = state.lab().recipes[snapshot.id]
    points = cast(Sequence[CurvePoint], snapshot.trace)
    step = snapshot.record if isinstance(snapshot.record, AttackStep) else None
    steps = recipe.attack.steps
    done = 0 if step is None else step.step
    # What takes time is made before anything is drawn: elements fade while the page waits for their next version.
    preview = None if step is None else _data_address(preview_png(step.adversarial[0], PREVIEW_SIDE))
    card = cache.cards()[f"{recipe.model}-{recipe.variant}"]
    curve = score_curve(points, steps=steps, score_range=card.score_range)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(done / steps, text=_progress_text(snapshot, done, steps, points))
        st.button("Cancel", key=state.CANCEL, icon=":material/close:", on_click=_cancel, args=(snapshot.id,))
    left, right = st.columns([3, 2], gap="medium")
    right.plotly_chart(curve, key="live_curve", config={"displayModeBar": False}, alt="The score at each step so far")
    if preview is None:
        left.skeleton(height=320)
    else:
        left.image(
            preview,
            caption="The best adversarial photo so far (a preview; the result is shown in full)",
            width="stretch",
            alt="The adversarial photo as it is at this step",
        )


def _data_address(png: bytes) -> str:
    """Return an address that holds the PNG itself.

    Streamlit drops a picture as soon as the next one takes its place: a slow browser would ask for it in vain.
    """
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _progress_text(snapshot: JobSnapshot, done: int, steps: int, points: Sequence[CurvePoint]) -> str:
    if snapshot.state == "queued":
        others = "one attack is" if snapshot.position == 1 else f"{snapshot.position} attacks are"
        return f"Waiting: {others} ahead of yours."
    if not points:
        return "Scoring the photo"
    text = f"Step {done} of {steps}. Score {points[0].score:.3f} → {points[-1].best_score:.3f}"
    if 0 < done < steps:
        text += f". About {max(1, round(snapshot.seconds / done * (steps - done)))} s left"
    return text


def _cancel(job: str) -> None:
    try:
        cache.jobs().cancel(job)
    except InputError:
        # Gone already, which is what was asked for.
        return


def _cancelled(snapshot: JobSnapshot) -> str:
    if snapshot.error is not None:
        return snapshot.error
    steps = [point.step for point in cast(Sequence[CurvePoint], snapshot.trace) if point.step is not None]
    if not steps:
        return "Cancelled before the attack began."
    return f"Cancelled after step {steps[-1]}."
