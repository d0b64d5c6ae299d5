"""From labelled photos to a bundled baseline: split, train, map to the MOS scale, measure, save with a card."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from robustiqa_core.errors import InputError
from robustiqa_core.metrics.correlation import fit_logistic, krocc, plcc, rmse, srocc
from robustiqa_core.models import QualityModel, build
from robustiqa_core.models.backbones import backbone
from robustiqa_core.models.card import Measurement, ModelCard, Training
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.datasets import LabelledPhoto, select
from robustiqa_core.training.loop import (
    TrainingRecord,
    TrainingSettings,
    fit_score_mapping,
    predict,
    train,
    trained_seconds,
)
from robustiqa_core.training.splits import hold_out

_MAPPING_PHOTOS = 2000
"""Training photos that the mapping to the MOS scale and the score range are measured on."""


@dataclass(frozen=True, slots=True)
class BaselinePlan:
    """What to train, and what its card shall say.

    Args:
        model: architecture, a key of `ARCHITECTURES`.
        settings: the network's, by name; with `backbone`.
        training: the loop's.
        dataset: name of the data for people.
        score_unit: what a score is, with its nominal scale and direction.
        licence: of the weights.
        command: the command that repeats the training.
        evaluation_command: the command that repeats the measurement.
    """

    model: str
    settings: Mapping[str, Any]
    training: TrainingSettings
    dataset: str
    score_unit: str
    licence: str
    command: str
    evaluation_command: str


def with_validation(photos: Sequence[LabelledPhoto], seed: int) -> tuple[LabelledPhoto, ...]:
    """Return the photos with a validation split, held out of the training photos where the data set has none."""
    if any(photo.split == "validation" for photo in photos):
        return tuple(photos)
    rest = tuple(photo for photo in photos if photo.split != "train")
    return hold_out(select(photos, "train"), seed=seed) + rest


def new_network(model: str, settings: Mapping[str, Any], *, seed: int, device: torch.device) -> QualityModel:
    """Return a network with an ImageNet trunk and the rest random; the global random state is as before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(model, settings, ScoreRange(0.0, 1.0))
    network.features.load_state_dict(backbone(network.settings.backbone).load_imagenet(), strict=True)
    return network.to(device)


def train_baseline(
    photos: Sequence[LabelledPhoto],
    plan: BaselinePlan,
    *,
    run_dir: Path,
    device: torch.device,
    stop_after: int | None = None,
    workers: int = 1,
) -> Iterator[TrainingRecord | tuple[QualityModel, ModelCard]]:
    """Train a baseline, yielding a record a step and at last the network with its card (without sha256).

    Everything is chosen on the validation photos; the test photos are looked at once, at the end.

    Args:
        photos: of all splits; a validation split is made where there is none.
        plan: what to train.
        run_dir: where the state lies, to go on from after an interruption.
        device: to train on.
        stop_after: see `train`.
        workers: processes that decode photos.
    """
    known = with_validation(photos, plan.training.seed)
    learning, validation, test = (select(known, split) for split in ("train", "validation", "test"))
    network = new_network(plan.model, plan.settings, seed=plan.training.seed, device=device)
    yield from train(
        network, learning, validation, plan.training, run_dir=run_dir, stop_after=stop_after, workers=workers
    )
    round_to_half(network)
    order = torch.randperm(len(learning), generator=torch.Generator().manual_seed(plan.training.seed)).tolist()
    sample = [learning[index] for index in order[:_MAPPING_PHOTOS]]
    scores = predict(network, sample)
    fit_score_mapping(network, scores, torch.tensor([photo.mos for photo in sample]))
    mapped = scores * network.k.cpu() + network.b.cpu()
    network.score_range = ScoreRange(mapped.min().item(), mapped.max().item())
    card = ModelCard(
        model=plan.model,
        variant="baseline",
        settings=asdict(network.settings),
        score_range=network.score_range,
        score_unit=plan.score_unit,
        training=Training(
            dataset=f"{plan.dataset}, training split",
            photos=len(learning),
            start=f"ImageNet weights of {network.settings.backbone}",
            command=plan.command,
            seconds=round(trained_seconds(run_dir)),
            settings={
                **asdict(plan.training),
                "stopped_after_epoch": stop_after or plan.training.epochs,
                "validation_photos": len(validation),
                "mapping_photos": len(sample),
            },
        ),
        measurements=(
            measure(
                predict(network, test).double().numpy(),
                [photo.mos for photo in test],
                dataset=f"{plan.dataset}, test split",
                command=plan.evaluation_command,
            ),
        ),
        sha256="",
        licence=plan.licence,
        limits=(
            "A research model for studying adversarial fragility. Its score is one opinion on photos like those of "
            "its training set; it must not be used to judge people's work."
        ),
        versions={
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "torchvision", "numpy", "pillow")},
        },
    )
    yield network, card


def measure(scores: npt.ArrayLike, mos: Sequence[float], *, dataset: str, command: str) -> Measurement:
    """Return the agreement of scores (N,) with the MOS (N,), PLCC and RMSE after the 4-parameter logistic."""
    mapped = fit_logistic(scores, mos)
    return Measurement(
        dataset=dataset,
        photos=len(mos),
        srocc=round(srocc(scores, mos), 4),
        plcc=round(plcc(mapped, mos), 4),
        krocc=round(krocc(scores, mos), 4),
        rmse=round(rmse(mapped, mos), 4),
        command=command,
    )


def round_to_half(network: torch.nn.Module) -> None:
    """Round a network's weights to what half precision holds, as the stored checkpoint will, in place."""
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point() and value.numel() > 1:
                half = value.half()
                if not half.isfinite().all():
                    raise InputError(f"{name} has values that half precision cannot hold; lower the learning rates")
                value.copy_(half)
