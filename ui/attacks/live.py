"""A batch of attacks, or a single one, as a job of a page: how it is started, kept and drawn while it runs."""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import streamlit as st

from robustiqa_core.attacks import AttackStep
from robustiqa_core.images.photo import Photo, preview_png
from robustiqa_core.jobs import JobSnapshot
from ui.attacks.batch_job import BatchOutcome, RunRecord, batch_records
from ui.attacks.batch_recipe import BatchRecipe
from ui.attacks.curve import curve_svg
from ui.attacks.job import CurvePoint, Outcome, Start, attack_records, curve_point
from ui.attacks.recipe import PhotoChoice, Recipe
from ui.jobs.page_job import PageJob
from ui.jobs.progress import Progress
from ui.shell import cache, controls
from ui.shell.markdown import plain
from ui.shell.state import PageJobs

NOUN = "attack"
PREVIEW_SIDE = 320


def kept_as(recipe: BatchRecipe) -> str | None:
    """Return the key under which a run's result is kept for everybody; None for photos that are a visitor's own."""
    return recipe.key([cache.weights(stem) for stem in recipe.stems]) if recipe.public else None


def attack_job(remembered: Callable[[], PageJobs[Recipe]], *, region: str) -> PageJob[Recipe, Outcome]:
    """Return an attack on one photo as a job of any page.

    Args:
        remembered: returns what this visit remembers of it.
        region: name of its live region.
    """
    return PageJob(
        noun=NOUN,
        remembered=remembered,
        recipe=Recipe,
        outcome=Outcome,
        progress=lambda snapshot, recipe: _progress(_single(snapshot, recipe)),
        beside=lambda snapshot, recipe: _beside(_single(snapshot, recipe)),
        cancelled=cancelled,
        trace=curve_point,
        queued=NOUN,
        region=region,
    )


def attack_records_of(recipe: Recipe, photo: Photo) -> Callable[[], Iterator[Start | AttackStep | Outcome]]:
    """Load the recipe's model, and return what gives the records of the attack on its photo."""
    scorer = cache.scorer(recipe.model, recipe.variant)
    return partial(attack_records, recipe, scorer, photo, cache.device())


def batch_records_of(
    recipe: BatchRecipe, photo_of: Callable[[PhotoChoice], Photo]
) -> Callable[[], Iterator[RunRecord | BatchOutcome]]:
    """Load the recipe's models and photos, and return what gives the records of the batch."""
    scorers = [cache.scorer(model, variant) for model, variant in recipe.models]
    return partial(batch_records, recipe, scorers, [photo_of(choice) for choice in recipe.photos], cache.device())


@dataclass(frozen=True, slots=True)
class _Running:
    """The attack that a job is at.

    Args:
        recipe: of this attack.
        points: its curve so far.
        step: its newest step; None before the first.
        name: of its photo and model, where the job has several.
        run: which one of the job's attacks it is.
        runs: how many these are.
    """

    recipe: Recipe
    points: Sequence[CurvePoint]
    step: AttackStep | None
    name: str = ""
    run: int = 0
    runs: int = 1


def batch_progress(snapshot: JobSnapshot, recipe: BatchRecipe) -> Progress:
    """Return how far a batch is: which attack of how many, and its step."""
    return _progress(_of_batch(snapshot, recipe))


def batch_beside(snapshot: JobSnapshot, recipe: BatchRecipe) -> Callable[[], None]:
    """Return what draws the photo and the curve of the attack that a batch is at."""
    return _beside(_of_batch(snapshot, recipe))


def _single(snapshot: JobSnapshot, recipe: Recipe) -> _Running:
    points = cast(Sequence[CurvePoint], snapshot.trace)
    return _Running(recipe, points, snapshot.record if isinstance(snapshot.record, AttackStep) else None)


def _of_batch(snapshot: JobSnapshot, recipe: BatchRecipe) -> _Running:
    record = snapshot.record if isinstance(snapshot.record, RunRecord) else None
    run, runs = 0 if record is None else record.run, recipe.runs()
    points = [point for point in cast(Sequence[CurvePoint], snapshot.trace) if point.run == run]
    step = None if record is None else record.record
    name = ""
    if len(recipe.photos) > 1:
        name += f"Photo {run // len(recipe.models) + 1} of {len(recipe.photos)}. "
    if len(recipe.models) > 1:
        name += f"{plain(controls.model_title(recipe.stems[run % len(recipe.models)]))}. "
    return _Running(runs[run], points, step if isinstance(step, AttackStep) else None, name, run, len(runs))


def _progress(running: _Running) -> Progress:
    points, steps = running.points, running.recipe.attack.steps
    if not points:
        return Progress(0.0, f"{running.name}Scoring the photo")
    done = 0 if running.step is None else running.step.step
    text = f"{running.name}Step {done} of {steps}. Score {points[0].score:.3f} → {points[-1].best_score:.3f}"
    return Progress((running.run + done / steps) / running.runs, text)


def _beside(running: _Running) -> Callable[[], None]:
    """Make the photo and the curve of an attack as it is now; return what draws them."""
    recipe, points, step = running.recipe, running.points, running.step
    preview = None if step is None else _data_address(preview_png(step.adversarial[0], PREVIEW_SIDE))
    card = cache.cards()[f"{recipe.model}-{recipe.variant}"]
    curve = curve_svg(points, steps=recipe.attack.steps, score_range=card.score_range)
    best = f"The best score so far: {points[-1].best_score:.3f}" if points else "The score, once the attack begins"

    def draw() -> None:
        left, right = st.columns([3, 2], gap="medium")
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

    return draw


def _data_address(picture: bytes, kind: str = "png") -> str:
    """Return an address that holds the picture itself.

    Streamlit drops a picture as soon as the next one takes its place: a slow browser would ask for it in vain.
    """
    return f"data:image/{kind};base64," + base64.b64encode(picture).decode("ascii")


def cancelled(snapshot: JobSnapshot) -> str:
    """Return how far an attack came that was cancelled."""
    points = cast(Sequence[CurvePoint], snapshot.trace)
    steps = [point.step for point in points if point.step is not None]
    if not steps:
        return "Cancelled before the attack began."
    before = f" of attack {points[-1].run + 1}" if points[-1].run else ""
    return f"Cancelled after step {steps[-1]}{before}."
