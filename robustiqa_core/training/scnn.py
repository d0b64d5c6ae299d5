"""S-CNN's own training: to tell the synthetic distortions of clean photos apart.

Of the network that comes out, DBCNN takes the convolutions and leaves the classifier.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from robustiqa_core.checks import check_count, check_positive
from robustiqa_core.device import autocast
from robustiqa_core.errors import MissingWeightsError
from robustiqa_core.files import read_tensors, write_json, write_tensors
from robustiqa_core.models.card import Training
from robustiqa_core.models.importers import import_scnn
from robustiqa_core.models.published import fill, read_checkpoint
from robustiqa_core.models.scnn import SCNN, SCNN_CLASSES
from robustiqa_core.training import ranks
from robustiqa_core.training.distortions import PUBLISHED_CLASSES, DistortedCrops, Distortion
from robustiqa_core.training.sampling import Sample, random_order
from robustiqa_core.training.splits import held_out
from robustiqa_core.training.state import LoopSettings, read_progress
from robustiqa_core.training.steps import Task, TrainingRecord, take_steps

_VALIDATION_SHARE = 0.1
_VALIDATION_VERSIONS = 4


@dataclass(frozen=True, slots=True)
class SCNNSettings(LoopSettings):
    """How S-CNN is trained, besides what `LoopSettings` has.

    Args:
        resize: pixels of a photo's shorter side, which is then distorted.
        crop: pixels of a side of the random crop of that.
        rate: peak learning rate (AdamW).
        versions: crops of each photo in an epoch, each with a distortion drawn at random.
    """

    epochs: int = 30
    batch_size: int = 64
    resize: int = 256
    crop: int = 224
    rate: float = 1e-3
    versions: int = 4

    def __post_init__(self) -> None:
        # Python before 3.14 cannot find super() in a dataclass with slots.
        LoopSettings.__post_init__(self)
        check_count("epochs", self.epochs)
        check_count("crop", self.crop, low=64)
        check_count("resize", self.resize, low=self.crop)
        check_positive("rate", self.rate)
        check_count("versions", self.versions, high=100)


@dataclass(frozen=True, slots=True)
class SCNNCard:
    """What is known of a trained S-CNN; a JSON file next to the weights.

    Args:
        classes: the distortions in the order of the outputs.
        accuracy: share of crops of held-out photos whose class was told.
        validation_photos: number of these photos.
        training: how the weights were made.
        sha256: of the safetensors file.
    """

    classes: tuple[str, ...]
    accuracy: float
    validation_photos: int
    training: Training
    sha256: str = ""


def accuracy(network: SCNN, crops: DistortedCrops, settings: SCNNSettings) -> float:
    """Return the share of crops (four of each photo) whose class the network tells; it is in eval mode after that."""
    network.eval()
    device = network.classifier.weight.device
    samples = [Sample(index, 0, repeat) for index in range(len(crops)) for repeat in range(_VALIDATION_VERSIONS)]
    right = 0
    loader = DataLoader(crops, sampler=samples, batch_size=settings.batch_size, num_workers=1)
    with torch.inference_mode(), autocast(device, settings.precision):
        for pixels, numbers in loader:
            found = network(pixels.to(device).float() / 255).argmax(1).cpu()
            right += int((found == numbers).sum())
    return right / len(samples)


def train_scnn(
    photos: Sequence[Path],
    settings: SCNNSettings,
    *,
    command: str,
    device: torch.device,
    run_dir: Path,
    classes: Sequence[Distortion] = PUBLISHED_CLASSES,
    stop_after: int | None = None,
    workers: int = 1,
) -> Iterator[TrainingRecord | tuple[SCNN, SCNNCard]]:
    """Train S-CNN, yielding a record a step and at last the network with its card (without sha256).

    Of several processes the first alone yields the network.

    Args:
        photos: clean ones; a tenth of them, whole scenes at a time, is held out to choose the epoch by.
        settings: of the training.
        command: the command that repeats it.
        device: to train on.
        run_dir: where the state lies, to go on from after an interruption.
        classes: the distortions to tell apart.
        stop_after: see `take_steps`.
        workers: processes that decode and distort photos.
    """
    held = held_out(photos, share=_VALIDATION_SHARE, seed=settings.seed)
    learning, validation = (
        [path for path, is_held in zip(photos, held, strict=True) if is_held == kind] for kind in (False, True)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = SCNN(len(classes)).to(device)
    sizes: dict[str, int] = {"resize": settings.resize, "crop": settings.crop, "seed": settings.seed}
    validation_crops = DistortedCrops(validation, classes, **sizes)
    task = Task(
        network=network,
        samples=DistortedCrops(learning, classes, **sizes),
        photos=len(learning) * settings.versions,
        order=lambda epoch: _order(len(learning), settings, epoch),
        prepare=lambda epoch: network.train(),
        loss=lambda images, numbers: F.cross_entropy(
            ranks.gather(network(images)).float(), ranks.gather(numbers).long()
        ),
        figure=lambda: accuracy(network, validation_crops, settings),
        rate=lambda name: settings.rate,
    )
    yield from take_steps(task, settings, run_dir=run_dir, stop_after=stop_after, workers=workers)
    if ranks.is_first():
        yield network, _card(settings, classes, learning, validation, command, run_dir)


def _order(photos: int, settings: SCNNSettings, epoch: int) -> list[Sample]:
    """Return each photo as often as there are versions of it, shuffled."""
    shuffled = random_order(photos * settings.versions, seed=settings.seed, epoch=epoch)
    return [Sample(sample.index % photos, epoch, sample.index // photos) for sample in shuffled]


def _card(
    settings: SCNNSettings,
    classes: Sequence[Distortion],
    learning: Sequence[Path],
    validation: Sequence[Path],
    command: str,
    run_dir: Path,
) -> SCNNCard:
    progress = read_progress(run_dir)
    ended: dict[str, Any] = {"stopped_after_epoch": progress.epoch, "best_epoch": progress.best_epoch}
    return SCNNCard(
        classes=tuple(map(str, classes)),
        accuracy=round(progress.best_figure, 4),
        validation_photos=len(validation),
        training=Training(
            dataset="clean photos, synthetically distorted",
            photos=len(learning),
            start="random weights",
            command=command,
            seconds=round(progress.seconds),
            settings={**asdict(settings), **ended, "processes": ranks.count()},
        ),
    )


def save_scnn(network: SCNN, card: SCNNCard, path: Path) -> SCNNCard:
    """Write the weights to `path`, a safetensors file, and the card next to it; return the card with the sha256."""
    write_tensors(path, network.state_dict())
    written = replace(card, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    write_json(path.with_suffix(".json"), asdict(written))
    return written


def load_scnn(path: Path) -> SCNN:
    """Return an S-CNN in eval mode, frozen, from a file of `save_scnn` or from the published scnn.pkl.

    The content tells which it is, and the ending where that is .safetensors.

    Raises:
        MissingWeightsError: no file at `path`.
        InputError: neither of both.
    """
    if not path.is_file():
        raise MissingWeightsError(
            f"expected S-CNN weights at {path}, got no file; train them with robustiqa train-scnn, "
            "or download scnn.pkl of DBCNN-PyTorch"
        )
    with path.open("rb") as file:
        start = file.read(9)
    # safetensors: eight bytes of length, then JSON.
    if path.suffix != ".safetensors" and start[8:] != b"{":
        return import_scnn(read_checkpoint(path))
    tensors, _ = read_tensors(path)
    classes = len(tensors["classifier.bias"]) if "classifier.bias" in tensors else SCNN_CLASSES
    with torch.device("meta"):
        network = SCNN(classes)
    return fill(network, tensors, lambda name: name)
