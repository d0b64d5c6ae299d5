"""Importances and plans of the page Pruning, which are the same for everybody."""

from collections.abc import Mapping

import streamlit as st
import torch

from robustiqa_core.hardening import TuningData, filter_importance_for
from robustiqa_core.pruning import PruningPlan, PruningSettings, plan_from
from ui.hardening import cache as hardening_cache


@st.cache_resource(max_entries=16, show_spinner="Asking every filter how important it is")
def filter_importance(model: str, variant: str, criterion: str, _data: TuningData) -> dict[str, torch.Tensor]:
    """Return the importance of every filter of a bundled model, by layer.

    Args:
        model: architecture.
        variant: of the model.
        criterion: that judges the filters.
        _data: crops that a criterion looks at; those of the page Pruning, always the same.
    """
    network = hardening_cache.network(model, variant)
    return filter_importance_for(network, PruningSettings(criterion), _data, hardening_cache.computed())


@st.cache_resource(max_entries=256, show_spinner=False)
def pruning_plan(
    model: str, variant: str, settings: PruningSettings, _importance: Mapping[str, torch.Tensor]
) -> PruningPlan:
    """Return which filters of a bundled model go.

    Args:
        model: architecture.
        variant: of the model.
        settings: criterion, ratio and scope.
        _importance: from `filter_importance`, for these settings.
    """
    return plan_from(hardening_cache.network(model, variant), settings, _importance)
