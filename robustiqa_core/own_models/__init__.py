"""Models of the user's own: listed in a file or named by their source, wrapped as checked Scorers."""

from robustiqa_core.own_models.catalogue import MODELS_VARIABLE, OWN, OwnModel, list_own_models
from robustiqa_core.own_models.digest import source_stamp
from robustiqa_core.own_models.scorer import (
    OwnScorer,
    find_own_model,
    load_own_scorer,
    measured_range,
    own_cards,
    resolve_card,
    resolve_scorer,
)

__all__ = [
    "MODELS_VARIABLE",
    "OWN",
    "OwnModel",
    "OwnScorer",
    "find_own_model",
    "list_own_models",
    "load_own_scorer",
    "measured_range",
    "own_cards",
    "resolve_card",
    "resolve_scorer",
    "source_stamp",
]
