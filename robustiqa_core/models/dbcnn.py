"""DBCNN: an object branch and a distortion branch, combined by bilinear pooling."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustiqa_core.checks import MIN_SIDE, check_choice, check_count
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.models.backbones import BACKBONES, IMAGENET_DEVIATION, IMAGENET_MEAN, backbone
from robustiqa_core.models.preprocessing import check_model_input, fit, normalise
from robustiqa_core.models.scnn import SCNN_STAGES, scnn_features
from robustiqa_core.scorer import InsertionPoint, ScoreRange

SquareRoot = Literal["published", "signed"]

_PUBLISHED_OFFSET = 1e-8
# Of the products of photos (EfficientNet-Lite0 and the published S-CNN at 384 px), half lie above 0.01 and nineteen
# of twenty above 4e-4.
_SIGNED_WIDTH = 1e-3
# Trunks whose last stage ends in a ReLU, so that no product of the two branches is negative.
_NON_NEGATIVE = ("resnet18", "resnet34", "resnet50", "resnet101", "resnext101_32x8d", "vgg16")


def published_square_root(x: Tensor) -> Tensor:
    """Return sqrt(x + 1e-8) of non-negative values: the form of the published code.

    Its slope at 0 is 5,000, so that rounding noise in a pair of silent channels outweighs the photo in the gradient:
    attacks look weaker than they are and training is unsteady.

    Example:
        >>> [round(value, 6) for value in published_square_root(torch.tensor([0.0, 0.25])).tolist()]
        [0.0001, 0.5]
    """
    return (x + _PUBLISHED_OFFSET).sqrt()


def signed_square_root(x: Tensor) -> Tensor:
    """Return x / (x^2 + w^2)^(1/4) with w = 1e-3: about sign(x) sqrt(|x|) for |x| above w, smooth through 0.

    Odd, increasing, differentiable any number of times; the slope is largest at 0, where it is 32.

    Example:
        >>> [round(value, 3) for value in signed_square_root(torch.tensor([-0.25, 0.0, 0.25])).tolist()]
        [-0.5, 0.0, 0.5]
    """
    return x * (x.square() + _SIGNED_WIDTH**2).pow(-0.25)


SQUARE_ROOTS: dict[str, Callable[[Tensor], Tensor]] = {
    "published": published_square_root,
    "signed": signed_square_root,
}


@dataclass(frozen=True, slots=True)
class DBCNNSettings:
    """The configuration of a DBCNN network.

    Args:
        backbone: name of the trunk, a key of `BACKBONES`; the published one is vgg16.
        short_side: photos whose shorter side is longer than this many pixels are scaled down to it. (The published
            network takes photos as they are.)
        square_root: form of the square root of the products, a key of `SQUARE_ROOTS`. "published" needs a trunk
            that ends in a ReLU, as the root of a negative product does not exist.
    """

    backbone: str = "efficientnet_lite0"
    short_side: int = 384
    square_root: SquareRoot = "signed"

    def __post_init__(self) -> None:
        check_choice("backbone", self.backbone, BACKBONES)
        check_count("short_side", self.short_side, low=MIN_SIDE, high=4096)
        check_choice("square_root", self.square_root, SQUARE_ROOTS)
        if self.square_root == "published" and self.backbone not in _NON_NEGATIVE:
            raise ConfigurationError(
                f"the published square root needs a trunk that ends in a ReLU ({', '.join(_NON_NEGATIVE)}), "
                f"got {self.backbone}; choose square_root 'signed' or one of these trunks"
            )


class DBCNN(nn.Module):
    """The deep bilinear model as a Scorer.

    score = k * fc(v / |v|) + b, where v = root(sum_p a_p s_p^T / P) is made of the trunk's features a_p and the
    S-CNN's features s_p at the P places of a common grid, with k and b fitted after training.

    Source: W. Zhang, K. Ma, J. Yan, D. Deng, Z. Wang, "Blind Image Quality Assessment Using a Deep Bilinear
    Convolutional Neural Network", IEEE TCSVT 30(1), 2020, section III. The trunk is exchangeable here; one that is
    coarser than S-CNN's 16 pixels is up-sampled to S-CNN's grid, while the published network, whose two grids differ
    by one place at most, always resamples S-CNN's.
    """

    k: Tensor
    b: Tensor

    def __init__(self, settings: DBCNNSettings | None = None, *, score_range: ScoreRange | None = None) -> None:
        """Make a network with random weights.

        Args:
            settings: trunk, input size and form of the square root.
            score_range: range of the scores on clean training photos; (0, 1) until measured.
        """
        super().__init__()
        self.settings = settings or DBCNNSettings()
        self.score_range = score_range or ScoreRange(0.0, 1.0)
        spec = backbone(self.settings.backbone)
        # Plain numbers and no buffers, as in `Preprocessing`, which serves one trunk only.
        self.mean, self.deviation = spec.mean, spec.deviation
        self.coarse_trunk = spec.stages[-1].stride > SCNN_STAGES[-1].stride
        self.features = spec.build()
        self.scnn = scnn_features()
        self.fc = nn.Linear(spec.stages[-1].channels * SCNN_STAGES[-1].channels, 1)
        # The published start of the linear layer.
        nn.init.kaiming_normal_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)
        self.register_buffer("k", torch.tensor(1.0))
        self.register_buffer("b", torch.tensor(0.0))

    @staticmethod
    def insertion_points(settings: DBCNNSettings) -> tuple[InsertionPoint, ...]:
        """Return the places where a block can go: those of the trunk in depth order, then those of S-CNN.

        With the published square root, the last of each branch are left out: a block can make values negative, and
        then the products of the two.
        """
        trunk = backbone(settings.backbone).insertion_points("features")
        distortion = tuple(
            InsertionPoint(f"after_{stage.name}", f"scnn.{stage.name}", stage.channels, stage.stride)
            for stage in SCNN_STAGES
        )
        return trunk[:-1] + distortion[:-1] if settings.square_root == "published" else trunk + distortion

    def products(self, images: Tensor) -> Tensor:
        """Return the bilinear features (N, K) before the linear layer, each row of length 1.

        While both branches are frozen (the first of the two published training stages) they can be kept.
        """
        x = fit(check_model_input(images), self.settings.short_side)
        content = self.features(normalise(x, self.mean, self.deviation))
        distortion = self.scnn(normalise(x, IMAGENET_MEAN, IMAGENET_DEVIATION))
        if self.coarse_trunk:
            content = _resample(content, distortion)
        else:
            distortion = _resample(distortion, content)
        content, distortion = content.flatten(2), distortion.flatten(2)
        product = torch.bmm(content, distortion.mT) / content.shape[2]
        # Never in half precision, whose few digits the steep root of small products cannot spare.
        product = product.to(torch.promote_types(product.dtype, torch.float32)).flatten(1)
        return F.normalize(SQUARE_ROOTS[self.settings.square_root](product))

    def predictions(self, images: Tensor) -> Tensor:
        """Return the raw outputs (N, 1), which training needs."""
        raw: Tensor = self.fc(self.products(images))
        return raw

    def forward(self, images: Tensor) -> Tensor:
        """Return scores (N,), larger is better, of images (N, 3, H, W), RGB in [0, 1], at least 64 px a side."""
        return self.predictions(images)[:, 0].to(self.k.dtype) * self.k + self.b


def _resample(x: Tensor, like: Tensor) -> Tensor:
    """Return x (N, C, h, w) on the grid of `like`: bilinear with the corners kept, as in the published code."""
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=True)
