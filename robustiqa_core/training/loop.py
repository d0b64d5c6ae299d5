"""The training of quality models on photos with human scores, and what is measured with them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from robustiqa_core.checks import check_count, check_flag, check_positive
from robustiqa_core.device import Precision, autocast
from robustiqa_core.errors import NumericalError
from robustiqa_core.metrics.correlation import srocc_to_choose
from robustiqa_core.models import QualityModel
from robustiqa_core.training.datasets import LabelledPhoto, TrainingCrops, WholePhotos
from robustiqa_core.training.losses import training_loss
from robustiqa_core.training.sampling import Sample, balanced_order, random_order
from robustiqa_core.training.state import LoopSettings
from robustiqa_core.training.steps import Task, TrainingRecord, take_steps

_PRETRAINED = ("features", "scnn")
"""Modules of the architectures that start from weights trained elsewhere."""


@dataclass(frozen=True, slots=True)
class TrainingSettings(LoopSettings):
    """How a quality model is trained, besides what `LoopSettings` has; norm-in-norm compares the photos of a batch.

    Args:
        resize: pixels of a photo's shorter side before cropping.
        crop: pixels of a side of the random crop.
        trunk_rate: peak learning rate (AdamW) of the pretrained trunk.
        head_rate: peak learning rate of the new layers.
        head_epochs: passes at the start in which what was pretrained (trunk and S-CNN) stays as it is and the new
            layers learn alone: the first of DBCNN's two published stages. `patience` does not count them.
        balanced: whether an epoch shows all tenths of the MOS about equally often; see `sampling.expected_draws`.
    """

    resize: int = 416
    crop: int = 384
    trunk_rate: float = 3e-4
    head_rate: float = 1e-3
    head_epochs: int = 0
    balanced: bool = False

    def __post_init__(self) -> None:
        # Python before 3.14 cannot find super() in a dataclass with slots.
        LoopSettings.__post_init__(self)
        check_count("crop", self.crop, low=64)
        check_count("resize", self.resize, low=self.crop)
        check_positive("trunk_rate", self.trunk_rate)
        check_positive("head_rate", self.head_rate)
        check_count("head_epochs", self.head_epochs, low=0, high=self.epochs)
        check_flag("balanced", self.balanced)

    @property
    def patient_until(self) -> int:
        """Epochs at the start that `patience` does not count."""
        return self.head_epochs


def predict(
    model: QualityModel,
    photos: Sequence[LabelledPhoto],
    *,
    precision: Precision = "float32",
    mask_corner: bool = False,
) -> Tensor:
    """Return the scores (N,) of whole photos, on the CPU, one after the other; the model's mode is as before.

    Args:
        model: the network, on its device.
        photos: where the photos lie.
        precision: of the forward pass.
        mask_corner: whether the lower left corner of each photo is covered; see `datasets.mask_corner`.
    """
    device = model.k.device
    was_training = model.training
    model.eval()
    scores = []
    loader = DataLoader(WholePhotos(photos, mask_corner=mask_corner), batch_size=None, num_workers=1)
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

    See `take_steps` for how it resumes after an interruption, what is kept and what is raised.

    Args:
        model: the network; on its device, changed in place.
        training: photos to learn from, at least one batch.
        validation: photos to choose the epoch by, with the SROCC; never the test split.
        settings: all that decides the result.
        run_dir: folder of the saved state.
        stop_after: epoch to end with, before all of them are done; the learning rate falls as if they were.
        workers: processes that decode photos.
        save_seconds: time between two saves.

    Yields:
        One record a step; the last of an epoch carries the validation SROCC.
    """

    def order(epoch: int) -> list[Sample]:
        if settings.balanced:
            return balanced_order([photo.mos for photo in training], seed=settings.seed, epoch=epoch)
        return random_order(len(training), seed=settings.seed, epoch=epoch)

    def figure() -> float:
        scores = predict(model, validation, precision=settings.precision)
        return srocc_to_choose(scores.numpy(), [photo.mos for photo in validation])

    task = Task(
        network=model,
        samples=TrainingCrops(training, resize=settings.resize, crop=settings.crop, seed=settings.seed),
        photos=len(training),
        order=order,
        prepare=lambda epoch: _prepare(model, heads_only=epoch < settings.head_epochs),
        loss=lambda images, mos: training_loss(model, images, mos),
        figure=figure,
        rate=lambda name: settings.trunk_rate if name.split(".")[0] in _PRETRAINED else settings.head_rate,
    )
    yield from take_steps(
        task, settings, run_dir=run_dir, stop_after=stop_after, workers=workers, save_seconds=save_seconds
    )


def _prepare(model: QualityModel, *, heads_only: bool) -> None:
    """Set the whole network to learn, or its new layers only: then what was pretrained keeps its statistics, too."""
    model.train()
    for name, module in model.named_children():
        if name in _PRETRAINED:
            module.train(not heads_only).requires_grad_(not heads_only)
