"""The steps of any training: an iterator that can be stopped at any moment and resumed to the same result."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from robustiqa_core.checks import check_count
from robustiqa_core.device import autocast
from robustiqa_core.errors import InputError, NumericalError
from robustiqa_core.images.photo import from_8bit
from robustiqa_core.training import ranks
from robustiqa_core.training.sampling import Sample, combined_seed
from robustiqa_core.training.state import LoopSettings, TrainingState, state_path


@dataclass(frozen=True, slots=True)
class Task:
    """What a training learns from what; how the steps are taken is none of its business.

    Args:
        network: changed in place; on its device.
        samples: returns 8-bit pixels (3, H, W) and a target for a `Sample`.
        photos: samples of an epoch.
        order: returns the samples of an epoch, counted from 0.
        prepare: sets which parts of the network learn in an epoch, counted from 0.
        loss: of images (n, 3, H, W), float, RGB in [0, 1], and targets (n,), float32: of the whole batch, also where
            several processes have a part of it each (`ranks.gather`).
        figure: measures the network as it is on the validation photos; larger is better.
        rate: returns the peak learning rate of a parameter by its name.
        together: steps that belong together, since the task keeps something from one to the next; the state is saved
            between two such groups only. It divides the steps of an epoch.
    """

    network: nn.Module
    samples: Dataset[tuple[Tensor, float]]
    photos: int
    order: Callable[[int], list[Sample]]
    prepare: Callable[[int], object]
    loss: Callable[[Tensor, Tensor], Tensor]
    figure: Callable[[], float]
    rate: Callable[[str], float]
    together: int = 1


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """The state after one step.

    Args:
        epoch: the running pass, from 1.
        step: finished steps of all passes.
        steps: steps of all passes.
        loss: of this step.
        seconds: spent on training so far, interruptions left out.
        figure: of the averaged weights on the validation photos, at the end of an epoch, else None.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    seconds: float
    figure: float | None = None


def take_steps(
    task: Task,
    settings: LoopSettings,
    *,
    run_dir: Path,
    stop_after: int | None = None,
    workers: int = 1,
    save_seconds: float = 120.0,
) -> Iterator[TrainingRecord]:
    """Train the task's network in place, yielding a record a step; at the end it holds the best averaged weights.

    The state is saved in `run_dir` every `save_seconds` and at the end of every epoch; a call with the same arguments
    resumes from there, to the same bits as without the interruption. What is kept is the moving average of the weights
    at the end of the epoch with the best figure. Started by `torchrun`, each process takes its part of every batch.

    Args:
        task: what is learnt.
        settings: all that decides the result besides the task.
        run_dir: folder of the saved state.
        stop_after: epoch to end with, before all of them are done; the learning rate falls as if they were.
        workers: processes that prepare photos, for each process that trains.
        save_seconds: time between two saves.

    Yields:
        One record a step; the last of an epoch carries the figure.

    Raises:
        InputError: fewer photos than a batch, or a state of other settings.
        ConfigurationError: no epoch, `stop_after` beyond the epochs, or a batch that the processes cannot share evenly.
        NumericalError: the loss is not finite.
    """
    per_epoch = _steps_per_epoch(task, settings)
    steps = per_epoch * settings.epochs
    last = steps if stop_after is None else per_epoch * check_count("stop_after", stop_after, high=settings.epochs)
    state = TrainingState(task.network, task.rate, settings)
    if state_path(run_dir).is_file():
        state.load(run_dir)
    loader = DataLoader(
        task.samples,
        batch_sampler=_batches(task.order, settings.batch_size, per_epoch, state.step, last),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    task.network.to(memory_format=torch.channels_last)
    saved = resumed = time.monotonic()
    # A training that gave up before it was interrupted has nothing left to do.
    for pixels, targets in () if state.gave_up else loader:
        state.schedule(steps)
        task.prepare(state.step // per_epoch)
        loss = _step(state, task, pixels, targets)
        figure = None if state.step % per_epoch else _end_epoch(state, task)
        now = time.monotonic()
        state.seconds, resumed = state.seconds + now - resumed, now
        epoch = state.epoch + (figure is None)
        yield TrainingRecord(epoch, state.step, steps, loss, state.seconds, figure)
        due = time.monotonic() - saved > save_seconds and not state.step % task.together
        if ranks.is_first() and (figure is not None or due):
            state.save(run_dir)
            saved = time.monotonic()
        if state.gave_up:
            break
    task.network.load_state_dict(state.best)
    task.network.requires_grad_(True).eval()


def _steps_per_epoch(task: Task, settings: LoopSettings) -> int:
    """Return the whole batches of an epoch, at least one; the last, smaller batch is dropped."""
    check_count("epochs", settings.epochs)
    batch = ranks.check_batch_size(settings.batch_size)
    if task.photos < batch:
        raise InputError(
            f"expected at least one batch of {batch} training photos, got {task.photos}; "
            "add photos or lower --batch-size"
        )
    return task.photos // batch


def _batches(
    order: Callable[[int], list[Sample]], batch_size: int, per_epoch: int, start: int, end: int
) -> Iterator[list[Sample]]:
    """Yield this rank's part of the batches of the steps from `start` to before `end`."""
    samples: list[Sample] = []
    for step in range(start, end):
        epoch, place = divmod(step, per_epoch)
        if place == 0 or step == start:
            samples = order(epoch)
        yield ranks.part(samples[place * batch_size :][:batch_size])


def _step(state: TrainingState, task: Task, pixels: Tensor, targets: Tensor) -> float:
    """Take one optimiser step on 8-bit pixels (n, 3, H, W) and their targets (n,); return the loss."""
    device = next(task.network.parameters()).device
    images = from_8bit(pixels, device)
    # What is dropped depends on the seed, the step and the rank alone, so that a resumed training drops the same.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(combined_seed(state.settings.seed, state.step, ranks.rank()))
        with autocast(device, state.settings.precision):
            loss = task.loss(images, targets.float().to(device))
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    ranks.sum_gradients(task.network)
    state.optimizer.step()
    ranks.average_statistics(task.network)
    state.step += 1
    state.update_average()
    value = loss.item()
    if not math.isfinite(value):
        raise NumericalError(f"the loss of step {state.step} is {value}; lower the learning rates and start again")
    return value


def _end_epoch(state: TrainingState, task: Task) -> float:
    """Measure the averaged weights, and keep them where they are the best so far; return their figure."""
    current = {name: value.clone() for name, value in task.network.state_dict().items()}
    task.network.load_state_dict(state.average)
    device = next(task.network.parameters()).device
    figure = ranks.from_first(task.figure() if ranks.is_first() else math.nan, device)
    task.network.load_state_dict(current)
    state.end_epoch(figure)
    return figure
