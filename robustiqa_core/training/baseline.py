"""From labelled photos to a bundled baseline: split, train, map to the MOS scale, measure, save with a card."""

import platform
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.metrics.correlation import fitted_logistic, krocc, logistic, plcc, rmse, srocc
from robustiqa_core.models import QualityModel, build
from robustiqa_core.models.backbones import backbone
from robustiqa_core.models.card import Measurement, ModelCard, RangeSource, Training
from robustiqa_core.models.dbcnn import DBCNN
from robustiqa_core.models.linearity import Linearity
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training import ranks
from robustiqa_core.training.datasets import LabelledPhoto, select
from robustiqa_core.training.loop import TrainingSettings, fit_score_mapping, predict, train
from robustiqa_core.training.ridge import RidgeRecord, fit_ridge_head
from robustiqa_core.training.score_range import measured_source, range_of, range_photos
from robustiqa_core.training.splits import hold_out
from robustiqa_core.training.state import read_progress
from robustiqa_core.training.steps import TrainingRecord


@dataclass(frozen=True, slots=True)
class BaselinePlan:
    """What to train, and what goes into its card.

    Args:
        model: architecture, a key of `ARCHITECTURES`.
        training: the loop's.
        dataset: name of the data for people.
        score_unit: what a score is, with its nominal scale and direction.
        licence: of the weights.
        command: the command that repeats the training.
        evaluation_command: the command that repeats the measurement.
        start: weights that the training starts from, in words.
        ridge_head: whether the last linear layer of DBCNN or TReS is solved in closed form before the epochs, of which
            there may then be none.
        mos_range: nominal range of the MOS; that of the training photos where None.
    """

    model: str
    training: TrainingSettings
    dataset: str
    score_unit: str
    licence: str
    command: str
    evaluation_command: str
    start: str
    mos_range: ScoreRange | None = None
    ridge_head: bool = False


def with_validation(photos: Sequence[LabelledPhoto], seed: int) -> tuple[LabelledPhoto, ...]:
    """Return the photos with a validation split, held out of the training photos where the data set has none."""
    if any(photo.split == "validation" for photo in photos):
        return tuple(photos)
    rest = tuple(photo for photo in photos if photo.split != "train")
    return hold_out(select(photos, "train"), seed=seed) + rest


def new_network(
    model: str,
    settings: Mapping[str, Any],
    *,
    seed: int,
    device: torch.device,
    trunk: Mapping[str, Tensor] | None = None,
    scnn: Mapping[str, Tensor] | None = None,
) -> QualityModel:
    """Return a network with pretrained branches and the rest random; the global random state is as before.

    Args:
        model: architecture, a key of `ARCHITECTURES`.
        settings: the network's, by name; with `backbone`.
        seed: of the new weights.
        device: where the network goes.
        trunk: weights of the trunk, such as those of another architecture's baseline; ImageNet's where None.
        scnn: weights of S-CNN's features, which DBCNN needs and no other takes.

    Raises:
        ConfigurationError: S-CNN weights are missing, or given to a network without that branch.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(model, settings, ScoreRange(0.0, 1.0))
    if isinstance(network, DBCNN) != (scnn is not None):
        raise ConfigurationError(
            f"expected S-CNN weights for DBCNN only, got {model} "
            f"{'without' if scnn is None else 'with'} them; give --scnn FILE with --model dbcnn"
        )
    if isinstance(network, DBCNN) and scnn is not None:
        network.scnn.load_state_dict(scnn, strict=True)
    weights = backbone(network.settings.backbone).load_imagenet() if trunk is None else trunk
    network.features.load_state_dict(weights, strict=True)
    return network.to(device)


def to_unit_interval(photos: Sequence[LabelledPhoto], mos_range: ScoreRange) -> tuple[LabelledPhoto, ...]:
    """Return the photos with their MOS scaled so that the ends of `mos_range` become 0 and 1."""
    return tuple(replace(photo, mos=(photo.mos - mos_range.low) / mos_range.width) for photo in photos)


def train_baseline(
    network: QualityModel,
    photos: Sequence[LabelledPhoto],
    plan: BaselinePlan,
    *,
    run_dir: Path,
    stop_after: int | None = None,
    workers: int = 1,
) -> Iterator[TrainingRecord | RidgeRecord | tuple[QualityModel, ModelCard]]:
    """Train a baseline, yielding a record a step and at last the network with its card (without sha256).

    Everything is chosen on the validation photos; the test photos are looked at once, at the end. The network learns
    the MOS on the scale 0 to 1, so that learning rates and the weights of the losses mean the same for every data set;
    its k and b bring the scores back to the data set's scale. Of several processes the first alone measures and yields
    the network.

    Args:
        network: from `new_network`; trained in place.
        photos: of all splits; a validation split is made if there is none.
        plan: what to train.
        run_dir: where the state lies, to go on from after an interruption.
        stop_after: see `train`.
        workers: processes that decode photos.
    """
    known = with_validation(photos, plan.training.seed)
    learning, validation, test = (select(known, split) for split in ("train", "validation", "test"))
    all_mos = [photo.mos for photo in learning]
    mos_range = plan.mos_range or ScoreRange(min(all_mos), max(all_mos))
    learnt = to_unit_interval(learning, mos_range)
    first_stage: dict[str, float] = {}
    if plan.ridge_head:
        first_stage = yield from _ridge_stage(network, learnt, validation, plan, run_dir)
    if plan.training.epochs:
        yield from train(
            network, learnt, validation, plan.training, run_dir=run_dir, stop_after=stop_after, workers=workers
        )
    if not ranks.is_first():
        return
    round_to_half(network)
    mapping_photos = map_scores(network, learning, plan.training.seed)
    progress = read_progress(run_dir) if plan.training.epochs else None
    training = Training(
        dataset=f"{plan.dataset}, training split",
        photos=len(learning),
        start=plan.start,
        command=plan.command,
        seconds=round(first_stage.get("ridge_seconds", 0.0) + (progress.seconds if progress else 0.0)),
        settings={
            **asdict(plan.training),
            **first_stage,
            "stopped_after_epoch": progress.epoch if progress else 0,
            "best_epoch": progress.best_epoch if progress else 0,
            "processes": ranks.count(),
            "validation_photos": len(validation),
            "mapping_photos": len(mapping_photos),
        },
    )
    measured = measure_both_ways(network, test, dataset=plan.dataset, command=plan.evaluation_command)
    seed = plan.training.seed
    source = measured_source(mapping_photos, title=training.dataset, seed=seed, command=plan.command)
    yield network, _card(network, plan, training, measured, source)


def _ridge_stage(
    network: QualityModel,
    learning: Sequence[LabelledPhoto],
    validation: Sequence[LabelledPhoto],
    plan: BaselinePlan,
    run_dir: Path,
) -> Generator[RidgeRecord, None, dict[str, float]]:
    """Solve the last linear layer, in place, yielding records; return what the card says of it."""
    if isinstance(network, Linearity) or ranks.count() > 1:
        raise ConfigurationError(
            f"expected DBCNN or TReS in one process for the ridge head, got {plan.model} in {ranks.count()}; "
            "omit --ridge-head"
        )
    network.to(memory_format=torch.channels_last)
    record = RidgeRecord(0, 0, 0.0)
    for record in fit_ridge_head(network, learning, validation, run_dir=run_dir, precision=plan.training.precision):
        yield record
    return {
        "ridge_seconds": round(record.seconds),
        "ridge_penalty": record.penalty or 0.0,
        "ridge_validation_srocc": round(record.validation_srocc or 0.0, 4),
    }


def map_scores(network: QualityModel, learning: Sequence[LabelledPhoto], seed: int) -> tuple[LabelledPhoto, ...]:
    """Fit k and b and measure the score range on the photos of `range_photos`; return these."""
    sample = range_photos(learning, seed)
    network.k.fill_(1.0)
    network.b.fill_(0.0)
    scores = predict(network, sample)
    fit_score_mapping(network, scores, torch.tensor([photo.mos for photo in sample]))
    mapped = scores * network.k.cpu() + network.b.cpu()
    network.score_range = range_of(mapped.tolist())
    return sample


def measure_both_ways(
    network: QualityModel, test: Sequence[LabelledPhoto], *, dataset: str, command: str
) -> tuple[Measurement, Measurement]:
    """Return the agreement on the test photos as they are, and with their lower left corner masked.

    Args:
        network: what is measured.
        test: photos with human scores.
        dataset: name of the data set for people.
        command: that repeats the first measurement.
    """
    mos = [photo.mos for photo in test]
    whole, masked = (predict(network, test, mask_corner=masked).double().numpy() for masked in (False, True))
    title = f"{dataset}, test split"
    return (
        measure(whole, mos, dataset=title, command=command),
        measure(masked, mos, dataset=f"{title}, lower left corner masked", command=f"{command} --mask-corner"),
    )


def _card(
    network: QualityModel,
    plan: BaselinePlan,
    training: Training,
    measurements: tuple[Measurement, ...],
    range_source: RangeSource,
) -> ModelCard:
    return ModelCard(
        model=plan.model,
        variant="baseline",
        settings=asdict(network.settings),
        score_range=network.score_range,
        score_unit=plan.score_unit,
        training=training,
        measurements=measurements,
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
        range_source=range_source,
    )


def measure(scores: npt.ArrayLike, mos: Sequence[float], *, dataset: str, command: str) -> Measurement:
    """Return the agreement of scores (N,) with the MOS (N,), PLCC and RMSE after the 4-parameter logistic.

    What is undefined is None: correlations where one list is constant, and what needs a logistic where none can be
    fitted (`fitted_logistic`).
    """
    parameters = fitted_logistic(scores, mos)
    mapped = None if parameters is None else logistic(np.asarray(scores, dtype=np.float64), *parameters)
    return Measurement(
        dataset=dataset,
        photos=len(mos),
        srocc=_rounded(srocc(scores, mos)),
        plcc=None if mapped is None else _rounded(plcc(mapped, mos)),
        krocc=_rounded(krocc(scores, mos)),
        rmse=None if mapped is None else _rounded(rmse(mapped, mos)),
        command=command,
    )


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 4)


def round_to_half(network: torch.nn.Module) -> None:
    """Round a network's weights to what half precision holds, as the stored checkpoint will, in place."""
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point() and value.numel() > 1:
                half = value.half()
                if not half.isfinite().all():
                    raise InputError(f"{name} has values that half precision cannot hold; lower the learning rates")
                value.copy_(half)
