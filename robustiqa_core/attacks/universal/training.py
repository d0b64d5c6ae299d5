"""Training of universal perturbations for score regression: plain, cumulative, generative."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from robustiqa_core.attacks import objective
from robustiqa_core.attacks.objective import Direction, Goal
from robustiqa_core.attacks.projections import MAX_SEED, steepest
from robustiqa_core.attacks.transformation import pull_back
from robustiqa_core.attacks.universal.generator import Generator, Values
from robustiqa_core.attacks.universal.shelf import perturbed
from robustiqa_core.checks import MIN_SIDE, check_choice, check_count, check_fraction, check_images
from robustiqa_core.errors import InputError
from robustiqa_core.scorer import Scorer

Method = Literal["plain", "cumulative", "generative"]
METHODS: tuple[Method, ...] = ("plain", "cumulative", "generative")


@dataclass(frozen=True, slots=True)
class UniversalTraining:
    """How a universal perturbation is trained.

    - `plain`: Adam on the perturbation's values, clipped to the ball after each step;
    - `cumulative`: one-step perturbations of the photos are added up, each computed at its photo plus the current sum,
      and clipped to the ball;
    - `generative`: Adam on a small network that generates the perturbation from noise.

    Each photo is cropped and mirrored at random every time. The grid of a strided network depends on the photo's size:
    a perturbation trained on whole photos of one size is strongest at that size; training on many sizes generalises.

    Args:
        method: one of `METHODS`.
        direction: `up` or `down`.
        eps: largest value, as a fraction of [0, 1]; 10/255 is usual.
        side: height and width of the pattern in pixels. It repeats over the photo, so that a small one learns from
            many places at once; a multiple of the strides of the network is best.
        epochs: passes over the photos.
        batch_size: photos whose gradients are averaged for one step.
        smallest_crop: share of each side that a crop keeps at least; with 1 photos stay whole.
        seed: of the order, the crops, the noise and the network.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: S.-M. Moosavi-Dezfooli et al., "Universal Adversarial Perturbations", CVPR 2017, for classifiers; the three
    ways for quality models: A. Antsiferova et al., "Comparing the Robustness of Modern No-Reference Image- and
    Video-Quality Metrics to Adversarial Attacks", AAAI 2024. Their perturbations have the size of the photos, and
    their `cumulative` is the mean of steps at the clean photos, which on our baseline moved scores the wrong way.
    """

    method: Method = "plain"
    direction: Direction = "up"
    eps: float = 10 / 255
    side: int = 64
    epochs: int = 3
    batch_size: int = 2
    smallest_crop: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)
        check_choice("direction", self.direction, ("up", "down"))
        check_fraction("eps", self.eps)
        check_count("side", self.side, high=4096)
        check_count("epochs", self.epochs)
        check_count("batch_size", self.batch_size)
        check_fraction("smallest_crop", self.smallest_crop)
        check_count("seed", self.seed, low=0, high=MAX_SEED)


@dataclass(frozen=True, slots=True)
class UniversalRecord:
    """The state after one step of the training.

    Args:
        step: number of finished steps, from 1.
        steps: number of steps in all.
        score: mean score of this step's photos, with the perturbation as it was before the step.
    """

    step: int
    steps: int
    score: float


@dataclass(frozen=True, slots=True)
class TrainedPerturbation:
    """The outcome of a training.

    Args:
        perturbation: (1, 3, side, side), float32 on the CPU, in [-eps, eps].
        gain: mean change of the score on the whole training photos, as a share of the score range; signed.
    """

    perturbation: Tensor
    gain: float


def train_perturbation(
    scorer: Scorer, photos: Sequence[Tensor], training: UniversalTraining
) -> Iterator[UniversalRecord | TrainedPerturbation]:
    """Yield a record after each step, and at the end the TrainedPerturbation.

    The same arguments give the same perturbation. Global random numbers and the scorer are left as they are.

    Args:
        scorer: the model, in evaluation mode.
        photos: (1, 3, H, W) each, float, [0, 1], all on one device; of any sizes.
        training: its configuration.

    Raises:
        InputError: no photos, or an invalid one.
    """
    if not photos:
        raise InputError("expected photos to train the perturbation on, got none; give at least one")
    for photo in photos:
        check_images(photo)
    return _train(scorer, photos, training)


def _train(
    scorer: Scorer, photos: Sequence[Tensor], training: UniversalTraining
) -> Iterator[UniversalRecord | TrainedPerturbation]:
    draws = torch.Generator("cpu").manual_seed(training.seed)
    source, optimiser = _source(training, draws, photos[0].device)
    steps = training.epochs * math.ceil(len(photos) / training.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1.0 - step / (steps + 1))
    for step, batch in enumerate(_batches(photos, training, draws), start=1):
        climb, scores = _climb(scorer, batch, _drawn(source), training)
        _ascend(source, climb, optimiser)
        schedule.step()
        yield UniversalRecord(step, steps, scores.mean().item())
    values = _drawn(source)
    changes = [objective.score(scorer, perturbed(x, values)) - objective.score(scorer, x) for x in photos]
    yield TrainedPerturbation(values.cpu(), torch.cat(changes).mean().item() / scorer.score_range.width)


# Parameters made in inference mode could not be trained.
@torch.inference_mode(False)
def _source(
    training: UniversalTraining, draws: torch.Generator, device: torch.device
) -> tuple[Values | Generator, torch.optim.Optimizer]:
    """Return the perturbation's source and its optimiser; the learning rates did best in a trial."""
    source: Values | Generator
    if training.method == "generative":
        source = Generator(training.side, training.eps, draws).to(device)
        return source, torch.optim.Adam(source.parameters(), lr=0.01, betas=(0.9, 0.99))
    source = Values(training.side, training.eps).to(device)
    if training.method == "cumulative":
        return source, torch.optim.SGD(source.parameters(), lr=0.25 / training.eps)
    return source, torch.optim.Adam(source.parameters(), lr=0.5, betas=(0.9, 0.99))


def _batches(photos: Sequence[Tensor], training: UniversalTraining, draws: torch.Generator) -> Iterator[list[Tensor]]:
    """Yield the batch of crops of each step."""
    for _ in range(training.epochs):
        order = torch.randperm(len(photos), generator=draws).tolist()
        for start in range(0, len(order), training.batch_size):
            drawn = order[start : start + training.batch_size]
            yield [_seen(photos[index], training.smallest_crop, draws) for index in drawn]


def _seen(photo: Tensor, smallest: float, draws: torch.Generator) -> Tensor:
    """Return a random part of the photo or of its mirror image, of at least MIN_SIDE where the photo has that."""
    if torch.rand((), generator=draws) < 0.5:
        photo = photo.flip(3)
    for axis in (2, 3):
        whole = photo.shape[axis]
        least = min(whole, max(MIN_SIDE, math.ceil(smallest * whole)))
        length = int(torch.randint(least, whole + 1, (1,), generator=draws))
        start = int(torch.randint(whole - length + 1, (1,), generator=draws))
        photo = photo.narrow(axis, start, length)
    return photo


def _climb(
    scorer: Scorer, batch: Sequence[Tensor], perturbation: Tensor, training: UniversalTraining
) -> tuple[Tensor, Tensor]:
    """Return the photos' mean steepest step for the perturbation (1, 3, side, side), and scores (N,).

    One photo at a time, since they may differ in size. `cumulative` adds up the photos' own l_inf steps, the others
    their gradients.
    """
    climbs, scores = [], []
    for images in batch:
        ascent = objective.Ascent(Goal(training.direction), scorer, images)
        found, gradient = ascent.gradient(perturbed(images, perturbation))
        climb = pull_back(partial(perturbed, images), perturbation, gradient)
        climbs.append(climb.sign() if training.method == "cumulative" else climb)
        scores.append(found)
    mean = torch.cat(climbs).mean(0, keepdim=True)
    return mean if training.method == "cumulative" else steepest(mean, "l2"), torch.cat(scores)


def _drawn(source: Values | Generator) -> Tensor:
    """Return the perturbation as it is now, apart from its source."""
    perturbation: Tensor = source()
    return perturbation.detach().clone()


# Leaving inference mode and switching gradients on, as in `objective.score_gradient`.
@torch.inference_mode(False)
@torch.enable_grad()
def _ascend(source: Values | Generator, climb: Tensor, optimiser: torch.optim.Optimizer) -> None:
    """Move the parameters of `source` so that its perturbation goes along `climb`."""
    parameters = list(source.parameters())
    # The optimiser descends.
    gradients = torch.autograd.grad(source(), parameters, -climb)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    optimiser.step()
    source.confine()
