"""A plan put into practice, on a copy: as masks while the network is tuned, then for good."""

from typing import TypeVar

from torch import nn

from robustiqa_core.pruning.masks import mask_filters
from robustiqa_core.pruning.planning import PruningPlan, check_fits
from robustiqa_core.pruning.surgery import keep_filters

Network = TypeVar("Network", bound=nn.Module)


def masked(network: Network, plan: PruningPlan) -> Network:
    """Return a copy with the removed channels of a plan masked, for tuning.

    The consumer of each group reads its weights for these channels as zero (see `masks`), whatever training does: so
    optimiser steps, weight decay, moving statistics, averages of weights and `load_state_dict` cannot bring a channel
    back. The scores are those of `bake(network, plan)`, the names of the weights those of the network; the time is that
    of the whole network and a little more. A network with masks cannot be stored; bake it first. Existing masks
    are dropped: only the plan counts.

    Args:
        network: that the plan was made for; not touched.
        plan: the filters to remove.

    Raises:
        ConfigurationError: the plan was made for another network.
    """
    check_fits(plan, network)
    return mask_filters(network, {layer.group: layer.removed for layer in plan.layers})


def bake(network: Network, plan: PruningPlan) -> Network:
    """Return a copy without the channels that a plan removes; the network is not touched.

    Args:
        network: that the plan was made for, or one from `masked` after tuning.
        plan: the filters to remove.

    Raises:
        ConfigurationError: the plan was made for another network.
    """
    check_fits(plan, network)
    return keep_filters(network, {layer.group: layer.kept for layer in plan.layers if layer.removed})
