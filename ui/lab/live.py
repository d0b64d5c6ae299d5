"""The attack lab's job: what is submitted, and what is drawn while it runs and after it."""

import base64
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import cast

import streamlit as st

from robustiqa_core.attacks import Attack, AttackStep
from robustiqa_core.evaluation.report import AttackReport
from robustiqa_core.images.photo import Photo, preview_png
from robustiqa_core.jobs import JobSnapshot
from ui.attacks.batch_job import BatchOutcome, RunRecord, batch_point, batch_records
from ui.attacks.batch_recipe import OWN_PHOTOS, BatchRecipe
from ui.attacks.curve import curve_svg
from ui.attacks.job import CurvePoint, Outcome, Start, attack_records, curve_point
from ui.attacks.recipe import Recipe
from ui.jobs import page_job
from ui.jobs.estimate import spoken
from ui.lab.controls import Request
from ui.photos.single import photo_of
from ui.shell import cache, controls, state
from ui.shell.markdown import plain
from ui.shell.state import PageJobs

NOUN = "attack"
JOB = "job"
"""Query parameter that names a run of the visitor's own photos, for a reload; whoever has it sees them."""
LOST_UPLOAD = (
    "Your own photos are not part of an address, and this page was loaded anew: they are gone, and so is their result. "
    "Nothing else was run in their place. Upload them again, or choose a sample."
)
PREVIEW_SIDE = 320
EXTRA_CALLS = 3
"""Evaluations of the model besides the steps: of the photo, the last point and the rounded image."""
LONG_SECONDS = 10.0
"""From here on the page warns that a run takes long."""


def start(recipe: BatchRecipe) -> None:
    """Submit the lab's run for this visit; one that is still running for it is cancelled first."""

    def prepare() -> Callable[[], Iterator[RunRecord | BatchOutcome]]:
        scorers = [cache.scorer(model, variant) for model, variant in recipe.models]
        photos = [photo_of(choice) for choice in recipe.photos]
        return partial(batch_records, recipe, scorers, photos, cache.device())

    key = kept_as(recipe)
    # The visitor's own sweep shall not stand in the way of what was asked for since.
    if state.lab_sweep().active is not None:
        page_job.cancel(str(state.lab_sweep().active))
    page_job.start(
        state.lab(),
        recipe,
        prepare,
        noun=NOUN,
        trace=batch_point,
        heartbeat=page_job.AWAY_SECONDS,
        keep_as=key,
        lasting=True,
    )


def kept_as(recipe: BatchRecipe) -> str | None:
    """Return the key under which a run's result is kept for everybody; None for photos that are a visitor's own."""
    return recipe.key([cache.weights(stem) for stem in recipe.stems]) if recipe.public else None


def start_attack(jobs: PageJobs[Recipe], recipe: Recipe, photo: Photo) -> None:
    """Submit an attack on one photo as a job of any page.

    Args:
        jobs: of the page.
        recipe: what to run.
        photo: the recipe's photo.
    """

    def prepare() -> Callable[[], Iterator[Start | AttackStep | Outcome]]:
        scorer = cache.scorer(recipe.model, recipe.variant)
        return partial(attack_records, recipe, scorer, photo, cache.device())

    page_job.start(jobs, recipe, prepare, noun=NOUN, trace=curve_point)


def settle() -> None:
    """Take note of the end of the active job, if it has ended: its result is shown from now on."""
    page_job.settle(state.lab(), noun=NOUN, cancelled=cancelled, keep_as=kept_as)


def rejoin(request: Request | None) -> None:
    """Go on with what the address names after a reload: the job that still runs, or its result.

    Args:
        request: what the controls ask for, as the address says.
    """
    lab = state.lab()
    if _has_job(lab):
        return
    first = lab.asked or st.query_params.get(OWN_PHOTOS)
    keys = [st.query_params.get(JOB), None if request is None else kept_as(request.recipe)] if first else []
    page_job.restore(lab, keys, BatchOutcome, of=BatchRecipe)
    outcome = shown_outcome()
    if outcome is not None:
        lab.recipes[str(lab.shown)] = outcome.recipe
    lab.asked = lab.asked and not _has_job(lab)
    if not _has_job(lab) and lab.notice is None and st.query_params.get(OWN_PHOTOS):
        lab.notice = state.Notice("info", LOST_UPLOAD)


def _has_job(lab: PageJobs[BatchRecipe]) -> bool:
    return lab.active is not None or lab.shown is not None


def address() -> dict[str, str]:
    """Return the query parameters of what runs, or else is shown: a reload goes on with that."""
    lab = state.lab()
    job = lab.active or lab.shown
    if job is None:
        return {}
    recipe = lab.recipes[job]
    return {**recipe.address(), **({} if recipe.public else {JOB: job})}


def restore() -> None:
    """Run what is shown again if its result is no longer kept, as after a lost connection."""
    lab = state.lab()
    if lab.active is not None or lab.shown is None or shown_outcome() is not None:
        return
    recipe, lab.shown = lab.recipes[lab.shown], None
    start(recipe)


def shown_outcome() -> BatchOutcome | None:
    """Return the outcome that the page shows; None if there is none, or it is no longer kept."""
    return cast(BatchOutcome | None, page_job.shown_result(state.lab()))


def warn_if_long(request: Request) -> None:
    """Warn before a run that takes long, judged by the run that is shown: the cost grows with the pixels, or less."""
    shown, recipe = shown_outcome(), request.recipe
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


def follow() -> None:
    """Draw the active job as it is now, again and again, until it has ended."""
    lab = state.lab()
    page_job.follow(lab, lambda snapshot: _draw_lab(snapshot, lab.recipes[snapshot.id]))


def _draw_lab(snapshot: JobSnapshot, recipe: BatchRecipe) -> None:
    record = snapshot.record if isinstance(snapshot.record, RunRecord) else None
    run, count = 0 if record is None else record.run, len(recipe.runs())
    points = [point for point in cast(Sequence[CurvePoint], snapshot.trace) if point.run == run]
    step = None if record is None else record.record
    single = recipe.runs()[run]
    name = ""
    if len(recipe.photos) > 1:
        name += f"Photo {run // len(recipe.models) + 1} of {len(recipe.photos)}. "
    if len(recipe.models) > 1:
        name += f"{plain(controls.model_title(recipe.stems[run % len(recipe.models)]))}. "
    _draw(snapshot, single, points, step if isinstance(step, AttackStep) else None, name=name, run=run, runs=count)


def draw(snapshot: JobSnapshot, recipe: Recipe) -> None:
    """Draw an attack on one photo that runs: its progress, the photo and the curve so far."""
    points = cast(Sequence[CurvePoint], snapshot.trace)
    _draw(snapshot, recipe, points, snapshot.record if isinstance(snapshot.record, AttackStep) else None)


def _draw(
    snapshot: JobSnapshot,
    recipe: Recipe,
    points: Sequence[CurvePoint],
    step: AttackStep | None,
    *,
    name: str = "",
    run: int = 0,
    runs: int = 1,
) -> None:
    """Draw run number `run` of `runs`, called `name`."""
    done = 0 if step is None else step.step
    share = (run + done / recipe.attack.steps) / runs
    # What takes time is made before anything is drawn: elements fade while the page waits for their next version.
    preview = None if step is None else _data_address(preview_png(step.adversarial[0], PREVIEW_SIDE))
    card = cache.cards()[f"{recipe.model}-{recipe.variant}"]
    curve = curve_svg(points, steps=recipe.attack.steps, score_range=card.score_range)
    text = _progress_text(snapshot, done, recipe.attack, points, name)
    page_job.draw_progress(snapshot, share, text + (page_job.time_left(snapshot, share) if points else ""))
    left, right = st.columns([3, 2], gap="medium")
    best = f"The best score so far: {points[-1].best_score:.3f}" if points else "The score, once the attack begins"
    right.image(_data_address(curve.encode(), "svg+xml"), width="stretch", alt=best)
    if preview is None:
        left.skeleton(height=320)
    else:
        left.image(
            preview,
            caption="The best adversarial photo so far (a preview; the result is shown in full)",
            width="stretch",
            alt="The adversarial photo as it is at this step",
        )


def _data_address(picture: bytes, kind: str = "png") -> str:
    """Return an address that holds the picture itself.

    Streamlit drops a picture as soon as the next one takes its place: a slow browser would ask for it in vain.
    """
    return f"data:image/{kind};base64," + base64.b64encode(picture).decode("ascii")


def _progress_text(snapshot: JobSnapshot, done: int, attack: Attack, points: Sequence[CurvePoint], name: str) -> str:
    if snapshot.state == "queued":
        return page_job.waiting_text(snapshot, NOUN)
    if not points:
        return f"{name}Scoring the photo"
    return f"{name}Step {done} of {attack.steps}. Score {points[0].score:.3f} → {points[-1].best_score:.3f}"


def cancelled(snapshot: JobSnapshot) -> str:
    """Return how far an attack came that was cancelled."""
    points = cast(Sequence[CurvePoint], snapshot.trace)
    steps = [point.step for point in points if point.step is not None]
    if not steps:
        return "Cancelled before the attack began."
    before = f" of attack {points[-1].run + 1}" if points[-1].run else ""
    return f"Cancelled after step {steps[-1]}{before}."
