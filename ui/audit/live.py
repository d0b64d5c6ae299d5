"""The audit's job: what is submitted, what is drawn while it runs, and its outcome."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import cast

from robustiqa_core.auditing import CHECKS, AuditStep, Finding
from robustiqa_core.jobs import JobSnapshot
from ui.audit import session, view
from ui.audit.controls import AuditRequest, estimate_seconds
from ui.audit.job import AuditOutcome, audit_records, finding_of
from ui.audit.recipe import AuditRecipe
from ui.audit.texts import summary
from ui.jobs.estimate import audit_calls
from ui.jobs.page_job import AWAY_SECONDS, PageJob
from ui.jobs.progress import Progress
from ui.shell import cache

GRADIENT_COST = 2
"""A gradient takes two to three times as long as a score: the bar grows by that."""


def start(request: AuditRequest) -> None:
    """Submit an audit for this visit; one that is still running for it is cancelled first."""
    JOB.start(request.recipe, partial(_prepare, request))


def _prepare(request: AuditRequest) -> Callable[[], Iterator[AuditStep | AuditOutcome]]:
    recipe = request.recipe
    scorer = cache.scorer(recipe.model, recipe.variant)
    card = None if recipe.reference is None else cache.cards()[recipe.reference]
    reference = None if card is None else cache.scorer(card.model, card.variant)
    return partial(audit_records, recipe, request.photos, scorer, reference, cache.device())


def follow() -> None:
    """Draw the active audit until it has ended: its progress again and again, its findings whenever there is a new one.

    The findings are many elements. To draw them with each look at the job would take the time that the audit needs.
    """
    snapshot = JOB.follow()
    JOB.draw_away()
    findings = cast(Sequence[Finding], snapshot.trace)
    waiting = list(CHECKS)[len(findings) :] if snapshot.state == "running" else []
    view.draw_checks(findings, at_work=waiting[0] if waiting else None)


def _progress(snapshot: JobSnapshot, recipe: AuditRecipe) -> Progress:
    step = snapshot.record
    if not isinstance(step, AuditStep):
        return Progress(0.0, "Reading the photos")
    doing = f"Check {step.number} of {step.checks}: {step.check}"
    return Progress(_share(step, recipe), doing, estimate_seconds(recipe))


def _share(step: AuditStep, recipe: AuditRecipe) -> float:
    """Return how much of the work is done, by the calls of the model."""
    calls = audit_calls(recipe.plan, with_reference=recipe.reference is not None)
    expected = GRADIENT_COST * calls.gradients + calls.queries
    return (GRADIENT_COST * step.gradient_calls + step.queries) / max(1, expected)


def _cancelled(snapshot: JobSnapshot) -> str:
    findings = cast(Sequence[Finding], snapshot.trace)
    if not findings:
        return "Cancelled before the first check ended."
    return f"Cancelled after {len(findings)} of {len(CHECKS)} checks. {summary(findings)}"


JOB = PageJob(
    noun="audit",
    remembered=session.jobs,
    recipe=AuditRecipe,
    outcome=AuditOutcome,
    progress=_progress,
    cancelled=_cancelled,
    keep_as=view.kept_as,
    address=AuditRecipe.address,
    trace=finding_of,
    redraws=True,
    heartbeat=AWAY_SECONDS,
)
