"""All photos and numbers of a run of the attack lab as one file. Knows nothing of Streamlit."""

import csv
import io
import json
import re
import statistics
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from robustiqa_core.attacks import spell_attack
from robustiqa_core.scorer import ScoreRange
from ui.attacks.batch_job import BatchOutcome

_FIGURES = ("clean_score", "adversarial_score", "rounded_score", "gain", "share", "rounded_linf", "rounded_l2", "ssim")
"""Columns of the table that have a mean."""
_MOMENT = (1980, 1, 1, 0, 0, 0)
"""Of every file in the archive, the earliest that the format knows: the same run gives the same bytes."""


def lab_rows(outcome: BatchOutcome, ranges: Mapping[str, ScoreRange]) -> list[dict[str, object]]:
    """Return the figures of each photo and model, unrounded.

    Args:
        outcome: the result.
        ranges: usual scores of each model, by its stem; `share` is the gain in units of their width.
    """
    return [
        {
            "photo": choice.name,
            "model": stem,
            "clean_score": run.report.clean_score,
            "adversarial_score": run.report.adversarial_score,
            "rounded_score": run.report.rounded_score,
            "gain": run.report.gain,
            "share": run.report.gain / ranges[stem].width,
            "rounded_linf": run.report.rounded_linf,
            "rounded_l2": run.report.rounded_l2,
            "psnr": run.report.psnr,
            "ssim": run.report.ssim,
            "command": run.report.command,
        }
        for choice, photo in zip(outcome.recipe.photos, outcome.photos, strict=True)
        for stem, run in zip(outcome.recipe.stems, photo.runs, strict=True)
    ]


def lab_means(rows: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return the mean of each figure over the photos, a row for each model."""
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    return [
        {
            "model": model,
            **{
                figure: statistics.fmean(float(str(row[figure])) for row in rows if row["model"] == model)
                for figure in _FIGURES
            },
        }
        for model in models
    ]


def lab_zip(outcome: BatchOutcome, ranges: Mapping[str, ScoreRange]) -> bytes:
    """Return the photos as lossless PNG, the table as CSV and JSON, and each run's report as JSON, in a ZIP archive.

    Args:
        outcome: the result.
        ranges: usual scores of each model, by its stem.
    """
    rows = lab_rows(outcome, ranges)
    table = {"attack": spell_attack(outcome.recipe.attack), "rows": rows, "means": lab_means(rows)}
    files: dict[str, bytes] = {"table.csv": _csv(rows), "table.json": _json(table)}
    for number, (choice, photo) in enumerate(zip(outcome.recipe.photos, outcome.photos, strict=True), 1):
        folder = f"{number:02d}-{_safe(PurePath(choice.name).stem)}"
        files[f"{folder}/clean.png"] = photo.runs[0].clean_png
        for stem, run in zip(outcome.recipe.stems, photo.runs, strict=True):
            name = f"{folder}/{_safe(stem)}-{run.report.attack}"
            files[f"{name}.png"] = run.adversarial_png
            files[f"{name}.json"] = _json({**run.report.to_json(), "adversarial_path": f"{name}.png"})
    archive = io.BytesIO()
    # PNG is compressed already.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        for name, data in files.items():
            target.writestr(zipfile.ZipInfo(name, _MOMENT), data)
    return archive.getvalue()


def _csv(rows: Sequence[Mapping[str, object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return text.getvalue().encode()


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode()


def _safe(name: str) -> str:
    r"""Return a name that is a file's on every system, and never a path.

    Example:
        >>> _safe("../my photo"), _safe("\\")
        ('my-photo', 'photo')
    """
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip(".-")[:60] or "photo"
