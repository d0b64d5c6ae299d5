"""The comparison's job: what is submitted, what is drawn while it runs, and its outcome."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import cast

import streamlit as st

from robustiqa_core.jobs import JobSnapshot
from ui.attacks.recipe import digest_of
from ui.compare import session
from ui.compare.controls import CompareRequest, estimate_seconds
from ui.compare.figures import scatter_figure
from ui.compare.job import CompareOutcome, CompareRecord, CompareStep, NewRow, Point, compare_records, point_of
from ui.compare.recipe import CompareRecipe
from ui.jobs.page_job import AWAY_SECONDS, PageJob
from ui.jobs.progress import STARTING, Progress
from ui.photos import cache as photo_cache
from ui.shell import cache, controls
from ui.shell.charts import draw_live_chart
from ui.shell.figures import model_colours

CHART_SECONDS = 3.0
"""A browser takes a good part of a second to draw it anew, which on a small machine is taken from the attack."""
QUICK_SECONDS = 45.0
"""Its first points are there after a second or two."""


def start(request: CompareRequest) -> None:
    """Submit a comparison for this visit; one that is still running for it is cancelled first."""
    JOB.start(request.recipe, partial(_prepare, request))


def _prepare(request: CompareRequest) -> Callable[[], Iterator[CompareRecord]]:
    cards = [cache.cards()[stem] for stem in request.recipe.models]
    models = [(card, cache.scorer(card.model, card.variant)) for card in cards]
    return partial(compare_records, request.recipe, request.photos, models, cache.device())


def greet(request: CompareRequest | None) -> None:
    """Show a new visitor a comparison at once: one that is kept, or one that is run now if it does not take long."""
    seconds = None if request is None else estimate_seconds(request.recipe)
    JOB.greet(session.PREFIX, seconds, quick=QUICK_SECONDS)


def follow() -> None:
    """Draw the active comparison as it is now, again and again, until it has ended."""
    JOB.follow()
    _follow_points()
    JOB.draw_away()


def photo_titles(recipe: CompareRecipe, places: Sequence[str]) -> dict[str, str]:
    """Return what people call each photo, by the name that it has in the rows."""
    samples = photo_cache.samples() if recipe.photos.source == "samples" else {}
    titles = [samples[name].title if name in samples else name for name in recipe.photos.names]
    return dict(zip(places, titles, strict=True))


def model_names() -> dict[str, str]:
    """Return what people call each model, by its stem."""
    return {stem: controls.model_title(stem) for stem in cache.cards()}


def _progress(snapshot: JobSnapshot, recipe: CompareRecipe) -> Progress:
    step = _step(snapshot)
    if step is None:
        return Progress(0.0, STARTING)
    return Progress(step.done / step.total, step.doing, estimate_seconds(recipe))


@st.fragment(run_every=CHART_SECONDS)
def _follow_points() -> None:
    """Draw the scores so far, less often than the progress: a chart costs the job more of its time."""
    snapshot = JOB.active()
    if snapshot is None:
        return
    points = cast(Sequence[Point], snapshot.trace)
    # What takes time is made before anything is drawn: elements fade while the page waits for their next version.
    figure = scatter_figure(
        points,
        colours=model_colours(cache.cards()),
        model_names=model_names(),
        titles={point.photo: point.photo for point in points},
    )
    draw_live_chart(
        figure,
        key="live_scatter",
        alt=f"The scores of {len(points)} attacked photos so far, against their clean scores",
    )


def _step(snapshot: JobSnapshot) -> CompareStep | None:
    record = snapshot.record
    if isinstance(record, NewRow):
        return record.step
    return record if isinstance(record, CompareStep) else None


def _cancelled(snapshot: JobSnapshot) -> str:
    done = len(snapshot.trace)
    return f"Cancelled after {done} row{'' if done == 1 else 's'}." if done else "Cancelled before the first row."


def kept_as(recipe: CompareRecipe) -> str | None:
    """Return the key under which a comparison is kept for everybody; None where its photos are a visitor's own."""
    weights = [cache.weights(stem) for stem in recipe.models]
    return digest_of("compare", recipe.key(), weights) if recipe.photos.public else None


JOB = PageJob(
    noun="comparison",
    remembered=session.jobs,
    recipe=CompareRecipe,
    outcome=CompareOutcome,
    progress=_progress,
    cancelled=_cancelled,
    keep_as=kept_as,
    address=CompareRecipe.address,
    trace=point_of,
    heartbeat=AWAY_SECONDS,
)
