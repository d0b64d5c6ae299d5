"""EfficientNet-Lite trunks: inverted residuals without squeeze-and-excitation, with ReLU6.

Source: M. Tan and Q. V. Le, "EfficientNet: Rethinking Model Scaling for CNNs", ICML 2019, table 1; the Lite
variants (TensorFlow, 2020) drop squeeze-and-excitation, replace swish by ReLU6 and keep stem and head unscaled.
The classifier and the 1280-channel head convolution are omitted: quality needs neither.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Per stage: kernel, stride, expansion, output channels, blocks (EfficientNet-B0, table 1).
_LITE0_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_STEM_CHANNELS = 32
# TensorFlow's batch normalisation: epsilon 1e-3, decay 0.99.
_NORM_EPSILON = 1e-3
_NORM_MOMENTUM = 1e-2


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the zeros before and after an axis of `size` so that the output has ceil(size / stride) values.

    The odd zero goes to the end: TensorFlow's rule, with which the published weights were trained.

    Example:
        >>> same_padding(224, 3, 2), same_padding(225, 3, 2)
        ((0, 1), (1, 1))
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class ConvNorm(nn.Module):
    """Convolution with "same" padding, batch normalisation and, by default, ReLU6."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        activate: bool = True,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.activate = kernel, stride, activate
        # With stride 1 the padding is symmetric, and the convolution pads faster than a separate step.
        padding = kernel // 2 if stride == 1 else 0
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(out_channels, eps=_NORM_EPSILON, momentum=_NORM_MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        if self.stride > 1:
            height, width = x.shape[-2:]
            x = F.pad(
                x, (*same_padding(width, self.kernel, self.stride), *same_padding(height, self.kernel, self.stride))
            )
        x = self._mixed(x) if self._is_mixed(x) else self.norm(self.conv(x))
        return F.relu6(x) if self.activate else x

    def _is_mixed(self, x: Tensor) -> bool:
        """Return whether autocast computes in bfloat16 on the CPU, and the normalisation is a fixed scaling."""
        return (
            x.device.type == "cpu"
            and torch.is_autocast_enabled("cpu")
            and torch.get_autocast_dtype("cpu") == torch.bfloat16
            and type(self.conv) is nn.Conv2d
            and not (isinstance(self.norm, nn.BatchNorm2d) and self.norm.training)
        )

    def _mixed(self, x: Tensor) -> Tensor:
        """Return what `forward` has before the activation, each layer in the precision in which it is fast and good.

        The normalisation is multiplied into the kernel, which saves a pass over the maps. In float32 remain the first
        layer, since bfloat16 rounds photos to half a grey level, which is as much as a step of an attack; and
        depthwise convolutions with a stride or a large kernel, whose backward pass in bfloat16 takes oneDNN four to
        twelve times as long.
        """
        weight, bias = self._folded()
        wide = self.conv.groups > 1 and (self.stride > 1 or self.kernel > 3)
        in_float32 = wide or self.conv.in_channels == 3
        with torch.autocast("cpu", torch.bfloat16, enabled=not in_float32):
            y: Tensor = self.conv._conv_forward(x.float() if in_float32 else x, weight, bias)
        return y

    def _folded(self) -> tuple[Tensor, Tensor | None]:
        """Return kernel and bias with the normalisation multiplied in; both are still functions of its weights."""
        norm = self.norm
        if not isinstance(norm, nn.BatchNorm2d) or norm.running_var is None or norm.running_mean is None:
            return self.conv.weight, self.conv.bias
        factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        return self.conv.weight * factor.view(-1, 1, 1, 1), norm.bias - norm.running_mean * factor

    def fold(self) -> None:
        """Multiply the normalisation, which in eval mode is a fixed scaling, into the convolution; done once."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class InvertedResidual(nn.Module):
    """Expansion by a 1 x 1, depthwise and projecting convolution, with a shortcut where the shapes agree."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = in_channels * expansion
        self.expand = ConvNorm(in_channels, width, 1) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(width, width, kernel, stride=stride, groups=width)
        self.project = ConvNorm(width, out_channels, 1, activate=False)
        self.shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.shortcut else y


def efficientnet_lite0() -> nn.Sequential:
    """Return an EfficientNet-Lite0 trunk with random weights: `stem`, then `stage1` to `stage7`."""
    stages: OrderedDict[str, nn.Module] = OrderedDict(stem=ConvNorm(3, _STEM_CHANNELS, 3, stride=2))
    channels = _STEM_CHANNELS
    for number, (kernel, stride, expansion, out_channels, count) in enumerate(_LITE0_STAGES, start=1):
        blocks: list[nn.Module] = []
        for index in range(count):
            blocks.append(InvertedResidual(channels, out_channels, kernel, stride if index == 0 else 1, expansion))
            channels = out_channels
        stages[f"stage{number}"] = nn.Sequential(*blocks)
    return nn.Sequential(stages)


_NORMS = {"_bn0": "expand.norm", "_bn1": "depthwise.norm", "_bn2": "project.norm"}
_CONVS = {"_expand_conv": "expand.conv", "_depthwise_conv": "depthwise.conv", "_project_conv": "project.conv"}


def from_published_layout(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of our trunk from one in the layout of the published PyTorch port of the Lite models.

    Keys there are `_conv_stem`, `_bn0`, `_blocks.N._expand_conv`, ...; its head (`_conv_head`, `_bn1`, `_fc`)
    is dropped.
    """
    places = [
        f"stage{number}.{index}" for number, (*_, count) in enumerate(_LITE0_STAGES, start=1) for index in range(count)
    ]
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        if match := re.fullmatch(r"_blocks\.(\d+)\.(_\w+)\.(\w+)", key):
            block, layer, leaf = match.groups()
            renamed[f"{places[int(block)]}.{ {**_NORMS, **_CONVS}[layer] }.{leaf}"] = value
        elif key.startswith("_conv_stem."):
            renamed[key.replace("_conv_stem", "stem.conv")] = value
        elif key.startswith("_bn0."):
            renamed[key.replace("_bn0", "stem.norm")] = value
    return renamed
