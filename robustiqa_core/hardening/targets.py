"""What a network is taught and what it is held against: human scores, or the baseline's scores and feature maps.

A score is one number a photo. From the scores of a few hundred crops a network learns these crops by heart; from the
feature maps it learns to see as the baseline sees.
"""

import copy
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from robustiqa_core.blocks import insertion_points
from robustiqa_core.checkpoints.storage import as_scorer
from robustiqa_core.hardening.cache import HardeningCache, KeptCrops, TeacherOutputs, kept_crops, teacher_outputs
from robustiqa_core.hardening.cut import Cut
from robustiqa_core.hardening.data import TuningData
from robustiqa_core.hardening.donors import Trunk, Weights
from robustiqa_core.hardening.recipe import HardeningRecipe, Loss
from robustiqa_core.hardening.records import Progressed
from robustiqa_core.hardening.task import TrainingTask
from robustiqa_core.metrics.correlation import Agreement, agreement
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.spectra.activations import watch
from robustiqa_core.training.losses import norm_in_norm, training_loss
from robustiqa_core.training.ranks import count, gather


def distilled_places(network: QualityModel, cut: Cut | None) -> tuple[str, ...]:
    """Return the paths of the last insertion point of each branch that a block reaches; of all without a block.

    They are the trunk's end, that of DBCNN's other branch, and that of TReS's transformer.
    """
    modules = [point.module for point in insertion_points(network)]
    reached = [module for module in modules if cut is None or not cut.is_front(f"{module}.")]
    return tuple({module.partition(".")[0]: module for module in reached}.values())


class FeatureDistillation:
    """What a network makes at some places, held against what the baseline makes there of the same photos.

    Source: A. Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015; here the maps have the same shape, so that
    nothing lies between, and errors are relative, so that one weight serves every place.
    """

    def __init__(self, network: QualityModel, places: tuple[str, ...], weight: float) -> None:
        """Watch a network until `close`.

        Args:
            network: what learns.
            places: from `distilled_places`.
            weight: of the error in the loss.
        """
        self.weight = weight
        self.wanted: Mapping[str, Tensor] = {}
        self._made, self.close = watch(network, places)

    def error(self) -> Tensor:
        """Return the mean over the places of mean (made - wanted)^2 / mean wanted^2.

        Of the newest batch, or of its first photos where only these are wanted: what an objective adds to a batch comes
        after the photos. `wanted` must not be empty.
        """
        errors = []
        for place, wanted in self.wanted.items():
            made = self._made[place][: len(wanted)].float()
            errors.append((made - wanted).square().mean() / wanted.square().mean().clamp_min(1e-12))
        # Each of several processes has a part of the batch, and gradients are summed.
        return torch.stack(errors).mean() / count()


@dataclass(frozen=True, slots=True, eq=False)
class Holdout:
    """What a network is held against, epoch by epoch.

    Args:
        crops: held-out crops; their targets are human scores where there are labels.
        baseline: (N,), the baseline's scores of them.
        labelled: whether there are labels.
        scale: range of the baseline's scores.
    """

    crops: KeptCrops
    baseline: Tensor
    labelled: bool
    scale: ScoreRange

    @property
    def mos(self) -> Tensor | None:
        """Human scores (N,), from 0 to 1."""
        return self.crops.targets if self.labelled else None

    @property
    def targets(self) -> Tensor:
        """What the network learns of the crops (N,)."""
        return self.crops.targets if self.labelled else self.baseline

    def complete(self, targets: Tensor, teacher: Callable[[Tensor], Tensor]) -> Tensor:
        """Return targets (n,) of crops of a labelled set, the baseline's opinion in place of each that is missing.

        It is brought to the human scores' mean and spread by the holdout's crops, since a baseline may have learnt
        another unit.

        Args:
            targets: from 0 to 1, NaN where a crop has no label.
            teacher: returns the baseline's scores of the crops that a mask (n,) chooses.
        """
        missing = targets.isnan()
        if not missing.any():
            return targets
        known, own = self.crops.targets, self.baseline
        unit = known.std() / own.std().clamp_min(1e-6)
        guesses = (teacher(missing).to(targets) - own.mean()) * unit + known.mean()
        return targets.masked_scatter(missing, guesses)


def training_task(
    network: QualityModel, data: TuningData, loss: Loss, scale: ScoreRange, features: FeatureDistillation
) -> TrainingTask:
    """Return what a network learns: the targets of a labelled set, or the baseline's scores and maps.

    With the loss `own` the former by its architecture's own loss, the latter by mean ((s - t) / width)^2, with the
    width of the baseline's score range; with `norm_in_norm` both by that. Without labels the weighted error of the
    features is added.

    Args:
        network: what learns.
        data: with labels or without.
        loss: a recipe's.
        scale: range of the baseline's scores.
        features: what is wanted of the network's maps; nothing where there are labels.
    """

    def error(images: Tensor, targets: Tensor) -> Tensor:
        if loss == "own" and data.labelled:
            return training_loss(network, images, targets)
        scores, wanted = gather(network(images)), gather(targets)
        if loss == "own":
            return F.mse_loss(scores / scale.width, wanted / scale.width)
        return norm_in_norm(scores[:, None], wanted)[0]

    def error_with_features(images: Tensor, targets: Tensor) -> Tensor:
        scores_error = error(images, targets)
        return scores_error + features.weight * features.error() if features.wanted else scores_error

    return TrainingTask(network, error_with_features, span=1.0 if data.labelled else scale.width)


def placed(task: TrainingTask, holdout: Holdout) -> TrainingTask:
    """Return a training task that knows the middle of a holdout's targets, and their unit by the baseline's scores."""
    targets, own = holdout.targets, holdout.baseline
    factor = (targets.std() / own.std().clamp_min(1e-6)).item()
    shift = targets.mean().item() - factor * own.mean().item()
    return replace(task, middle=targets.median().item(), factor=factor, shift=shift)


def agreements(scores: Tensor, baseline: Tensor, mos: Tensor | None) -> tuple[Agreement, Agreement | None]:
    """Return how scores (N,) agree with the baseline's (N,), and with human ones (N,) where there are any."""
    own = scores.double().numpy()
    return (
        agreement(own, baseline.double().numpy()),
        None if mos is None else agreement(own, mos.double().numpy()),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What is hardened, how, and on what; with what the stages make of that and the cache keeps.

    Args:
        recipe: how.
        baseline: network that is hardened; not touched.
        card: of the same.
        data: what it is tuned on and judged by.
        donor: whose weights take the place of its own, if any.
        cache: where crops, outputs and maps are kept.
        workers: processes that make crops.
    """

    recipe: HardeningRecipe
    baseline: QualityModel
    card: ModelCard
    data: TuningData
    donor: Trunk | Weights | None
    cache: HardeningCache
    workers: int

    def teacher(self) -> QualityModel:
        """Return a copy of the baseline that is made for scoring."""
        return as_scorer(copy.deepcopy(self.baseline))

    def training_crops(self) -> Generator[Progressed, None, KeptCrops]:
        """Return the crops of the first epoch."""
        samples = self.data.training_samples(0, self.recipe.seed)
        return kept_crops(self.data.training, samples, self.cache, workers=self.workers)

    def holdout(self) -> Generator[Progressed, None, Holdout]:
        """Return what the network is held against."""
        data = self.data
        crops = yield from kept_crops(data.validation, data.validation_samples, self.cache, workers=self.workers)
        baseline = yield from teacher_outputs(self.teacher(), crops, self.cache)
        return Holdout(crops, baseline.scores, data.labelled, self.baseline.score_range)

    def distilled(self, crops: KeptCrops) -> Generator[Progressed, None, TeacherOutputs]:
        """Return what the teacher makes of crops, at all places that any position could ask for."""
        teacher, recipe = self.teacher(), self.recipe
        places = distilled_places(teacher, None) if recipe.hint_weight else ()
        return (yield from teacher_outputs(teacher, crops, self.cache, places=places, precision=recipe.precision))
