"""The audit's job: what is submitted, what is drawn while it runs, and its outcome."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import cast

import streamlit as st

from robustiqa_core.auditing import CHECKS, AuditStep, Finding
from robustiqa_core.jobs import JobSnapshot
from ui.audit import session, view
from ui.audit.controls import AuditRequest, estimate_seconds
from ui.audit.job import AuditOutcome, audit_records, finding_of
from ui.audit.recipe import AuditRecipe
from ui.audit.texts import summary
from ui.jobs import page_job
from ui.jobs.estimate import audit_calls
from ui.shell import cache

NOUN = "job"
GRADIENT_COST = 2
"""A gradient takes two to three times as long as a score: the bar grows by that."""


def start(request: AuditRequest) -> None:
    """Submit an audit for this visit; one that is still running for it is cancelled first."""
    recipe = request.recipe

    def prepare() -> Callable[[], Iterator[AuditStep | AuditOutcome]]:
        scorer = cache.scorer(recipe.model, recipe.variant)
        card = None if recipe.reference is None else cache.cards()[recipe.reference]
        reference = None if card is None else cache.scorer(card.model, card.variant)
        return partial(audit_records, recipe, request.photos, scorer, reference, cache.device())

    page_job.start(
        session.jobs(),
        recipe,
        prepare,
        noun="audit",
        trace=finding_of,
        heartbeat=page_job.AWAY_SECONDS,
        keep_as=view.kept_as(recipe),
    )


def settle() -> None:
    """Take note of the end of the active audit, if it has ended; without uploads it is kept for a reload."""
    page_job.settle(session.jobs(), noun="audit", cancelled=_cancelled, keep_as=view.kept_as)


def restore(request: AuditRequest | None) -> None:
    """Show the audit that the address names, or the one that the controls ask for, if it is kept."""
    named = st.query_params.get(page_job.RESULT)
    keys = [named, None if request is None else view.kept_as(request.recipe)]
    page_job.restore(session.jobs(), keys, AuditOutcome, of=AuditRecipe)


def outcome() -> AuditOutcome | None:
    """Return the outcome that is on the page; None if there is none, or it is no longer kept."""
    return cast(AuditOutcome | None, page_job.shown_result(session.jobs()))


def follow() -> None:
    """Draw the active audit until it has ended: its progress again and again, its findings whenever there is a new one.

    The findings are many elements. To draw them with each look at the job would take the time that the audit needs.
    """
    jobs = session.jobs()
    snapshot = None if jobs.active is None else page_job.active_snapshot(jobs)
    if snapshot is None:
        st.rerun()
    findings = cast(Sequence[Finding], snapshot.trace)
    page_job.follow(jobs, lambda newest: _draw(newest, jobs.recipes[newest.id], drawn=len(findings)))
    recipe = jobs.recipes[snapshot.id]
    if recipe.photos.public:
        st.query_params.from_dict(recipe.address())
    page_job.draw_away("audit", public=recipe.photos.public)
    waiting = list(CHECKS)[len(findings) :] if snapshot.state == "running" else []
    view.draw_checks(findings, at_work=waiting[0] if waiting else None)


def _draw(snapshot: JobSnapshot, recipe: AuditRecipe, *, drawn: int) -> None:
    if len(snapshot.trace) > drawn:
        st.rerun()
    share = _share(snapshot, recipe)
    left = page_job.time_left(snapshot, share, expected=estimate_seconds(recipe))
    page_job.draw_progress(snapshot, share, _progress_text(snapshot) + left)


def _share(snapshot: JobSnapshot, recipe: AuditRecipe) -> float:
    """Return how much of the work is done, by the calls of the model; never all of it before the end."""
    step = snapshot.record
    if not isinstance(step, AuditStep):
        return 0.0
    calls = audit_calls(recipe.plan, with_reference=recipe.reference is not None)
    expected = GRADIENT_COST * calls.gradients + calls.queries
    return min(0.99, (GRADIENT_COST * step.gradient_calls + step.queries) / max(1, expected))


def _progress_text(snapshot: JobSnapshot) -> str:
    if snapshot.state == "queued":
        return page_job.waiting_text(snapshot, NOUN)
    step = snapshot.record
    if not isinstance(step, AuditStep):
        return "Reading the photos"
    return f"Check {step.number} of {step.checks}: {step.check}"


def _cancelled(snapshot: JobSnapshot) -> str:
    findings = cast(Sequence[Finding], snapshot.trace)
    if not findings:
        return "Cancelled before the first check ended."
    return f"Cancelled after {len(findings)} of {len(CHECKS)} checks. {summary(findings)}"
