"""A training of milliseconds: a small network on random pixels, for what does not depend on the architecture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from robustiqa_core.training.losses import norm_in_norm
from robustiqa_core.training.ranks import gather
from robustiqa_core.training.sampling import Sample, random_order
from robustiqa_core.training.steps import Task

PHOTOS = 16


class RandomPixels(Dataset[tuple[Tensor, float]]):
    """Pixels (3, 8, 8) and a target that depend on the sample alone."""

    def __getitem__(self, sample: Sample) -> tuple[Tensor, float]:
        generator = torch.Generator().manual_seed(1000 * sample.epoch + sample.index)
        pixels = torch.randint(0, 256, (3, 8, 8), generator=generator, dtype=torch.uint8)
        return pixels, pixels.float().mean().item() / 255


def tiny_network(*, normalised: bool, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4) if normalised else nn.Identity()
    # No bias: norm-in-norm does not depend on it, so that its gradient would be rounding alone.
    head = nn.Linear(144, 1, bias=False)
    return nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.ReLU(), nn.Flatten(), nn.Dropout(dropout), head)


def mean_squared(predictions: Tensor, targets: Tensor) -> Tensor:
    return F.mse_loss(predictions[:, 0], targets)


def linearity_like(predictions: Tensor, targets: Tensor) -> Tensor:
    """A loss that is not a mean over the photos."""
    return norm_in_norm(predictions, targets).sum()


@dataclass
class Diary:
    """What the task was asked for."""

    epochs: list[int] = field(default_factory=list)
    figures: list[float] = field(default_factory=list)


def tiny_task(
    network: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor] = mean_squared,
    *,
    figures: Sequence[float] = (),
    diary: Diary | None = None,
) -> Task:
    """Return a task whose figure after epoch n is the n-th of `figures`, else minus the first weight."""
    known = diary or Diary()

    def prepare(epoch: int) -> None:
        known.epochs.append(epoch)
        network.train()

    def figure() -> float:
        network.eval()
        value = figures[known.epochs[-1]] if figures else -next(network.parameters()).flatten()[0].item()
        known.figures.append(value)
        return value

    return Task(
        network=network,
        samples=RandomPixels(),
        photos=PHOTOS,
        order=lambda epoch: random_order(PHOTOS, seed=0, epoch=epoch),
        prepare=prepare,
        loss=lambda images, targets: loss(gather(network(images)), gather(targets)),
        figure=figure,
        rate=lambda name: 1e-2,
    )
