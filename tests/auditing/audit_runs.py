"""An audit to its end, of the plans that the tests use."""

from audit_scorers import photos

from robustiqa_core.attacks import PGD
from robustiqa_core.auditing import AuditPlan, AuditReport, Finding, audit
from robustiqa_core.scorer import Scorer

QUICK = AuditPlan(PGD(steps=8), queries=60)


def finish(scorer: Scorer, plan: AuditPlan = QUICK, **settings: object) -> AuditReport:
    *_, report = audit(scorer, photos(), plan, **settings)  # type: ignore[arg-type]
    assert isinstance(report, AuditReport)
    return report


def find(name: str, scorer: Scorer, plan: AuditPlan = QUICK, reference: Scorer | None = None) -> Finding:
    (finding,) = finish(scorer, plan, reference=reference, checks=(name,)).findings
    return finding


TEN = AuditPlan(PGD(steps=10))
WEAK = AuditPlan(PGD(step_size=0.02 / 255, steps=3, random_start=False), queries=60)
