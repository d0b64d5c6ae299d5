"""What a table is made of: models, attacks in their strengths, and how they are run."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from robustiqa_core.attacks import Attack, spell_attack
from robustiqa_core.checks import check_count
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.evaluation.report import attack_name
from robustiqa_core.evaluation.tables.rows import TableRow, versions
from robustiqa_core.images.photo import MAX_SIDE
from robustiqa_core.images.photo_file import PhotoFile
from robustiqa_core.scorer import Scorer


@dataclass(frozen=True, slots=True)
class TableModel:
    """A model of a table.

    Args:
        model: architecture.
        variant: `baseline` or a hardened version.
        scorer: on the table's device, in evaluation mode.
        sha256: of its weights, or what else tells a scorer without a checkpoint from another; may be empty.
    """

    model: str
    variant: str
    scorer: Scorer
    sha256: str = ""

    @property
    def stem(self) -> str:
        """Model and variant, such as `linearity-baseline`."""
        return f"{self.model}-{self.variant}"


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What a table is made of, apart from its photos.

    Args:
        models: one or more, all different.
        attacks: one or more, all different, each in its strength.
        device: where the models lie.
        batch_size: most photos that are attacked together; no figure depends on it but by rounding.
        max_side: larger photos are reduced to this many pixels.
        transfer: whether each adversarial image is also scored by all other models.
        mos: human score by the path of the photo; empty where none is known.
        command: the command that makes the table.

    Raises:
        ConfigurationError: no model or attack, one of them twice, `transfer` with one model, or a bad number.
    """

    models: tuple[TableModel, ...]
    attacks: tuple[Attack, ...]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    batch_size: int = 8
    max_side: int = MAX_SIDE
    transfer: bool = False
    mos: Mapping[str, float] = field(default_factory=dict)
    command: str = ""

    def __post_init__(self) -> None:
        check_count("batch_size", self.batch_size)
        check_count("max_side", self.max_side)
        stems = [model.stem for model in self.models]
        for kind, names in (("models", stems), ("attacks", [spell_attack(attack) for attack in self.attacks])):
            if not names or len(set(names)) < len(names):
                raise ConfigurationError(f"a table needs one or more distinct {kind}, got {names}; change the list")
        if self.transfer and len(stems) < 2:
            raise ConfigurationError("transfer needs at least two models, got one; add one or drop transfer")

    def settings(self) -> dict[str, Any]:
        """Return what decides the numbers of a row, apart from the photo, as a JSON object.

        The size of a batch is not among it, so that a run that needed too much memory can go on with a smaller one.
        """
        return {
            "models": {model.stem: model.sha256 for model in self.models},
            "attacks": [spell_attack(attack) for attack in self.attacks],
            "max_side": self.max_side,
            "transfer": self.transfer,
            "device": str(self.device),
            "threads": torch.get_num_threads(),
            "versions": versions(),
        }


def in_order(rows: Iterable[TableRow], paths: Iterable[PhotoFile | Path], plan: TablePlan) -> list[TableRow]:
    """Return rows sorted by photo, model and attack, as they are listed."""
    images = {str(path): place for place, path in enumerate(paths)}
    stems = {model.stem: place for place, model in enumerate(plan.models)}
    attacks = [(attack_name(attack), asdict(attack)) for attack in plan.attacks]

    def place(row: TableRow) -> tuple[int, int, int]:
        attack = attacks.index((row.report.attack, dict(row.report.settings)))
        return images[row.report.image], stems[row.stem], attack

    return sorted(rows, key=place)
