"""Hardening of a model by a recipe: a block, pruning and fine-tuning, in seconds on kept maps or in full."""

from robustiqa_core.hardening.cache import HardeningCache
from robustiqa_core.hardening.command import complete, harden_command, last_stage
from robustiqa_core.hardening.cut import Cut, Maps, Prefix, Suffix, find_cut
from robustiqa_core.hardening.data import TuningData, distillation_data, labelled_data
from robustiqa_core.hardening.donors import Trunk, Weights, load_trunk, load_weights, read_variants
from robustiqa_core.hardening.objectives import OBJECTIVES, REGULARIZERS, Objective, parse_objective, spell_objective
from robustiqa_core.hardening.pipeline import SHORT_ATTACK, filter_importance_for, harden, prepare
from robustiqa_core.hardening.recipe import (
    DISTILLATION,
    HARDENING,
    LOSSES,
    TARGETS,
    TUNED,
    HardeningRecipe,
    Loss,
    Targets,
    Tuned,
    positions_of,
)
from robustiqa_core.hardening.records import (
    Epoch,
    Finished,
    Hardened,
    HardeningRecord,
    Inserted,
    Progressed,
    Pruned,
    Stage,
    Timing,
)
from robustiqa_core.hardening.regularizers import AdversarialTraining, AgainstRank, GradientNorm, Regularizer
from robustiqa_core.hardening.task import TrainingTask
from robustiqa_core.hardening.trial import attacked_again, check_hardened_card

__all__ = [
    "DISTILLATION",
    "HARDENING",
    "LOSSES",
    "OBJECTIVES",
    "REGULARIZERS",
    "SHORT_ATTACK",
    "TARGETS",
    "TUNED",
    "AdversarialTraining",
    "AgainstRank",
    "Cut",
    "Epoch",
    "Finished",
    "GradientNorm",
    "Hardened",
    "HardeningCache",
    "HardeningRecipe",
    "HardeningRecord",
    "Inserted",
    "Loss",
    "Maps",
    "Objective",
    "Prefix",
    "Progressed",
    "Pruned",
    "Regularizer",
    "Stage",
    "Suffix",
    "Targets",
    "Timing",
    "TrainingTask",
    "Trunk",
    "Tuned",
    "TuningData",
    "Weights",
    "attacked_again",
    "check_hardened_card",
    "complete",
    "distillation_data",
    "filter_importance_for",
    "find_cut",
    "harden",
    "harden_command",
    "labelled_data",
    "last_stage",
    "load_trunk",
    "load_weights",
    "parse_objective",
    "positions_of",
    "prepare",
    "read_variants",
    "spell_objective",
]
