"""Choice of the filters to remove, given their importance."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from robustiqa_core.pruning.groups import ChannelGroup
from robustiqa_core.pruning.settings import PruningSettings


def normalise(importance: Tensor) -> Tensor:
    """Return the importances (filters,) of a group divided by their root mean square, so that groups compare.

    Sums and lengths of weights grow with the number of weights of a filter, regardless of its importance. VIP already
    has a root mean square of 1 and does not change.

    Example:
        >>> normalise(torch.tensor([1.0, 7.0]))
        tensor([0.2000, 1.4000])
    """
    size = importance.square().mean().sqrt()
    return importance / size if size > 0 else importance


def stays(wanted: float, filters: int, step: int) -> int:
    """Return how many filters of a group to keep: the multiple of `step` nearest to `wanted`, or all of them.

    Example:
        >>> [stays(wanted, 48, 8) for wanted in (48, 45, 43.2, 3)], stays(0.2, 48, 1)
        ([48, 48, 40, 8], 1)
    """
    if wanted >= filters:
        return filters
    return min(max(step, step * math.floor(wanted / step + 0.5)), filters)


def choose_filters(
    groups: Sequence[ChannelGroup], importances: Sequence[Tensor], settings: PruningSettings
) -> list[tuple[int, ...]]:
    """Return the filters to remove from each group, in ascending order; of equal ones, the first.

    Args:
        groups: of the network.
        importances: (filters,) of each group.
        settings: ratio, scope and multiple.
    """
    if settings.scope == "global":
        together = torch.cat([normalise(importance) for importance in importances])
        owners = torch.cat([torch.full_like(values, index) for index, values in enumerate(importances)])
        least = together.argsort(stable=True)[: round(settings.ratio * len(together))]
        gone = torch.bincount(owners[least].long(), minlength=len(groups)).tolist()
    else:
        gone = [settings.ratio * group.filters for group in groups]
    chosen: list[tuple[int, ...]] = []
    for group, importance, count in zip(groups, importances, gone, strict=True):
        step = settings.multiple // math.gcd(settings.multiple, group.span)
        goes = group.filters - stays(group.filters - count, group.filters, step)
        chosen.append(tuple(sorted(importance.argsort(stable=True)[:goes].tolist())))
    return chosen
