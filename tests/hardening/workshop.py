"""`harden` on a small random network, with everything that most tests do not vary."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from robustiqa_core.attacks import PGD
from robustiqa_core.blocks import BlockSettings
from robustiqa_core.hardening import (
    Hardened,
    HardeningCache,
    HardeningRecipe,
    HardeningRecord,
    distillation_data,
    harden,
)
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard
from robustiqa_core.pruning import PruningSettings

RECIPE = HardeningRecipe(
    "linearity",
    "after_stage5",
    BlockSettings(width=8, grid=3),
    pruning=PruningSettings(ratio=0.1),
    crops=24,
    validation_crops=8,
    resize=64,
    crop=64,
    epochs=2,
    batch_size=8,
)
CHECK = {"attack": PGD(4 / 255, steps=2), "attacked_crops": 3}


class Workshop:
    """`harden` with everything that the tests do not vary."""

    def __init__(self, baseline: QualityModel, card: ModelCard, cache: HardeningCache, root: Path) -> None:
        self.baseline, self.card, self.cache, self.root = baseline, card, cache, root

    def start(self, recipe: HardeningRecipe = RECIPE, **others: Any) -> Iterator[HardeningRecord]:
        data = others.pop("data", None) or distillation_data(recipe, root=self.root)
        return harden(recipe, self.baseline, self.card, data, **{**CHECK, "cache": self.cache, **others})

    def run(self, recipe: HardeningRecipe = RECIPE, **others: Any) -> tuple[list[HardeningRecord], Hardened]:
        records = list(self.start(recipe, **others))
        result = records[-1]
        assert isinstance(result, Hardened)
        return records, result
