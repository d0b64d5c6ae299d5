"""Hardening of a model by a recipe: a block, pruning and fine-tuning, in seconds on kept maps or in full."""

from robustiqa_core.hardening.against_rank import AgainstRank
from robustiqa_core.hardening.cache import HardeningCache
from robustiqa_core.hardening.cut import Cut, Maps, Prefix, Suffix, find_cut
from robustiqa_core.hardening.data import TuningData, distillation_data, labelled_data
from robustiqa_core.hardening.measuring import attacked_again, check_hardened_card
from robustiqa_core.hardening.objectives import OBJECTIVES, TERMS, Objective, parse_objective, spell_objective
from robustiqa_core.hardening.recipe import (
    DISTILLATION,
    LOSSES,
    TARGETS,
    TUNED,
    HardeningRecipe,
    Loss,
    Targets,
    Tuned,
    last_stage,
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
)
from robustiqa_core.hardening.run import SHORT_ATTACK, harden, prepare
from robustiqa_core.hardening.terms import AdversarialTraining, GradientNorm, Term, TrainingTask
from robustiqa_core.hardening.trunk import Trunk, Weights, load_trunk, load_weights, read_variants

__all__ = [
    "DISTILLATION",
    "LOSSES",
    "OBJECTIVES",
    "SHORT_ATTACK",
    "TARGETS",
    "TERMS",
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
    "Stage",
    "Suffix",
    "Targets",
    "Term",
    "TrainingTask",
    "Trunk",
    "Tuned",
    "TuningData",
    "Weights",
    "attacked_again",
    "check_hardened_card",
    "distillation_data",
    "find_cut",
    "harden",
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
