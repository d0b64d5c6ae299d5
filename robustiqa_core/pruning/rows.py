"""A pruning plan as rows and files: the filters removed from each layer, and their importance."""

import csv
import io
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from robustiqa_core.pruning.planning import LayerPlan, PruningPlan


@dataclass(frozen=True, slots=True)
class LayerRow:
    """The effect of a plan on one group of filters.

    Importances are divided by the root mean square of the layer's, so that layers can be compared.

    Args:
        layer: name of the group.
        filters: before.
        removed: filters to remove.
        kept: filters to keep.
        removed_importance: lowest, median and highest importance of the removed filters; None if there are none.
        kept_importance: likewise of the kept ones.
    """

    layer: str
    filters: int
    removed: int
    kept: int
    removed_importance: tuple[float, float, float] | None
    kept_importance: tuple[float, float, float]


def layer_rows(plan: PruningPlan) -> list[LayerRow]:
    """Return one row a layer, in depth order."""
    return [_row(layer) for layer in plan.layers]


def _row(layer: LayerPlan) -> LayerRow:
    size = statistics.fmean(value**2 for value in layer.importance) ** 0.5 or 1.0
    spans = [_span([layer.importance[index] / size for index in group]) for group in (layer.removed, layer.kept)]
    return LayerRow(
        layer=layer_name(layer.group),
        filters=layer.filters,
        removed=len(layer.removed),
        kept=len(layer.kept),
        removed_importance=spans[0],
        kept_importance=spans[1] or (0.0, 0.0, 0.0),
    )


def _span(values: Sequence[float]) -> tuple[float, float, float] | None:
    return (min(values), statistics.median(values), max(values)) if values else None


def layer_name(group: str) -> str:
    """Return a short name of a group of filters.

    Example:
        >>> layer_name("features.stage2.0.expand.conv"), layer_name("scnn.scnn1.conv"), layer_name("dr6.0")
        ('stage2.0', 'scnn1', 'dr6.0')
    """
    words = [word for word in group.split(".") if word not in ("features", "scnn", "expand", "conv", "layers")]
    return ".".join(words)


def plan_csv(plan: PruningPlan) -> bytes:
    """Return every filter as a CSV table: layer, number, importance, whether it is removed."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(("layer", "filter", "importance", "removed"))
    for layer in plan.layers:
        gone = set(layer.removed)
        writer.writerows(
            (layer.group, index, value, int(index in gone)) for index, value in enumerate(layer.importance)
        )
    return file.getvalue().encode()


def plan_json(plan: PruningPlan, command: str) -> bytes:
    """Return the plan as the JSON object that the command prints."""
    return json.dumps({"command": command, "plan": plan.to_json()}, indent=1).encode()
