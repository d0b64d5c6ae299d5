"""One row of a table: one photo, one model, one attack of one strength."""

import functools
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from typing import Any

import torch

from robustiqa_core import __version__
from robustiqa_core.errors import InputError
from robustiqa_core.evaluation.report import AttackReport
from robustiqa_core.scorer import ScoreRange


@dataclass(frozen=True, slots=True)
class TableRow:
    """All that is known of one attacked photo; a row can be read, and repeated, without the others.

    Args:
        key: of the photo, the model and the attack; equal for a row that would be computed again.
        report: the figures; its `seconds` are the photo's share of its batch, its `command` repeats this row alone.
        strength: `eps` of the attack as a fraction of [0, 1]; None for an attack that has none.
        model_sha256: of the model's weights, or what else tells a scorer without a checkpoint; may be empty.
        score_range: of the model's clean scores, for the convention `own`.
        haarpsi: perceptual similarity of the rounded image to the photo, at most 1.
        transfer: scores that the other models of the table give the rounded image, by model and variant.
        mos: human score of the photo, where it is known.
        batch: photos that were attacked together.
        versions: of the packages.
        table_command: the command that made the whole table.
    """

    key: str
    report: AttackReport
    strength: float | None
    model_sha256: str
    score_range: ScoreRange
    haarpsi: float
    transfer: Mapping[str, float]
    mos: float | None
    batch: int
    versions: Mapping[str, str]
    table_command: str

    @property
    def stem(self) -> str:
        """Model and variant, such as `linearity-baseline`."""
        return f"{self.report.model}-{self.report.variant}"

    def to_json(self) -> dict[str, Any]:
        """Return the row as a JSON object without the level of the report, which `from_json` reads."""
        row = asdict(self)
        return {"key": row.pop("key"), **row.pop("report"), **row}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, place: str) -> "TableRow":
        """Return the row from a JSON object.

        Args:
            value: as `to_json` makes it.
            place: where it came from, for the error.

        Raises:
            InputError: a key is missing or unknown.
        """
        rest = dict(value)
        try:
            report = AttackReport(**{field.name: rest.pop(field.name) for field in fields(AttackReport)})
            return cls(report=report, score_range=ScoreRange(**rest.pop("score_range")), **rest)
        except (TypeError, KeyError) as error:
            raise InputError(
                f"expected a row of a table in {place}, got one that does not match ({error}); "
                "it was written by another version: start a new table"
            ) from error


@dataclass(frozen=True, slots=True)
class Skipped:
    """A photo, or one attack on it, that is missing from the table.

    Args:
        image: the photo.
        reason: why, as a sentence.
        model: model and variant, where one attack alone is missing.
        attack: likewise.
    """

    image: str
    reason: str
    model: str | None = None
    attack: str | None = None


def row_key(*, image: str, image_sha256: str, model: str, model_sha256: str, attack: str) -> str:
    """Return a short digest of what decides a row.

    Args:
        image: name of the photo.
        image_sha256: of its pixels.
        model: model and variant.
        model_sha256: of its weights.
        attack: with all its settings, as `spell_attack` writes it.
    """
    text = json.dumps([image, image_sha256, model, model_sha256, attack])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@functools.cache
def versions() -> Mapping[str, str]:
    """Return the versions of what the numbers depend on."""
    return {
        "robustiqa": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: version(name) for name in ("numpy", "pillow", "piq")},
    }
