"""What the tests of this folder share."""

import torch
from torch import Tensor, nn

from robustiqa_core.blocks import ORTHOGONALIZATIONS, BlockConvolution

EXACT = tuple(name for name, kind in ORTHOGONALIZATIONS.items() if kind.guarantee == "orthogonal")
TRAINED = tuple(name for name, kind in ORTHOGONALIZATIONS.items() if list(kind(2, 2).parameters()))


def new(name: str, channels_in: int, channels_out: int, kernel_size: int = 3) -> BlockConvolution:
    """Return a layer with the same random weights on every call."""
    torch.manual_seed(0)
    return ORTHOGONALIZATIONS[name](channels_in, channels_out, kernel_size)


def explicit_matrix(layer: nn.Module, channels: int, height: int, width: int) -> Tensor:
    """Return the matrix (out values, in values) of a linear layer, column by column through its forward pass."""
    count = channels * height * width
    with torch.no_grad():
        return layer(torch.eye(count).reshape(count, channels, height, width)).flatten(1).mT.double()


def maps(*shape: int, seed: int = 1) -> Tensor:
    """Return random maps, the same on every call."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def train_a_little(layer: nn.Module, channels: int, steps: int = 3) -> None:
    """Take steps that are far larger than in practice, with the weight decay that training uses."""
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.1)
    for step in range(steps):
        x = maps(2, channels, 4, 5, seed=step)
        target = maps(2, layer(x).shape[1], 4, 5, seed=100 + step)
        optimizer.zero_grad()
        (layer(x) - target).square().sum().backward()
        optimizer.step()
