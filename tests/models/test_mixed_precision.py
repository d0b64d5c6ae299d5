"""What the trunk's layers compute in mixed precision on the CPU: the same, faster, and without rounding the photo."""

import copy

import pytest
import torch
from torch import Tensor

from robustiqa_core.models.efficientnet_lite import ConvNorm


def layer(channels: int, out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> ConvNorm:
    """Return a layer in eval mode whose normalisation does something."""
    torch.manual_seed(0)
    made = ConvNorm(channels, out, kernel, stride=stride, groups=groups)
    norm = made.norm
    assert isinstance(norm, torch.nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2.0)
        norm.bias.uniform_(0.0, 1.0)
        norm.running_mean.uniform_(-1.0, 1.0)
        norm.running_var.uniform_(0.5, 2.0)
    return made.eval()


LAYERS = {
    "first": (3, 8, 3, 2, 1),
    "pointwise": (8, 16, 1, 1, 1),
    "depthwise": (8, 8, 3, 1, 8),
    "strided depthwise": (8, 8, 3, 2, 8),
    "wide depthwise": (8, 8, 5, 1, 8),
    "wide strided depthwise": (8, 8, 5, 2, 8),
}


def gradients(network: ConvNorm, images: Tensor, *, mixed: bool) -> tuple[Tensor, list[Tensor]]:
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        y = network(images)
    return y.float(), [*torch.autograd.grad(y.float().square().mean(), [images, *network.parameters()])]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("folded", [False, True])
def test_mixed_precision_changes_results_and_gradients_by_rounding_only(name: str, folded: bool) -> None:
    channels, out, kernel, stride, groups = LAYERS[name]
    network = layer(channels, out, kernel, stride=stride, groups=groups)
    if folded:
        network.fold()
        network.requires_grad_(True)
    images = torch.rand(2, channels, 33, 32, requires_grad=True)
    whole, mixed = (gradients(network, images, mixed=mixed) for mixed in (False, True))
    assert torch.allclose(whole[0], mixed[0], atol=0.05, rtol=0.02)
    for expected, got in zip(whole[1], mixed[1], strict=True):
        assert got.dtype == torch.float32
        assert (expected - got).norm() <= 0.02 * expected.norm()


def test_a_hundredth_of_a_grey_level_is_still_seen() -> None:
    """In bfloat16 a bright pixel would be rounded to half a grey level, and a small step of an attack be lost."""
    network = layer(3, 8, 3, stride=2)
    images = torch.full((1, 3, 32, 32), 0.9)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert not torch.equal(network(images), network(images + 0.01 / 255))


def test_a_normalisation_that_measures_is_left_alone() -> None:
    network = layer(8, 8, 3, groups=8).train()
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.rand(4, 8, 16, 16))
    norm = network.norm
    assert isinstance(norm, torch.nn.BatchNorm2d)
    assert norm.num_batches_tracked == 1


def test_float32_is_as_before_to_the_bit() -> None:
    network = layer(8, 16, 1)
    images = torch.rand(2, 8, 16, 16)
    expected = torch.nn.functional.relu6(network.norm(network.conv(images)))
    assert torch.equal(network(images), expected)


def test_a_mask_holds_in_mixed_precision() -> None:
    class Blind(torch.nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(0.0 * x)

    network = layer(8, 16, 1)
    blind = copy.deepcopy(network)
    blind.conv.__class__ = Blind
    images = torch.rand(2, 8, 16, 16)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(blind(images), network(0.0 * images), atol=0.02)
        assert not torch.allclose(blind(images), network(images), atol=0.02)
