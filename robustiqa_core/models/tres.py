"""TReS: four stages of a trunk on a common grid, fed to a transformer."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustiqa_core.checks import MIN_SIDE, check_choice, check_count
from robustiqa_core.models.backbones import BACKBONES, Backbone, Stage, backbone, tap
from robustiqa_core.models.preprocessing import Preprocessing
from robustiqa_core.models.transformer import PLACES, Encoder
from robustiqa_core.scorer import InsertionPoint, ScoreRange

CROP_SIDE = 224
"""Pixels of a side of the crops that the published network was trained on."""

# Published share of pooled features that training drops.
_FEATURE_DROPOUT = 0.1
# The three inner values of a Hanning window of five, which sum to 1.
HANNING = (0.25, 0.5, 0.25)
# Keeps the slope of the square root finite.
_POOLING_EPSILON = 1e-12


@dataclass(frozen=True, slots=True)
class TReSSettings:
    """The configuration of a TReS network.

    Args:
        backbone: name of the trunk, a key of `BACKBONES`; the published one is resnet50.
        short_side: photos whose shorter side is longer than this many pixels are scaled down to it; at most 1024, as
            the memory of the attention grows with the fourth power.
        crops: 0 scores the whole photo at once, the transformer's grid growing with it. n > 0 scores n x n squares
            of 224 px (n = 1: the centre; else evenly spread from edge to edge) and averages: the published rule, 50
            squares at random, without the chance. Published weights have seen no other grid than that of 224 px.
    """

    backbone: str = "efficientnet_lite0"
    short_side: int = 384
    crops: int = 0

    def __post_init__(self) -> None:
        check_choice("backbone", self.backbone, BACKBONES)
        check_count("short_side", self.short_side, low=MIN_SIDE, high=1024)
        check_count("crops", self.crops, low=0, high=16)


@dataclass(frozen=True, slots=True)
class TReSOutputs:
    """The outputs that the published losses compare, for photos and their mirror images.

    Args:
        predictions: (N, 1) raw quality.
        attended: (N, C, h, w), output of the transformer.
        deepest: (N, D, h, w), output of the trunk.
        pooled: (N, 2 D), what the last linear layer gets.
    """

    predictions: Tensor
    attended: Tensor
    deepest: Tensor
    pooled: Tensor


def _taps(spec: Backbone) -> tuple[Stage, ...]:
    """Return the last stage of each of the trunk's four largest strides: layer1 to layer4 of a ResNet."""
    last = {stage.stride: stage for stage in spec.stages}
    return tuple(last[stride] for stride in sorted(last)[-4:])


def l2_pool(x: Tensor) -> Tensor:
    """Return sqrt(h * x^2 + 1e-12) of maps (N, C, H, W), with h the 3 x 3 Hanning window of sum 1 and zero padding.

    Source: O. J. Henaff and E. P. Simoncelli, "Geodesics of Learned Representations", ICLR 2016.
    """
    # Never in half precision, in which squares of small values vanish.
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    window = x.new_tensor(HANNING)
    kernel = (window[:, None] * window).expand(x.shape[1], 1, 3, 3)
    return (F.conv2d(x.square(), kernel, padding=1, groups=x.shape[1]) + _POOLING_EPSILON).sqrt()


def average(x: Tensor, factor: int) -> Tensor:
    """Return maps (N, C, H, W) averaged over squares of `factor` places, (N, C, ceil(H / factor), ceil(W / factor)).

    Where `factor` does not divide the sides, the last squares are cut. Unlike adaptive pooling, no place counts
    twice, and the gradient is the same on every run on a GPU.
    """
    return x if factor == 1 else F.avg_pool2d(x, factor, ceil_mode=True, count_include_pad=False)


class StagePooling(nn.Module):
    """The transformer's input from a stage: normalised at every place, L2-pooled, averaged.

    A module, so that it can be kept for a photo where what comes before it does not learn (`hardening.cut`).
    """

    def __init__(self, factor: int) -> None:
        """Make it for a stage whose grid is `factor` times as fine as the last one's."""
        super().__init__()
        self.factor = factor
        self.dropout = nn.Dropout(_FEATURE_DROPOUT)

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, C, ceil(H / factor), ceil(W / factor)) of a stage's output (N, C, H, W)."""
        return average(self.dropout(l2_pool(F.normalize(features))), self.factor)


def crop_positions(size: int, count: int) -> tuple[int, ...]:
    """Return where `count` crops of 224 pixels start on an axis of `size` pixels, evenly spread, none twice.

    Example:
        >>> crop_positions(384, 3), crop_positions(384, 1), crop_positions(200, 3)
        ((0, 80, 160), (80,), (0,))
    """
    room = max(size - CROP_SIDE, 0)
    if count == 1:
        return (room // 2,)
    return tuple(sorted({round(index * room / (count - 1)) for index in range(count)}))


def crops(x: Tensor, count: int) -> Iterator[Tensor]:
    """Yield count x count crops of 224 px of x (N, C, H, W), row by row; a shorter side is kept whole."""
    for top in crop_positions(x.shape[2], count):
        for left in crop_positions(x.shape[3], count):
            yield x[:, :, top : top + CROP_SIDE, left : left + CROP_SIDE]


class TReS(nn.Module):
    """Transformers, relative ranking and self-consistency: the TReS model as a Scorer.

    score = k * fc([fc2(mean of transformer(t)), mean of the trunk's last stage]) + b, where t joins four stages, each
    divided by its length at every place, L2-pooled and averaged to the grid of the last; k and b are fitted after
    training.

    Source: S. A. Golestaneh, S. Dadsetan, K. M. Kitani, "No-Reference Image Quality Assessment via Transformers,
    Relative Ranking, and Self-Consistency", WACV 2022, section 3. The trunk is exchangeable here, and any size of
    photo is scored, the same on every call (see `TReSSettings.crops`).
    """

    k: Tensor
    b: Tensor

    def __init__(self, settings: TReSSettings | None = None, *, score_range: ScoreRange | None = None) -> None:
        """Make a network with random weights.

        Args:
            settings: trunk, input size and crops.
            score_range: range of the scores on clean training photos; (0, 1) until measured.
        """
        super().__init__()
        self.settings = settings or TReSSettings()
        self.score_range = score_range or ScoreRange(0.0, 1.0)
        spec = backbone(self.settings.backbone)
        self.taps = _taps(spec)
        self.preprocessing = Preprocessing(spec.mean, spec.deviation, self.settings.short_side)
        self.features = spec.build()
        channels, deepest = sum(stage.channels for stage in self.taps), self.taps[-1].channels
        self.poolings = nn.ModuleList(StagePooling(self.taps[-1].stride // stage.stride) for stage in self.taps)
        self.encoder = Encoder(channels)
        self.fc2 = nn.Linear(channels, deepest)
        self.fc = nn.Linear(2 * deepest, 1)
        self.register_buffer("k", torch.tensor(1.0))
        self.register_buffer("b", torch.tensor(0.0))

    @staticmethod
    def insertion_points(settings: TReSSettings) -> tuple[InsertionPoint, ...]:
        """Return the places where a block can go, in depth order: those of the trunk, then those of the transformer.

        Before and between the transformer's layers a block works on the grid of their tokens.
        """
        spec = backbone(settings.backbone)
        taps = _taps(spec)
        channels = sum(stage.channels for stage in taps)
        return spec.insertion_points("features") + tuple(
            InsertionPoint(place, f"encoder.places.{place}", channels, taps[-1].stride) for place in PLACES
        )

    def _outputs(self, x: Tensor) -> TReSOutputs:
        """Return the outputs for normalised photos."""
        pooled = []
        stages = tap(self.features, x, tuple(stage.name for stage in self.taps))
        for pooling, stage in zip(self.poolings, stages, strict=True):
            # Each as soon as its stage is there: before later stages, which may learn.
            pooled.append(pooling(stage))
        deepest = stage
        height, width = deepest.shape[-2:]
        # A trunk that rounds its grid down (VGG) has no place for what is left over.
        attended = self.encoder(torch.cat([maps[..., :height, :width] for maps in pooled], dim=1))
        seen = torch.cat((self.fc2(attended.mean((2, 3))), deepest.mean((2, 3))), dim=1)
        return TReSOutputs(self.fc(seen), attended, deepest, seen)

    def outputs(self, images: Tensor) -> TReSOutputs:
        """Return what training needs, of the whole photos whatever `crops` is; training makes its own crops."""
        return self._outputs(self.preprocessing(images))

    def predictions(self, images: Tensor) -> Tensor:
        """Return the raw outputs (N, 1), averaged over the crops where the settings ask for crops."""
        x = self.preprocessing(images)
        if not self.settings.crops:
            return self._outputs(x).predictions
        views = list(crops(x, self.settings.crops))
        return self._outputs(torch.cat(views)).predictions.view(len(views), len(x), 1).mean(0)

    def forward(self, images: Tensor) -> Tensor:
        """Return scores (N,), larger is better, of images (N, 3, H, W), RGB in [0, 1], at least 64 px a side."""
        return self.predictions(images)[:, 0].to(self.k.dtype) * self.k + self.b
