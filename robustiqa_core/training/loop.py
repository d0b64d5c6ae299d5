"""The training loop: an iterator of steps that can be stopped at any moment and resumed to the same result."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from robustiqa_core.checks import check_choice, check_count, check_fraction, check_positive
from robustiqa_core.device import PRECISIONS, Precision, autocast
from robustiqa_core.errors import InputError, NumericalError
from robustiqa_core.files import read_tensors, write_tensors
from robustiqa_core.metrics.correlation import srocc
from robustiqa_core.models import QualityModel
from robustiqa_core.training.datasets import LabelledPhoto, Sample, TrainingCrops, WholePhotos
from robustiqa_core.training.losses import training_loss

_STATE = "state.safetensors"
"""The file in a run's folder that holds everything to go on from."""


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a network is trained.

    Args:
        epochs: passes over the training photos.
        batch_size: photos in a step; norm-in-norm compares the photos of a batch with each other.
        resize: pixels of a photo's shorter side before cropping.
        crop: pixels of a side of the random crop.
        trunk_rate: peak learning rate (AdamW) of the pretrained trunk.
        head_rate: peak learning rate of the new layers.
        weight_decay: AdamW's decoupled decay of weight matrices and kernels.
        warmup: steps of linear warm-up, before a cosine to zero.
        average_decay: of the exponential moving average of the weights, which is what is kept.
        precision: of the forward pass.
        seed: of order, crops and new weights.
    """

    epochs: int = 5
    batch_size: int = 16
    resize: int = 416
    crop: int = 384
    trunk_rate: float = 3e-4
    head_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: int = 200
    average_decay: float = 0.998
    precision: Precision = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        check_count("epochs", self.epochs)
        check_count("batch_size", self.batch_size, low=2)
        check_count("resize", self.resize, low=self.crop)
        check_count("crop", self.crop, low=64)
        check_positive("trunk_rate", self.trunk_rate)
        check_positive("head_rate", self.head_rate)
        check_fraction("weight_decay", self.weight_decay, zero=True)
        check_count("warmup", self.warmup, low=0)
        check_fraction("average_decay", self.average_decay, zero=True)
        check_choice("precision", self.precision, PRECISIONS)


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """The state after one step.

    Args:
        epoch: the running pass, from 1.
        step: finished steps of all passes.
        steps: steps in all.
        loss: of this step.
        seconds: spent on training so far, interruptions left out.
        validation_srocc: of the averaged weights on the validation photos, at the end of an epoch, else None.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    seconds: float
    validation_srocc: float | None = None


def predict(model: QualityModel, photos: Sequence[LabelledPhoto], *, precision: Precision = "float32") -> Tensor:
    """Return the scores (N,) of whole photos, on the CPU, one after the other; the model's mode is as before."""
    device = model.k.device
    was_training = model.training
    model.eval()
    scores = []
    loader = DataLoader(WholePhotos(photos), batch_size=None, num_workers=1)
    with torch.inference_mode(), autocast(device, precision):
        for pixels, _ in loader:
            images = pixels[None].to(device).float() / 255
            scores.append(model(images.to(memory_format=torch.channels_last)).float().cpu())
    model.train(was_training)
    return torch.cat(scores)


def fit_score_mapping(model: QualityModel, scores: Tensor, mos: Tensor) -> None:
    """Set the model's k and b so that its scores match the MOS best in the least-squares sense.

    Args:
        model: changed in place.
        scores: (N,), with the present k and b.
        mos: (N,).
    """
    raw = (scores - model.b.cpu()) / model.k.cpu()
    centred = raw - raw.mean()
    slope = (centred * (mos - mos.mean())).sum() / centred.square().sum()
    if not slope > 0:
        raise NumericalError(
            f"expected scores that rise with the MOS, got a slope of {slope.item():.3g}; "
            "train longer or lower the rates"
        )
    with torch.no_grad():
        model.k.copy_(slope)
        model.b.copy_(mos.mean() - slope * raw.mean())


class _Run:
    """Weights, their average, the best average and the optimiser; can be saved and loaded whole."""

    def __init__(self, model: QualityModel, settings: TrainingSettings) -> None:
        self.model, self.settings = model, settings
        self.step = 0
        self.seconds = 0.0
        self.best_srocc = -math.inf
        self.average = {name: value.clone() for name, value in model.state_dict().items()}
        self.best = dict(self.average)
        groups: dict[tuple[bool, bool], list[Tensor]] = {}
        for name, parameter in model.named_parameters():
            groups.setdefault((name.startswith("features."), parameter.ndim > 1), []).append(parameter)
        self.optimizer = torch.optim.AdamW(
            {
                "params": parameters,
                "lr": settings.trunk_rate if trunk else settings.head_rate,
                "weight_decay": settings.weight_decay if decayed else 0.0,
            }
            for (trunk, decayed), parameters in groups.items()
        )
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]

    def schedule(self, steps: int) -> None:
        """Set the learning rates for the next step: linear warm-up, then a cosine to zero."""
        warmup = min(self.settings.warmup, steps // 10)
        if self.step < warmup:
            factor = (self.step + 1) / warmup
        else:
            factor = 0.5 * (1 + math.cos(math.pi * (self.step - warmup) / max(steps - warmup, 1)))
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor

    def update_average(self) -> None:
        # A short memory at first, so that the average does not remember the random start.
        decay = min(self.settings.average_decay, (1 + self.step) / (10 + self.step))
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def save(self, path: Path) -> None:
        tensors = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"average/{name}": value for name, value in self.average.items()}
        tensors |= {f"best/{name}": value for name, value in self.best.items()}
        for name, parameter in self.model.named_parameters():
            tensors |= {f"{key}/{name}": value for key, value in self.optimizer.state[parameter].items()}
        write_tensors(
            path,
            {name: value.clone() for name, value in tensors.items()},
            {
                "step": str(self.step),
                "seconds": repr(self.seconds),
                "best_srocc": repr(self.best_srocc),
                "settings": repr(asdict(self.settings)),
            },
        )

    def load(self, path: Path) -> None:
        tensors, metadata = read_tensors(path)
        if metadata["settings"] != repr(asdict(self.settings)):
            raise InputError(
                f"{path} was made with other settings: expected {asdict(self.settings)}, got {metadata['settings']}; "
                "give the same settings, or another --run-dir"
            )
        self.step, self.seconds = int(metadata["step"]), float(metadata["seconds"])
        self.best_srocc = float(metadata["best_srocc"])
        device = self.model.k.device
        part: dict[str, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            kind, _, name = key.partition("/")
            part.setdefault(kind, {})[name] = value.to(device)
        self.model.load_state_dict(part["model"])
        self.average, self.best = part["average"], part["best"]
        for name, parameter in self.model.named_parameters():
            state = {kind: part[kind][name] for kind in ("exp_avg", "exp_avg_sq")}
            self.optimizer.state[parameter] = state | {"step": part["step"][name].cpu()}


def _order(count: int, settings: TrainingSettings, start: int, end: int) -> Iterator[list[Sample]]:
    """Yield the batches of the steps from `start` to before `end`; the last, smaller batch of an epoch is dropped."""
    per_epoch = count // settings.batch_size
    for step in range(start, end):
        epoch, place = divmod(step, per_epoch)
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
        order = torch.randperm(count, generator=generator).tolist()
        yield [Sample(index, epoch) for index in order[place * settings.batch_size :][: settings.batch_size]]


def train(
    model: QualityModel,
    training: Sequence[LabelledPhoto],
    validation: Sequence[LabelledPhoto],
    settings: TrainingSettings,
    *,
    run_dir: Path,
    stop_after: int | None = None,
    workers: int = 1,
    save_seconds: float = 120.0,
) -> Iterator[TrainingRecord]:
    """Train `model` in place, yielding a record a step; at the end it holds the best averaged weights.

    The state is saved to `run_dir/state.safetensors` every `save_seconds` and at the end of every epoch; a call with
    the same arguments goes on from there. What is kept is the moving average of the weights at the end of the epoch
    with the best SROCC on the validation photos.

    Args:
        model: the network; on its device, changed in place.
        training: photos to learn from, at least one batch.
        validation: photos to choose the epoch by; never the test split.
        settings: all that decides the result.
        run_dir: folder of the saved state.
        stop_after: epoch to end with, before all of them are done; the learning rate falls as if they were.
        workers: processes that decode photos.
        save_seconds: time between two saves.

    Yields:
        One record a step; the last of an epoch carries the validation SROCC.

    Raises:
        InputError: fewer photos than a batch, or a state of other settings.
        NumericalError: the loss is not finite.
    """
    per_epoch = len(training) // settings.batch_size
    if per_epoch < 1:
        raise InputError(
            f"expected at least one batch of {settings.batch_size} training photos, got {len(training)}; "
            "add photos or lower --batch-size"
        )
    if stop_after is not None:
        check_count("stop_after", stop_after, high=settings.epochs)
    device = model.k.device
    epochs = settings.epochs
    steps = per_epoch * epochs
    run = _Run(model, settings)
    state = run_dir / _STATE
    if state.is_file():
        run.load(state)
    crops = TrainingCrops(training, resize=settings.resize, crop=settings.crop, seed=settings.seed)
    loader = DataLoader(
        crops,
        batch_sampler=_order(len(training), settings, run.step, per_epoch * min(stop_after or epochs, epochs)),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    model.to(memory_format=torch.channels_last)
    model.train()
    saved = resumed = time.monotonic()
    for pixels, mos in loader:
        run.schedule(steps)
        loss = _step(run, pixels.to(device), mos.to(device))
        epoch, place = divmod(run.step, per_epoch)
        figure = None if place else _validate(run, validation)
        now = time.monotonic()
        run.seconds, resumed = run.seconds + now - resumed, now
        yield TrainingRecord(epoch + 1 if place else epoch, run.step, steps, loss, run.seconds, figure)
        if not place or time.monotonic() - saved > save_seconds:
            run.save(state)
            saved = time.monotonic()
    model.load_state_dict(run.best)
    model.eval()


def trained_seconds(run_dir: Path) -> float:
    """Return how long the training whose state is in `run_dir` has taken so far, interruptions left out."""
    _, metadata = read_tensors(run_dir / _STATE)
    return float(metadata["seconds"])


def _step(run: _Run, pixels: Tensor, mos: Tensor) -> float:
    """Take one optimiser step on 8-bit pixels (N, 3, H, W) and MOS (N,); return the loss."""
    images = (pixels.float() / 255).to(memory_format=torch.channels_last)
    # What is dropped depends on the seed and the step alone, so that a resumed training drops the same.
    with torch.random.fork_rng(devices=[pixels.device] if pixels.is_cuda else []):
        torch.manual_seed(run.settings.seed * 1_000_003 + run.step)
        with autocast(pixels.device, run.settings.precision):
            loss = training_loss(run.model, images, mos)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    run.optimizer.step()
    run.step += 1
    run.update_average()
    value = loss.item()
    if not math.isfinite(value):
        raise NumericalError(f"the loss of step {run.step} is {value}; lower the learning rates and start again")
    return value


def _validate(run: _Run, photos: Sequence[LabelledPhoto]) -> float:
    """Return the SROCC of the averaged weights; keep them where it is the best so far."""
    current = {name: value.clone() for name, value in run.model.state_dict().items()}
    run.model.load_state_dict(run.average)
    value = srocc(predict(run.model, photos, precision=run.settings.precision).numpy(), [p.mos for p in photos])
    run.model.load_state_dict(current)
    if value > run.best_srocc:
        run.best_srocc, run.best = value, {name: tensor.clone() for name, tensor in run.average.items()}
    return value
