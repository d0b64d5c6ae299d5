"""Fine-tuning: of what a block reaches, on maps that were computed once, in seconds; or on photos, of any layers."""

import copy
import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from robustiqa_core.attacks.objective import score
from robustiqa_core.blocks import folded_blocks
from robustiqa_core.blocks.convolution import full_precision
from robustiqa_core.checkpoints.storage import as_scorer
from robustiqa_core.device import autocast
from robustiqa_core.errors import NumericalError
from robustiqa_core.hardening.cache import BATCH, TeacherOutputs
from robustiqa_core.hardening.cut import Cut, Maps, Suffix
from robustiqa_core.hardening.data import TuningData
from robustiqa_core.hardening.objectives import Objective
from robustiqa_core.hardening.recipe import HardeningRecipe
from robustiqa_core.hardening.records import Epoch, Progressed
from robustiqa_core.hardening.regularizers import AgainstRank
from robustiqa_core.hardening.targets import (
    FeatureDistillation,
    Holdout,
    agreements,
    distilled_places,
    placed,
    training_task,
)
from robustiqa_core.hardening.task import TrainingTask
from robustiqa_core.images.photo import from_8bit
from robustiqa_core.metrics.correlation import srocc_to_choose
from robustiqa_core.metrics.worst_order import rank_directions
from robustiqa_core.models import QualityModel
from robustiqa_core.spectra.activations import watch
from robustiqa_core.training.sampling import combined_seed, random_order
from robustiqa_core.training.state import TrainingState
from robustiqa_core.training.steps import Task, take_steps


def tune_on_maps(
    network: QualityModel,
    cut: Cut,
    recipe: HardeningRecipe,
    data: TuningData,
    *,
    maps: Maps,
    taught: TeacherOutputs,
    held_out: Maps,
    holdout: Holdout,
) -> Iterator[Progressed | Epoch]:
    """Tune the block and what it reaches, in place, on kept maps; all weights learn until the last step.

    Everything is in eval mode: the maps were made with the statistics of the normalisations as they are, a few photos
    have no better ones, and so a crop's score does not depend on its batch or on chance.

    Args:
        network: with a block, its weights free to learn.
        cut: of this network.
        recipe: how.
        data: what the targets are.
        maps: of the training crops.
        taught: what is learnt of the same: human scores, or the baseline's scores and what it made at some places.
        held_out: maps of the holdout's crops.
        holdout: what the network is held against.

    Raises:
        NumericalError: the loss is not finite.
    """
    suffix = Suffix(network, cut)
    features = FeatureDistillation(suffix.network, tuple(taught.maps), recipe.hint_weight)
    task = training_task(suffix.network, data, recipe.loss, holdout.scale, features)
    state = TrainingState(suffix.network, recipe.rate_of(cut.block), recipe.loop)
    per_epoch = len(maps) // recipe.batch_size
    started = time.monotonic()

    def report(loss: float | None) -> Epoch:
        scores = scores_of(suffix, held_out)
        figure = srocc_to_choose(scores.numpy(), holdout.targets.numpy())
        agreement, mos = agreements(scores, holdout.baseline, holdout.mos)
        return Epoch(state.epoch, recipe.epochs, loss, agreement, mos, figure, time.monotonic() - started)

    yield report(None)
    for epoch in range(recipe.epochs):
        order = [sample.index for sample in random_order(len(maps), seed=recipe.seed, epoch=epoch)]
        losses = []
        for number in range(per_epoch):
            chosen = order[number * recipe.batch_size :][: recipe.batch_size]
            state.schedule(per_epoch * recipe.epochs)
            features.wanted = {place: known[chosen].to(network.k.device) for place, known in taught.maps.items()}
            losses.append(_step(state, suffix, task, maps.pick(chosen), taught.scores[chosen]))
            yield Progressed("tuning", state.step, per_epoch * recipe.epochs, losses[-1])
        state.epoch += 1
        yield report(sum(losses) / len(losses))


@torch.no_grad()
def scores_of(suffix: Suffix, maps: Maps) -> Tensor:
    """Return the scores (N,), float32 on the CPU, of the photos whose maps these are."""
    parts = [range(start, min(start + BATCH, len(maps))) for start in range(0, len(maps), BATCH)]
    device = suffix.network.k.device
    with folded_blocks(suffix.network):
        return torch.cat([suffix.scores(maps.pick(part).to(device)).float().cpu() for part in parts])


def _step(state: TrainingState, suffix: Suffix, task: TrainingTask, maps: Maps, targets: Tensor) -> float:
    device = suffix.network.k.device
    with autocast(device, state.settings.precision):
        loss = task.loss(suffix.recall(maps.to(device)), targets.to(device))
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    state.optimizer.step()
    state.step += 1
    value = loss.item()
    if not math.isfinite(value):
        raise NumericalError(f"the loss of step {state.step} is {value}; lower the learning rates")
    return value


def tune_on_photos(
    network: QualityModel,
    cut: Cut | None,
    recipe: HardeningRecipe,
    data: TuningData,
    *,
    teacher: QualityModel,
    holdout: Holdout,
    run_dir: Path | None,
    workers: int,
) -> Iterator[Progressed | Epoch]:
    """Tune a network in place on fresh crops in every epoch; it ends with the averaged weights of the best epoch.

    Args:
        network: its weights free to learn; on its device.
        cut: of this network; None where it has no block.
        recipe: how.
        data: crops.
        teacher: the baseline, frozen, whose scores and maps are the targets where there are no labels; watched while
            the tuning runs.
        holdout: what the network is held against; its figure chooses the epoch.
        run_dir: folder of the saved state, to go on from after an interruption; None for one that is not kept.
        workers: processes that make crops.

    Raises:
        InputError: the folder holds the state of another training.
        NumericalError: the loss is not finite.
    """
    with ExitStack() as stack:
        learner = _Learner(network, cut, recipe, data, teacher, holdout)
        stack.callback(learner.close)
        yield learner.report()
        if not recipe.epochs:
            return
        folder = run_dir or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        losses: list[float] = []
        for record in take_steps(learner.task(), recipe.loop, run_dir=folder, workers=workers):
            losses.append(record.loss)
            yield Progressed("tuning", record.step, record.steps, record.loss)
            if record.figure is not None:
                mean = sum(losses) / len(losses)
                yield replace(learner.newest, epoch=record.epoch, loss=mean, seconds=record.seconds)
                losses.clear()


class _Learner:
    """A network with what it learns, as the training loop wants it."""

    newest: Epoch

    def __init__(
        self,
        network: QualityModel,
        cut: Cut | None,
        recipe: HardeningRecipe,
        data: TuningData,
        teacher: QualityModel,
        holdout: Holdout,
    ) -> None:
        self.network, self.cut, self.recipe, self.data = network, cut, recipe, data
        self.teacher, self.holdout = teacher, holdout
        reached = cut if recipe.tuned == "rest" else None
        places = distilled_places(network, reached) if not data.labelled and recipe.hint_weight else ()
        self.features = FeatureDistillation(network, places, recipe.hint_weight)
        self.shown, self._stop = watch(teacher, places)
        self.training_task = placed(training_task(network, data, recipe.loss, holdout.scale, self.features), holdout)

    def close(self) -> None:
        """Leave network and teacher without hooks."""
        self.features.close()
        self._stop()

    def loss(self, images: Tensor, targets: Tensor) -> Tensor:
        """Return the objective's loss; where there are no labels the targets are what the teacher says."""
        if not self.data.labelled:
            targets = self._taught(images)
            self.features.wanted = dict(self.shown)
        else:
            targets = self.holdout.complete(targets, lambda missing: self._taught(images[missing]))
        return self.recipe.objective.loss(self.training_task, images, targets)

    def _taught(self, images: Tensor) -> Tensor:
        """Return the teacher's scores of images (n, 3, H, W)."""
        with full_precision(images.device):
            return score(self.teacher, images)

    def report(self) -> Epoch:
        """Return how the network does now, in eval mode from here on."""
        self.network.eval()
        scores, figure = judge(self.training_task, self.recipe.objective, self.holdout, batch_size=BATCH)
        agreement, mos = agreements(scores, self.holdout.baseline, self.holdout.mos)
        self.newest = Epoch(0, self.recipe.epochs, None, agreement, mos, figure, 0.0)
        return self.newest

    def prepare(self, epoch: int) -> None:
        """Set what learns: all layers, or the block and what it reaches, in eval mode as on kept maps."""
        self.training_task = replace(self.training_task, progress=epoch / self.recipe.epochs)
        if self.cut is not None and self.recipe.tuned == "rest":
            self.network.eval()
            for name, parameter in self.network.named_parameters():
                parameter.requires_grad_(not self.cut.is_front(name))
            return
        self.network.train()
        if not self.recipe.learn_statistics:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                    module.eval()

    def task(self) -> Task:
        """Return what the training loop takes its steps on."""
        return Task(
            network=self.network,
            samples=self.data.training,
            photos=self.data.shown,
            order=lambda epoch: self.data.training_samples(epoch, self.recipe.seed),
            prepare=self.prepare,
            loss=self.loss,
            figure=lambda: self.report().figure,
            together=self.data.replays,
            rate=self.recipe.rate_of(None if self.cut is None else self.cut.block),
        )


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
            images, aims = objective.extended(task, from_8bit(pixels, device), targets.to(device))
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
    clean = torch.cat([score(scorer, from_8bit(part, network.k.device)).float().cpu() for part in batches])
    few, targets = holdout.crops.first(attack.judged_photos).pixels, holdout.targets[: attack.judged_photos]
    directions = torch.from_numpy(rank_directions(targets.numpy()))
    worst = [
        attack.worst_scores(scorer, from_8bit(part, network.k.device), ways.to(network.k))[1].float().cpu()
        for part, ways in zip(torch.split(few, batch_size), torch.split(directions, batch_size), strict=True)
    ]
    return clean, srocc_to_choose(torch.cat(worst).numpy(), targets.numpy())
