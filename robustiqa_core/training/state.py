"""What a training run resumes from after an interruption: settings, weights, their average and the optimiser."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from robustiqa_core.checks import check_choice, check_count, check_fraction
from robustiqa_core.device import PRECISIONS, Precision
from robustiqa_core.errors import InputError
from robustiqa_core.files import read_tensors, write_tensors

_FILE = "state.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How the steps of any training are taken.

    Args:
        epochs: passes over the training photos; 0 where a closed form is all.
        batch_size: photos in a step, of all processes together.
        weight_decay: AdamW's decoupled decay of weight matrices and kernels.
        warmup: steps of linear warm-up, before a cosine to zero.
        average_decay: of the exponential moving average of the weights, which is what is kept.
        precision: of the forward pass.
        seed: of order, crops and new weights.
        patience: epochs in a row without a better figure on the validation photos, after which training ends early;
            0: never.
    """

    epochs: int = 5
    batch_size: int = 16
    weight_decay: float = 0.01
    warmup: int = 200
    average_decay: float = 0.998
    precision: Precision = "float32"
    seed: int = 0
    patience: int = 0

    def __post_init__(self) -> None:
        check_count("epochs", self.epochs, low=0)
        check_count("batch_size", self.batch_size, low=2)
        check_fraction("weight_decay", self.weight_decay, zero=True)
        check_count("warmup", self.warmup, low=0)
        check_fraction("average_decay", self.average_decay, zero=True)
        check_choice("precision", self.precision, PRECISIONS)
        check_count("seed", self.seed, low=0)
        check_count("patience", self.patience, low=0)

    @property
    def patient_until(self) -> int:
        """Epochs at the start that `patience` does not count."""
        return 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training has come.

    Args:
        step: finished steps of all epochs.
        epoch: finished epochs.
        seconds: spent so far, interruptions left out.
        best_epoch: the finished epoch, from 1, with the best figure on the validation photos; 0 before the first.
        best_figure: that figure; minus infinity before the first.
    """

    step: int = 0
    epoch: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best_figure: float = -math.inf


def state_path(run_dir: Path) -> Path:
    """Return the file in a run's folder that holds everything to go on from."""
    return run_dir / _FILE


def read_progress(run_dir: Path) -> Progress:
    """Return how far the training has come whose state is in `run_dir`."""
    _, metadata = read_tensors(state_path(run_dir))
    return _progress(metadata)


def _progress(metadata: dict[str, str]) -> Progress:
    return Progress(
        step=int(metadata["step"]),
        epoch=int(metadata["epoch"]),
        seconds=float(metadata["seconds"]),
        best_epoch=int(metadata["best_epoch"]),
        best_figure=float(metadata["best_figure"]),
    )


class TrainingState:
    """Weights, their average, the best average and the optimiser; can be saved and loaded whole."""

    def __init__(self, network: nn.Module, rate: Callable[[str], float], settings: LoopSettings) -> None:
        """Take the network as the start of a training.

        Args:
            network: what is trained, in place.
            rate: returns the peak learning rate of a parameter by its name.
            settings: of the training.
        """
        self.network, self.settings = network, settings
        self.step, self.epoch, self.seconds = 0, 0, 0.0
        self.best_epoch, self.best_figure = 0, -math.inf
        self.average = {name: value.clone() for name, value in network.state_dict().items()}
        self.best: dict[str, Tensor] = {}
        groups: dict[tuple[float, bool], list[Tensor]] = {}
        for name, parameter in network.named_parameters():
            groups.setdefault((rate(name), parameter.ndim > 1), []).append(parameter)
        self.optimizer = torch.optim.AdamW(
            {"params": parameters, "lr": peak, "weight_decay": settings.weight_decay if decayed else 0.0}
            for (peak, decayed), parameters in groups.items()
        )
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]

    @property
    def gave_up(self) -> bool:
        """Whether the figure has not risen for `patience` epochs."""
        waited = self.epoch - max(self.best_epoch, self.settings.patient_until)
        return 0 < self.settings.patience <= waited

    def schedule(self, steps: int) -> None:
        """Set the learning rates for the next of `steps` steps: linear warm-up, then a cosine to zero."""
        warmup = min(self.settings.warmup, steps // 10)
        if self.step < warmup:
            factor = (self.step + 1) / warmup
        else:
            factor = 0.5 * (1 + math.cos(math.pi * (self.step - warmup) / max(steps - warmup, 1)))
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor

    def update_average(self) -> None:
        """Move the average towards the present weights."""
        # A short memory at first, so that the average does not remember the random start.
        decay = min(self.settings.average_decay, (1 + self.step) / (10 + self.step))
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def end_epoch(self, figure: float) -> None:
        """Count a finished epoch; keep its averaged weights if their figure is the best so far."""
        self.epoch += 1
        if figure > self.best_figure:
            self.best_figure, self.best_epoch = figure, self.epoch
            self.best = {name: value.clone() for name, value in self.average.items()}

    def save(self, run_dir: Path) -> None:
        """Write everything to the state's file in `run_dir`, whole or not at all."""
        parts = {"model": self.network.state_dict(), "average": self.average, "best": self.best}
        tensors = {f"{part}/{name}": value for part, values in parts.items() for name, value in values.items()}
        for name, parameter in self.network.named_parameters():
            tensors |= {f"{kind}/{name}": value for kind, value in self.optimizer.state[parameter].items()}
        write_tensors(
            state_path(run_dir),
            {name: value.clone() for name, value in tensors.items()},
            {
                **{name: repr(getattr(self, name)) for name in Progress.__slots__},
                "settings": repr(asdict(self.settings)),
            },
        )

    def load(self, run_dir: Path) -> None:
        """Go on from the state's file in `run_dir`.

        Raises:
            InputError: it was made with other settings.
        """
        tensors, metadata = read_tensors(state_path(run_dir))
        if metadata["settings"] != repr(asdict(self.settings)):
            raise InputError(
                f"{state_path(run_dir)} was made with other settings: expected {asdict(self.settings)}, "
                f"got {metadata['settings']}; use the same settings or another --run-dir"
            )
        for name, value in asdict(_progress(metadata)).items():
            setattr(self, name, value)
        parts: dict[str, dict[str, Tensor]] = {}
        device = next(self.network.parameters()).device
        for key, tensor in tensors.items():
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = tensor.to(device)
        self.network.load_state_dict(parts["model"])
        self.average, self.best = parts["average"], parts.get("best", {})
        for name, parameter in self.network.named_parameters():
            # The optimiser has no state of what has not learnt yet.
            if name in parts.get("step", {}):
                moments = {kind: parts[kind][name] for kind in _MOMENTS}
                self.optimizer.state[parameter] = moments | {"step": parts["step"][name].cpu()}
