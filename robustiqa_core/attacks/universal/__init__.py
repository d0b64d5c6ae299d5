"""Universal perturbations: one pattern for all photos, trained on some and used on others."""

from robustiqa_core.attacks.universal.cards import PerturbationCard
from robustiqa_core.attacks.universal.shelf import list_perturbations, load_perturbation, perturbed, save_perturbation
from robustiqa_core.attacks.universal.training import (
    METHODS,
    TrainedPerturbation,
    UniversalRecord,
    UniversalTraining,
    train_perturbation,
)

__all__ = [
    "METHODS",
    "PerturbationCard",
    "TrainedPerturbation",
    "UniversalRecord",
    "UniversalTraining",
    "list_perturbations",
    "load_perturbation",
    "perturbed",
    "save_perturbation",
    "train_perturbation",
]
