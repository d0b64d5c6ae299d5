"""Linearity: two taps of a trunk, pooled, reduced and regressed, trained with the norm-in-norm loss."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robustiqa_core.checks import MIN_SIDE, check_choice, check_count
from robustiqa_core.models.backbones import BACKBONES, Backbone, backbone, tap
from robustiqa_core.models.preprocessing import Preprocessing
from robustiqa_core.scorer import InsertionPoint, ScoreRange


@dataclass(frozen=True, slots=True)
class LinearitySettings:
    """The configuration of a Linearity network.

    Args:
        backbone: name of the trunk, a key of `BACKBONES`.
        short_side: photos whose shorter side is longer than this many pixels are scaled down to it. (The paper
            scales every photo to 498 x 664; keeping the aspect ratio avoids geometric distortion.)
    """

    backbone: str = "efficientnet_lite0"
    short_side: int = 384

    def __post_init__(self) -> None:
        check_choice("backbone", self.backbone, BACKBONES)
        check_count("short_side", self.short_side, low=MIN_SIDE, high=4096)


# The last stage whose grid is twice as fine as the trunk's last one, and the last one (layer3 and layer4 of a ResNet).
_TAPS: dict[str, tuple[str, str]] = {
    "efficientnet_lite0": ("stage5", "stage7"),
    "resnet18": ("layer3", "layer4"),
    "resnet34": ("layer3", "layer4"),
    "resnet50": ("layer3", "layer4"),
    "resnet101": ("layer3", "layer4"),
    "resnext101_32x8d": ("layer3", "layer4"),
    "vgg16": ("stage4", "stage5"),
}


def _reduction(channels: int) -> nn.Sequential:
    """Return the published reduction of a pooled tap: `channels` -> 1024 -> 256 -> 64."""
    return nn.Sequential(
        nn.Linear(channels, 1024),
        nn.BatchNorm1d(1024),
        nn.Linear(1024, 256),
        nn.BatchNorm1d(256),
        nn.Linear(256, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
    )


class Linearity(nn.Module):
    """The Linearity model as a Scorer.

    score = k * regression([dr6(pool(tap 6)), dr7(pool(tap 7))]) + b, with k and b fitted after training.

    Source: D. Li, T. Jiang, M. Jiang, "Norm-in-Norm Loss with Faster Convergence and Better Performance for Image
    Quality Assessment", ACM MM 2020, section 3. The trunk is exchangeable here.
    """

    k: Tensor
    b: Tensor

    def __init__(self, settings: LinearitySettings | None = None, *, score_range: ScoreRange | None = None) -> None:
        """Make a network with random weights.

        Args:
            settings: trunk and input size.
            score_range: range of the scores on clean training photos; (0, 1) until measured.
        """
        super().__init__()
        self.settings = settings or LinearitySettings()
        self.score_range = score_range or ScoreRange(0.0, 1.0)
        spec = backbone(self.settings.backbone)
        self.taps = _TAPS[spec.name]
        self.preprocessing = Preprocessing(spec.mean, spec.deviation, self.settings.short_side)
        self.features = spec.build()
        self.dr6, self.dr7 = (_reduction(spec.stage(name).channels) for name in self.taps)
        self.regr6, self.regr7 = nn.Linear(64, 1), nn.Linear(64, 1)
        self.regression = nn.Linear(128, 1)
        self.register_buffer("k", torch.tensor(1.0))
        self.register_buffer("b", torch.tensor(0.0))

    @staticmethod
    def insertion_points(settings: LinearitySettings) -> tuple[InsertionPoint, ...]:
        """Return the places where a block can go, in depth order."""
        spec: Backbone = backbone(settings.backbone)
        return spec.insertion_points("features")

    def reduced(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return both taps of images, pooled and reduced (N, 64) each: what the last linear layers get."""
        x = self.preprocessing(images)
        pooled = [features.mean((2, 3)) for features in tap(self.features, x, self.taps)]
        return self.dr6(pooled[0]), self.dr7(pooled[1])

    def predictions(self, images: Tensor) -> Tensor:
        """Return the raw outputs (N, 3) of the whole model, of tap 6 alone and of tap 7 alone, which training needs."""
        mid, last = self.reduced(images)
        whole = self.regression(torch.cat((mid, last), dim=1))
        return torch.cat((whole, self.regr6(mid), self.regr7(last)), dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Return scores (N,), larger is better, of images (N, 3, H, W), RGB in [0, 1], at least 64 px a side."""
        # The last step in the precision of k also where autocast computes the rest in a lower one.
        return self.predictions(images)[:, 0].to(self.k.dtype) * self.k + self.b
