"""A batch of attacks, or a single one, as a job of a page: how it is started, kept and drawn while it runs."""

import base64
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import cast

import streamlit as st

from robustiqa_core.attacks import Attack, AttackStep
from robustiqa_core.images.photo import Photo, preview_png
from robustiqa_core.jobs import JobSnapshot
from ui.attacks.batch_job import RunRecord
from ui.attacks.batch_recipe import BatchRecipe
from ui.attacks.curve import curve_svg
from ui.attacks.job import CurvePoint, Outcome, Start, attack_records, curve_point
from ui.attacks.recipe import Recipe
from ui.jobs import page_job
from ui.shell import cache, controls
from ui.shell.markdown import plain
from ui.shell.state import PageJobs

NOUN = "attack"


PREVIEW_SIDE = 320


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


def draw_batch(snapshot: JobSnapshot, recipe: BatchRecipe) -> None:
    """Draw a batch that runs: which attack of how many, its photo and its curve so far."""
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
    draw_attack(
        snapshot, single, points, step if isinstance(step, AttackStep) else None, name=name, run=run, runs=count
    )


def draw(snapshot: JobSnapshot, recipe: Recipe) -> None:
    """Draw an attack on one photo that runs: its progress, the photo and the curve so far."""
    points = cast(Sequence[CurvePoint], snapshot.trace)
    draw_attack(snapshot, recipe, points, snapshot.record if isinstance(snapshot.record, AttackStep) else None)


def draw_attack(
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
