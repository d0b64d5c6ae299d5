"""The places of a model where a block can go, as they are drawn. Knows nothing of Streamlit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robustiqa_core.scorer import InsertionPoint
from ui.shell.model_names import place_name

TRUNK = "features"
_BRANCHES = {"features": "trunk", "scnn": "S-CNN (distortions)", "encoder": "transformer"}
_BESIDE = frozenset({"scnn"})
"""First parts of module paths that see the photo on their own; all others follow what was before."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in the diagram.

    Args:
        point: the insertion point.
        branch: which part of the model it is in, for people.
        column: of the diagram: branches that run side by side have their own.
        row: of the diagram; deeper is lower.
    """

    point: InsertionPoint
    branch: str
    column: int
    row: int

    @property
    def title(self) -> str:
        """What people call the place."""
        return place_name(self.point.name)


def slots_of(points: Sequence[InsertionPoint]) -> tuple[Slot, ...]:
    """Return the places in depth order, each with its place in the diagram.

    Args:
        points: of a model, as `insertion_points` gives them.

    Example:
        >>> points = [InsertionPoint("after_stage1", "features.stage1", 16, 2), \
InsertionPoint("after_conv1", "scnn.conv1", 48, 1)]
        >>> [(slot.column, slot.row, slot.branch) for slot in slots_of(points)]
        [(0, 0, 'trunk'), (1, 0, 'S-CNN (distortions)')]
    """
    found: list[Slot] = []
    rows: dict[int, int] = {}
    for point in points:
        part = point.module.split(".")[0]
        column = 1 if part in _BESIDE else 0
        row = rows.get(column, 0)
        rows[column] = row + 1
        found.append(Slot(point, _BRANCHES.get(part, part), column, row))
    return tuple(found)


def default_position(points: Sequence[InsertionPoint]) -> str:
    """Return the deepest place of the trunk: a block there is tuned fastest."""
    return [point for point in points if point.module.startswith(f"{TRUNK}.")][-1].name


def dimension_ratios(points: Sequence[InsertionPoint], *, side: int) -> Mapping[str, float]:
    """Return the paper's ratio c_out s_out^2 / (c_in s_in^2) of the stage in front of each place.

    Its map's values for one value of the map before: of the place before in the same branch, or of the photo.

    Args:
        points: of a model.
        side: of the photo in pixels.
    """
    before: dict[int, float] = {}
    ratios: dict[str, float] = {}
    for slot in slots_of(points):
        values = slot.point.channels * (side / slot.point.stride) ** 2
        ratios[slot.point.name] = values / before.get(slot.column, 3.0 * side**2)
        before[slot.column] = values
    return ratios
