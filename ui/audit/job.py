"""An audit as a job: the records that the page follows, and the outcome that is kept. Knows nothing of Streamlit."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from robustiqa_core.attacks import spell_attack
from robustiqa_core.auditing import AuditReport, AuditStep, Finding, audit, read_photos
from robustiqa_core.defences import defend, parse_defence
from robustiqa_core.images.photo_file import PhotoFile
from robustiqa_core.scorer import Scorer
from ui.audit.recipe import AuditRecipe


@dataclass(frozen=True, slots=True)
class AuditOutcome:
    """The last record.

    Args:
        recipe: what was asked.
        report: the findings.
        device: where it ran, such as `cpu`.
        threads: threads of PyTorch, on which the last digits depend.
        command: the command that gives the same findings.
    """

    recipe: AuditRecipe
    report: AuditReport
    device: str
    threads: int
    command: str

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as the JSON object that the command prints."""
        recipe, report = self.recipe, self.report
        return {
            "model": recipe.model,
            "variant": recipe.variant,
            "defences": [recipe.defence] if recipe.defence else [],
            "reference": recipe.reference,
            "attack": spell_attack(recipe.attack),
            "photos": len(recipe.photos.names),
            "side": recipe.side,
            "device": self.device,
            "threads": self.threads,
            "sound": report.sound,
            "findings": [finding.to_json() for finding in report.findings],
            "gradient_calls": report.gradient_calls,
            "queries": report.queries,
            "seconds": round(report.seconds, 2),
            "command": self.command,
        }


def audit_records(
    recipe: AuditRecipe, photos: Sequence[PhotoFile], scorer: Scorer, reference: Scorer | None, device: torch.device
) -> Iterator[AuditStep | AuditOutcome]:
    """Yield each step of an audit, and its outcome.

    Args:
        recipe: what is asked.
        photos: the recipe's photos.
        scorer: the recipe's model without its defence, on `device`.
        reference: the recipe's reference, on `device`.
        device: where to run.

    Raises:
        RobustIQAError: as `read_photos`, `parse_defence` and `audit`.
    """
    defences = [parse_defence(recipe.defence)] if recipe.defence else []
    images = read_photos(photos, side=recipe.side).to(device)
    for record in audit(defend(scorer, defences), images, recipe.plan, reference=reference):
        if isinstance(record, AuditStep):
            yield record
        else:
            command = recipe.command([str(photo) for photo in photos], device=str(device))
            yield AuditOutcome(recipe, record, str(device), torch.get_num_threads(), command)


def findings_csv(findings: Sequence[Finding]) -> str:
    """Return the figures of all checks as CSV, one line a figure; a check without one has a line of its own."""
    file = io.StringIO()
    lines = csv.writer(file)
    lines.writerow(["check", "verdict", "question", "figure", "value", "unit", "limit"])
    for finding in findings:
        start = [finding.name, finding.verdict, finding.question]
        figures = [[figure.name, figure.value, figure.unit, figure.limit] for figure in finding.figures]
        lines.writerows([*start, *figure] for figure in figures or [[""] * 4])
    return file.getvalue()


def finding_of(record: AuditStep | AuditOutcome) -> Finding | None:
    """Return the finding with which a check ended in this step; None where none did."""
    if isinstance(record, AuditStep) and len(record.findings) == record.number:
        return record.findings[-1]
    return None
