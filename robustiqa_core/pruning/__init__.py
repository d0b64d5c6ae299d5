"""Structured pruning: the importance of filters, a plan, masks for tuning, and a smaller network."""

from robustiqa_core.pruning.application import bake, masked
from robustiqa_core.pruning.cost import Cost, network_cost
from robustiqa_core.pruning.criteria import CRITERIA, Criterion, Evidence
from robustiqa_core.pruning.groups import ChannelGroup, channel_groups
from robustiqa_core.pruning.importance import filter_importance
from robustiqa_core.pruning.masks import is_masked, unmasked
from robustiqa_core.pruning.planning import LayerPlan, PruningPlan, plan, plan_from
from robustiqa_core.pruning.settings import MAX_RATIO, SCOPES, PruningSettings, Scope
from robustiqa_core.pruning.surgery import narrow, remaining

__all__ = [
    "CRITERIA",
    "MAX_RATIO",
    "SCOPES",
    "ChannelGroup",
    "Cost",
    "Criterion",
    "Evidence",
    "LayerPlan",
    "PruningPlan",
    "PruningSettings",
    "Scope",
    "bake",
    "channel_groups",
    "filter_importance",
    "is_masked",
    "masked",
    "narrow",
    "network_cost",
    "plan",
    "plan_from",
    "remaining",
    "unmasked",
]
