"""The runner of all checks: order, applicability, errors and counts."""

import time
from collections.abc import Generator, Sequence
from typing import cast

from torch import Tensor

from robustiqa_core.auditing.catalogue import CHECKS, NEEDS, advice
from robustiqa_core.auditing.evidence import AuditPlan, Evidence
from robustiqa_core.auditing.records import AuditReport, AuditStep, Finding, Work
from robustiqa_core.checks import check_choice
from robustiqa_core.errors import RobustIQAError
from robustiqa_core.scorer import Scorer


def audit(
    scorer: Scorer,
    images: Tensor,
    plan: AuditPlan | None = None,
    *,
    reference: Scorer | None = None,
    checks: Sequence[str] = tuple(CHECKS),
) -> Generator[AuditStep | AuditReport, None, None]:
    """Ask whether a model is as robust as an attack says; return an iterator whose last record is the AuditReport.

    It can be closed at any step. Arguments are not modified.

    Args:
        scorer: the model, in evaluation mode.
        images: (N, 3, H, W), float, RGB in [0, 1]; four photos at 224 px are usual.
        plan: the attack in use and the budgets; by default APGD with 40 steps at 4/255.
        reference: a model to compare with, such as the baseline of a hardened one.
        checks: keys of CHECKS, in the order in which to run them.

    Raises:
        InputError: at once, if the images are invalid or a model is in training mode.
        ConfigurationError: at once, for an unknown check.
    """
    for name in checks:
        check_choice("a check", name, CHECKS)
    return _records(Evidence(scorer, images, plan or AuditPlan(), reference), tuple(checks))


def _records(evidence: Evidence, checks: tuple[str, ...]) -> Generator[AuditStep | AuditReport, None, None]:
    # The clock stops while the consumer works on a record.
    seconds, resumed = 0.0, time.perf_counter()
    findings: tuple[Finding, ...] = ()
    for number, name in enumerate(checks, 1):
        work = _find(evidence, name)
        while True:
            try:
                next(work)
            except StopIteration as end:
                findings += (cast(Finding, end.value),)
            seconds += time.perf_counter() - resumed
            yield AuditStep(name, number, len(checks), findings, evidence.gradient_calls, evidence.queries)
            resumed = time.perf_counter()
            if len(findings) == number:
                break
    yield AuditReport(findings, evidence.gradient_calls, evidence.queries, seconds)


def _find(evidence: Evidence, name: str) -> Work[Finding]:
    """Run one check; an error of the core ends it in doubt, not the others."""
    check = CHECKS[name]
    for need in check.needs:
        met, reason, remedy = NEEDS[need]
        if not met(evidence):
            return Finding(name, check.question, "not run", (), reason, remedy)
    try:
        measured = yield from check.measure(evidence)
    except RobustIQAError as error:
        meaning = f"The check ended in an error: {error}"
        return Finding(name, check.question, "doubt", (), meaning, advice(check, evidence.plan.attack))
    if measured.sound:
        return Finding(name, check.question, "pass", measured.figures, measured.meaning or check.passed, "")
    return Finding(
        name,
        check.question,
        "doubt",
        measured.figures,
        measured.meaning or check.doubted,
        advice(check, evidence.plan.attack),
        measured.cost,
    )
