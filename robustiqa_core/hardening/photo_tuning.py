"""Fine-tuning on photos, with any objective: of all layers, or of what a block reaches."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from robustiqa_core.attacks.objective import score
from robustiqa_core.blocks.convolution import full_precision
from robustiqa_core.hardening.cut import Cut
from robustiqa_core.hardening.data import TuningData
from robustiqa_core.hardening.hints import Hints, hint_places, watch
from robustiqa_core.hardening.lessons import Holdout, agreements, judge, placed, training_task
from robustiqa_core.hardening.preparation import BATCH
from robustiqa_core.hardening.recipe import HardeningRecipe
from robustiqa_core.hardening.records import Epoch, Progressed
from robustiqa_core.models import QualityModel
from robustiqa_core.training.steps import Task, take_steps


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
        places = hint_places(network, reached) if not data.labelled and recipe.hint_weight else ()
        self.hints = Hints(network, places, recipe.hint_weight)
        self.shown, self._stop = watch(teacher, places)
        self.training_task = placed(training_task(network, data, recipe.loss, holdout.scale, self.hints), holdout)

    def close(self) -> None:
        """Leave network and teacher without hooks."""
        self.hints.close()
        self._stop()

    def loss(self, images: Tensor, targets: Tensor) -> Tensor:
        """Return the objective's loss; where there are no labels the targets are what the teacher says."""
        if not self.data.labelled:
            targets = self._taught(images)
            self.hints.wanted = dict(self.shown)
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
