"""Healthy scorers that judge like quality models, and the same broken on purpose."""

import copy
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustiqa_core.auditing import read_photos
from robustiqa_core.auditing.evidence import SERIES, SERIES_LEVELS
from robustiqa_core.images.degradations import DEGRADATIONS
from robustiqa_core.scorer import Scorer, ScoreRange

RANGE = ScoreRange(0.0, 1.0)
SIDE = 64


@cache
def photos() -> Tensor:
    """Return four sample photos of 64 px."""
    return read_photos(side=SIDE)


@cache
def lessons() -> tuple[Tensor, Tensor]:
    """Return photos with degraded versions, and the scores that a quality model should give them."""
    degraded = [DEGRADATIONS[name](photos(), level) for name in SERIES for level in SERIES_LEVELS]
    wanted = [torch.tensor([0.70, 0.60, 0.75, 0.65])]
    wanted += [wanted[0] - 0.1 * level for _ in SERIES for level in SERIES_LEVELS]
    return torch.cat([photos(), *degraded]), torch.cat(wanted)


def solve(features: Tensor, scores: Tensor, ridge: float) -> Tensor:
    """Return the weights (K,) with which features (N, K) give scores (N,), by ridge regression."""
    kernel = features @ features.T
    kernel += ridge * kernel.diagonal().mean() * torch.eye(len(kernel), dtype=kernel.dtype)
    return features.T @ torch.linalg.solve(kernel, scores)


class Linear(nn.Module):
    """score = <weight, images> + bias, with weights that give the lessons their scores."""

    score_range = RANGE

    def __init__(self) -> None:
        super().__init__()
        images, scores = lessons()
        self.register_buffer("weight", solve(images.double().flatten(1), scores.double() - 0.5, 1e-6).float())
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight + 0.5


class Net(nn.Module):
    """Two random convolutions, pooled, with a last layer that gives the lessons their scores."""

    score_range = RANGE

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.first = nn.Conv2d(3, 16, 5, stride=2)
        self.second = nn.Conv2d(16, 32, 3, stride=2)
        with torch.no_grad():
            for layer in (self.first, self.second):
                layer.weight.copy_(
                    torch.randn(layer.weight.shape, generator=generator) / layer.weight[0].numel() ** 0.5
                )
                layer.bias.copy_(0.3 * torch.randn(layer.bias.shape, generator=generator))
            images, scores = lessons()
            self.register_buffer("last", solve(self.features(images).double(), scores.double() - 0.5, 1e-5).float())
        self.eval().requires_grad_(False)

    def features(self, images: Tensor) -> Tensor:
        x = F.silu(self.first(4.0 * (images - 0.5)))
        y = F.silu(self.second(x))
        return torch.cat([x.mean((2, 3)), x.square().mean((2, 3)), y.mean((2, 3)), y.square().mean((2, 3))], dim=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.features(images) @ self.last + 0.5


class Broken(nn.Module):
    """A healthy scorer behind something that spoils its photos or its scores."""

    def __init__(self, scorer: Scorer, spoil: Callable[[Scorer, Tensor], Tensor]) -> None:
        super().__init__()
        self.scorer, self.spoil, self.score_range = scorer, spoil, scorer.score_range
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.spoil(self.scorer, images)


@cache
def linear() -> Linear:
    return Linear()


@cache
def net(seed: int = 0) -> Net:
    return Net(seed)


def quantise(scores: Tensor, levels: int) -> Tensor:
    return torch.round(scores * levels) / levels


def stand_in(value: Tensor, smooth: Tensor) -> Tensor:
    """Return `value` with the gradient of `smooth`."""
    return smooth + (value - smooth).detach()


SPOILS: dict[str, Callable[[Scorer, Tensor], Tensor]] = {
    "quantised": lambda scorer, x: quantise(scorer(x), 20),
    "quantised, gradient made up": lambda scorer, x: stand_in(quantise(scorer(x), 255), scorer(x)),
    "photos quantised": lambda scorer, x: scorer(stand_in(quantise(x, 32), x)),
    "detached": lambda scorer, x: scorer(x.detach()),
    "partly detached": lambda scorer, x: 0.5 * scorer(x) + 0.5 * copy.deepcopy(net(1)).to(x.dtype)(x.detach()),
    "noisy": lambda scorer, x: scorer(x) + 0.02 * torch.randn(len(x)).to(x),
    "slightly noisy": lambda scorer, x: scorer(x) + 0.0002 * torch.randn(len(x)).to(x),
    "normalises differently when attacked": lambda scorer, x: scorer(0.8 * x + 0.1 if x.requires_grad else x),
    "expects 0 to 255": lambda scorer, x: scorer(x / 255),
    "normalises twice": lambda scorer, x: scorer((x - 0.449) / 0.226),
    "contracts": lambda scorer, x: 0.3 * scorer(x) + 0.35,
    "saturates": lambda scorer, x: 0.5 + 0.5 * torch.tanh(60 * (scorer(x) - 0.45)),
    "shatters": lambda scorer, x: scorer(x) + 0.5 * torch.sin(3000 * x).mean((1, 2, 3)),
    "depends on its batch": lambda scorer, x: scorer(x) - scorer(x).mean() + 0.6,
    "not a number": lambda scorer, x: scorer(x) + torch.sqrt(x.amin((1, 2, 3)) - 2.0),
}
"""What can be wrong with a model, by name: functions of a healthy scorer and photos."""


def broken(name: str, scorer: Scorer | None = None) -> Broken:
    return Broken(scorer or net(), SPOILS[name])
