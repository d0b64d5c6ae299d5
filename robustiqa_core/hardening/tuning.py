"""Fine-tuning of what a block reaches, on maps that were computed once: seconds."""

import math
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from robustiqa_core.blocks import folded_blocks
from robustiqa_core.device import autocast
from robustiqa_core.errors import NumericalError
from robustiqa_core.hardening.cut import Cut, Maps, Suffix
from robustiqa_core.hardening.data import TuningData
from robustiqa_core.hardening.hints import Hints
from robustiqa_core.hardening.lessons import Holdout, agreements, training_task
from robustiqa_core.hardening.preparation import BATCH, TeacherOutputs
from robustiqa_core.hardening.recipe import HardeningRecipe
from robustiqa_core.hardening.records import Epoch, Progressed
from robustiqa_core.hardening.terms import TrainingTask
from robustiqa_core.metrics.correlation import srocc_to_choose
from robustiqa_core.models import QualityModel
from robustiqa_core.training.sampling import random_order
from robustiqa_core.training.state import TrainingState


def tune_on_maps(
    network: QualityModel,
    cut: Cut,
    recipe: HardeningRecipe,
    data: TuningData,
    *,
    maps: Maps,
    answers: TeacherOutputs,
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
        answers: what is learnt of the same: human scores, or the baseline's scores and what it made at some places.
        held_out: maps of the holdout's crops.
        holdout: what the network is held against.

    Raises:
        NumericalError: the loss is not finite.
    """
    suffix = Suffix(network, cut)
    hints = Hints(suffix.network, tuple(answers.maps), recipe.hint_weight)
    task = training_task(suffix.network, data, recipe.loss, holdout.scale, hints)
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
            hints.wanted = {place: known[chosen].to(network.k.device) for place, known in answers.maps.items()}
            losses.append(_step(state, suffix, task, maps.pick(chosen), answers.scores[chosen]))
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
