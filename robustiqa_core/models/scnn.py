"""S-CNN: a small distortion classifier; one of DBCNN's two branches."""

from collections import OrderedDict

from torch import Tensor, nn

from robustiqa_core.models.backbones import IMAGENET_DEVIATION, IMAGENET_MEAN, Stage
from robustiqa_core.models.preprocessing import Preprocessing

SCNN_CLASSES = 39
"""Classes of the published network: kinds and strengths of distortion."""

# Channels and stride of the nine convolutions (section III-A of the paper).
_CONVOLUTIONS = ((48, 1), (48, 2), (64, 1), (64, 2), (64, 1), (64, 2), (128, 1), (128, 1), (128, 2))
# The published network was trained on crops of photos whose shorter side had 256 px.
_SHORT_SIDE = 256


def _stages() -> tuple[Stage, ...]:
    stages: list[Stage] = []
    for number, (channels, step) in enumerate(_CONVOLUTIONS, start=1):
        stages.append(Stage(f"scnn{number}", channels, step * (stages[-1].stride if stages else 1)))
    return tuple(stages)


SCNN_STAGES = _stages()
"""The nine stages in depth order; the names differ from those of every trunk."""


def _convolution(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return convolution, batch normalisation and ReLU, initialised for ReLU."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]  # this layer has one
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(out_channels), relu=nn.ReLU(inplace=True)))


def scnn_features() -> nn.Sequential:
    """Return the nine convolutions with random weights, named as in `SCNN_STAGES`: 3 channels to 128, stride 16."""
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    in_channels = 3
    for stage, (channels, step) in zip(SCNN_STAGES, _CONVOLUTIONS, strict=True):
        stages[stage.name] = _convolution(in_channels, channels, 3, step)
        in_channels = channels
    return nn.Sequential(stages)


class SCNN(nn.Module):
    """The whole S-CNN, with the classifier for training its features.

    Source: W. Zhang, K. Ma, J. Yan, D. Deng, Z. Wang, "Blind Image Quality Assessment Using a Deep Bilinear
    Convolutional Neural Network", IEEE TCSVT 30(1), 2020, section III-A. The published network pools the 14 x 14
    grid of a 224 px crop; here the whole grid of a photo of any size is pooled, which is the same for such a crop.
    """

    def __init__(self, classes: int = SCNN_CLASSES) -> None:
        """Make a network with random weights that classifies `classes` distortions."""
        super().__init__()
        self.preprocessing = Preprocessing(IMAGENET_MEAN, IMAGENET_DEVIATION, _SHORT_SIDE)
        self.features = scnn_features()
        self.projection = nn.Sequential(_convolution(SCNN_STAGES[-1].channels, 256, 1), _convolution(256, 256, 1))
        self.classifier = nn.Linear(256, classes)
        nn.init.kaiming_normal_(self.classifier.weight, nonlinearity="relu")
        nn.init.zeros_(self.classifier.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, classes) of images (N, 3, H, W), RGB in [0, 1], at least 64 px a side."""
        x = self.features(self.preprocessing(images)).mean((2, 3), keepdim=True)
        logits: Tensor = self.classifier(self.projection(x).flatten(1))
        return logits
