"""Small scorers whose gradients are known, the photos to attack, and all configurations to test."""

import dataclasses
import itertools

import torch
from torch import Tensor, nn

from robustiqa_core.attacks import ATTACKS, NORMS, Attack, Norm, make_attack
from robustiqa_core.images.photo import round_to_8bit
from robustiqa_core.scorer import ScoreRange

EPS = 8 / 255
RANGE = ScoreRange(0.0, 1.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Quadratic:
    """score = sum(weight * x + 0.5 * curvature * (x - 0.5)^2) over the pixel values x; linear with curvature 0.

    Convex with a curvature above 0, concave below 0. Its gradient is the same, bit by bit, in every batch.
    """

    weight: Tensor
    curvature: float = 0.0
    score_range: ScoreRange = RANGE

    def __call__(self, images: Tensor) -> Tensor:
        return (self.weight * images + 0.5 * self.curvature * (images - 0.5) ** 2).sum((1, 2, 3))


class SmallNet(nn.Module):
    """A smooth convolutional scorer with fixed random weights, made without the global random numbers."""

    score_range = RANGE

    def __init__(self, *, frozen: bool = True, dtype: torch.dtype = torch.float32, device: str = "cpu") -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.SiLU(),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32, 1),
        )
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():
            for parameter in self.layers.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
        self.to(device, dtype).eval().requires_grad_(not frozen)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)[:, 0]


def draw(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return normal random numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def photos(count: int = 3, *, inner: bool = False, height: int = 12, width: int = 20) -> Tensor:
    """Return images on the grid of 8-bit values; with `inner` far from 0 and 1, else with many values at the ends."""
    values = torch.rand((count, 3, height, width), generator=torch.Generator().manual_seed(count))
    return round_to_8bit(0.3 + 0.4 * values if inner else (1.4 * values - 0.2).clamp(0.0, 1.0))


def linear(images: Tensor, *, curvature: float = 0.0) -> Quadratic:
    """Return a scorer for images of this size, dtype and device.

    Its weights come from a seed that no attack here uses: noise from the same seed would be the weights themselves.
    """
    return Quadratic(draw(1001, *images.shape[1:]).to(images), curvature)


GOALS: tuple[dict[str, object], ...] = (
    {"direction": "up"},
    {"direction": "down"},
    {"direction": "away"},
    {"direction": "towards", "target": 0.5},
)

SHORT: dict[str, object] = {"eps": EPS, "steps": 6, "queries": 16, "samples": 4, "random_start": True}
"""Settings of the tests, for the attacks that have them: as short as possible."""


def configurations() -> list[Attack]:
    """Return every attack in every norm and direction that it has."""
    attacks = []
    for name, kind in ATTACKS.items():
        fields = {field.name for field in dataclasses.fields(kind)}
        short = {setting: value for setting, value in SHORT.items() if setting in fields}
        norms = [{"norm": norm} for norm in NORMS] if "norm" in fields else [{}]
        for norm, goal in itertools.product(norms, GOALS if "direction" in fields else [{}]):
            attacks.append(make_attack(name, {**short, **norm, **goal}))
    return attacks


def norm_of(attack: Attack) -> Norm | None:
    """Return the norm in which `eps` bounds the attack; None for an attack that is bounded by something else."""
    return getattr(attack, "norm", "linf") if hasattr(attack, "eps") else None


def label(attack: Attack) -> str:
    """Return a short name of a configuration for the list of tests."""
    norm, direction = getattr(attack, "norm", ""), getattr(attack, "direction", "")
    return "-".join(filter(None, (type(attack).__name__.lower(), norm, direction)))
