"""What a network learns from which data, and how well it has learnt it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from robustiqa_core.attacks.objective import score
from robustiqa_core.blocks import folded_blocks
from robustiqa_core.checkpoints.storage import as_scorer
from robustiqa_core.hardening.against_rank import AgainstRank
from robustiqa_core.hardening.crops import KeptCrops, to_images
from robustiqa_core.hardening.data import TuningData
from robustiqa_core.hardening.hints import Hints
from robustiqa_core.hardening.objectives import Objective
from robustiqa_core.hardening.recipe import Loss
from robustiqa_core.hardening.terms import TrainingTask
from robustiqa_core.metrics.correlation import Agreement, agreement, srocc_to_choose
from robustiqa_core.metrics.worst_order import rank_directions
from robustiqa_core.models import QualityModel
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.losses import norm_in_norm, training_loss
from robustiqa_core.training.ranks import gather
from robustiqa_core.training.sampling import combined_seed


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


def training_task(network: QualityModel, data: TuningData, loss: Loss, scale: ScoreRange, hints: Hints) -> TrainingTask:
    """Return what a network learns: the targets of a labelled set, or the baseline's scores and maps.

    With the loss `own` the former by its architecture's own loss, the latter by mean ((s - t) / width)^2, with the
    width of the baseline's score range; with `norm_in_norm` both by that. Without labels the weighted error of the
    hints is added.

    Args:
        network: what learns.
        data: with labels or without.
        loss: a recipe's.
        scale: range of the baseline's scores.
        hints: what is wanted of the network's maps; nothing where there are labels.
    """

    def error(images: Tensor, targets: Tensor) -> Tensor:
        if loss == "own" and data.labelled:
            return training_loss(network, images, targets)
        scores, wanted = gather(network(images)), gather(targets)
        if loss == "own":
            return F.mse_loss(scores / scale.width, wanted / scale.width)
        return norm_in_norm(scores[:, None], wanted)[0]

    def error_with_hints(images: Tensor, targets: Tensor) -> Tensor:
        scores_error = error(images, targets)
        return scores_error + hints.weight * hints.error() if hints.wanted else scores_error

    return TrainingTask(network, error_with_hints, span=1.0 if data.labelled else scale.width)


def placed(task: TrainingTask, holdout: Holdout) -> TrainingTask:
    """Return a training task that knows the middle of a holdout's targets, and their unit by the baseline's scores."""
    targets, own = holdout.targets, holdout.baseline
    factor = (targets.std() / own.std().clamp_min(1e-6)).item()
    shift = targets.mean().item() - factor * own.mean().item()
    return replace(task, middle=targets.median().item(), factor=factor, shift=shift)


def judge(task: TrainingTask, objective: Objective, holdout: Holdout, *, batch_size: int) -> tuple[Tensor, float]:
    """Return the scores (N,) of a holdout's crops, and the figure that chooses the epoch.

    With training against the rank the figure is the worst-case SROCC: that of the targets and the scores of crops
    attacked against their rank. Else it is the SROCC of the scores of the crops, and of what the objective makes of
    them, with their targets. A network that is only good on clean photos, or that gives all photos nearly the same
    score, falls short of one that is good on both. The random numbers are the same on every call, and torch's own are
    as before.

    Args:
        task: with the network, in eval mode.
        objective: whose terms may attack the crops.
        holdout: the crops with their targets.
        batch_size: crops at a time.
    """
    if objective.against_rank is not None:
        return _judge_order(task.network, objective.against_rank, holdout, batch_size=batch_size)
    device = task.network.k.device
    clean, scores, wanted = [], [], []
    batches = zip(torch.split(holdout.crops.pixels, batch_size), torch.split(holdout.targets, batch_size), strict=True)
    seeded = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
    with seeded, folded_blocks(task.network):
        for number, (pixels, targets) in enumerate(batches):
            torch.manual_seed(combined_seed(0, number))
            images, aims = objective.extended(task, to_images(pixels, device), targets.to(device))
            scores.append(score(task.network, images).float().cpu())
            clean.append(scores[-1][: len(pixels)])
            wanted.append(aims.cpu())
    return torch.cat(clean), srocc_to_choose(torch.cat(scores).numpy(), torch.cat(wanted).numpy())


def _judge_order(
    network: QualityModel, attack: AgainstRank, holdout: Holdout, *, batch_size: int
) -> tuple[Tensor, float]:
    """Return the scores (N,) of a holdout's crops, and the worst-case SROCC of the first of them."""
    scorer = as_scorer(copy.deepcopy(network))
    batches = torch.split(holdout.crops.pixels, batch_size)
    clean = torch.cat([score(scorer, to_images(part, network.k.device)).float().cpu() for part in batches])
    few, targets = holdout.crops.first(attack.judged_photos).pixels, holdout.targets[: attack.judged_photos]
    directions = torch.from_numpy(rank_directions(targets.numpy()))
    worst = [
        attack.worst_scores(scorer, to_images(part, network.k.device), ways.to(network.k))[1].float().cpu()
        for part, ways in zip(torch.split(few, batch_size), torch.split(directions, batch_size), strict=True)
    ]
    return clean, srocc_to_choose(torch.cat(worst).numpy(), targets.numpy())


def agreements(scores: Tensor, baseline: Tensor, mos: Tensor | None) -> tuple[Agreement, Agreement | None]:
    """Return how scores (N,) agree with the baseline's (N,), and with human ones (N,) where there are any."""
    own = scores.double().numpy()
    return (
        agreement(own, baseline.double().numpy()),
        None if mos is None else agreement(own, mos.double().numpy()),
    )
