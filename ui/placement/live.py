"""The jobs of the page: a hardening, and the measurement of a model's amplification, which starts by itself."""

from collections.abc import Callable, Iterator
from functools import partial

import streamlit as st
from torch import Tensor

from robustiqa_core.device import load_compiler
from robustiqa_core.jobs import JobSnapshot
from robustiqa_core.scorer import Scorer
from ui.hardening.live import hardening_job
from ui.jobs import cache as jobs_cache
from ui.jobs.page_job import PageJob
from ui.jobs.progress import Progress
from ui.photos import cache as photo_cache
from ui.placement import session
from ui.placement.probe import PHOTO, ProbeOutcome, ProbeStep, prepared, probe_records
from ui.shell import cache


def measured(model: str) -> ProbeOutcome | None:
    """Return what was measured of a baseline; where nothing was yet, start measuring and return None."""
    jobs, stem = session.probe_jobs(), f"{model}-baseline"
    PROBE.settle()
    found = jobs_cache.shelf().get(_key(stem))
    if isinstance(found, ProbeOutcome):
        return found
    if jobs.active is None or jobs.recipes[jobs.active] != stem:
        # Estimates need to know it, and it is slower beside a measurement.
        jobs_cache.speed(model, "baseline")
        PROBE.start(stem, partial(_prepare, stem))
    return None


def follow() -> None:
    """Draw how far the measurement is, until it has ended; why there is none where it failed."""
    jobs = session.probe_jobs()
    if jobs.active is not None:
        PROBE.follow()
    elif jobs.notice is not None and jobs.notice.text:
        st.caption(jobs.notice.text)


def _prepare(stem: str) -> Callable[[], Iterator[ProbeStep | ProbeOutcome]]:
    card = cache.cards()[stem]
    images = prepared(photo_cache.sample_photo(PHOTO).images, cache.device())
    return partial(_records, stem, cache.scorer(card.model, card.variant), images)


def _records(stem: str, scorer: Scorer, images: Tensor) -> Iterator[ProbeStep | ProbeOutcome]:
    """Measure; before that, load what the first tuning needs, while the visitor still reads the page."""
    yield ProbeStep(0.0)
    load_compiler()
    yield from probe_records(stem, scorer, images)


def _progress(snapshot: JobSnapshot, stem: str) -> Progress:
    share = snapshot.record.share if isinstance(snapshot.record, ProbeStep) else 0.0
    return Progress(share, f"Measuring how each stage amplifies a change: {100 * share:.0f} %")


def _key(stem: str) -> str:
    return f"amplification-{stem}"


JOB = hardening_job(session.jobs)
PROBE = PageJob(
    noun="measurement",
    remembered=session.probe_jobs,
    recipe=str,
    outcome=ProbeOutcome,
    progress=_progress,
    keep_as=_key,
    asked_for=False,
)
