"""Is a model robust, or does it only look so? Small checks, each with its figure and what it means.

Sources: N. Carlini et al., "On Evaluating Adversarial Robustness", 2019; A. Athalye et al., "Obfuscated Gradients Give
a False Sense of Security", ICML 2018; M. Pintor et al., "Indicators of Attack Failure", NeurIPS 2022; turned from
classes to scores here. Adding a check is one function and one entry in `CHECKS`.
"""

from robustiqa_core.auditing.catalogue import CHECKS, Check
from robustiqa_core.auditing.evidence import AuditPlan, Evidence
from robustiqa_core.auditing.photos import read_photos
from robustiqa_core.auditing.records import AuditReport, AuditStep, Figure, Finding, Measured, Verdict, Work
from robustiqa_core.auditing.run import audit

__all__ = [
    "CHECKS",
    "AuditPlan",
    "AuditReport",
    "AuditStep",
    "Check",
    "Evidence",
    "Figure",
    "Finding",
    "Measured",
    "Verdict",
    "Work",
    "audit",
    "read_photos",
]
