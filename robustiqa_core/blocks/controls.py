"""Controls: stand-ins for an orthogonal convolution, to show what orthogonality adds."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from robustiqa_core.blocks.convolution import BlockConvolution, Guarantee, LayerCost, SpatialConvolution, dirac
from robustiqa_core.checks import check_fraction


class Plain(SpatialConvolution):
    """An ordinary, unconstrained convolution of the same shape."""

    title = "Plain convolution"
    paper = ""
    guarantee = "none"
    is_control = True

    def __init__(self, channels_in: int, channels_out: int, kernel_size: int = 3) -> None:
        """Make a layer with random weights."""
        super().__init__(channels_in, channels_out, kernel_size)
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, kernel_size, kernel_size))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    @classmethod
    def cost(cls, channels_in: int, channels_out: int, kernel_size: int, height: int, width: int) -> LayerCost:
        """Return the cost of a layer of this shape on a grid of height x width, in single precision."""
        kernel = channels_in * channels_out * kernel_size**2
        shape = (channels_in, channels_out, kernel_size)
        return cls._spatial_cost(shape, (height, width), parameters=kernel, build_numbers=0)

    def build(self, height: int, width: int) -> Tensor:
        """Return the weights (channels_out, channels_in, k, k)."""
        return self.weight

    @torch.no_grad()
    def start_at_identity(self) -> None:
        """Set the kernel to the identity."""
        self.weight.copy_(dirac(self.weight))


class Identity(BlockConvolution):
    """No convolution: common channels pass, others are 0 or dropped.

    A Cayley layer with small weights is close to it, which is why it must be beaten.
    """

    title = "Identity"
    paper = ""
    guarantee: ClassVar[Guarantee] = "orthogonal"
    is_control = True

    @classmethod
    def cost(cls, channels_in: int, channels_out: int, kernel_size: int, height: int, width: int) -> LayerCost:
        """Return the cost: nothing."""
        return LayerCost(0, 0, 0, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels_out, H, W) of x (N, channels_in, H, W)."""
        missing = self.channels_out - self.channels_in
        return x if not missing else nn.functional.pad(x, (0, 0, 0, 0, 0, missing))

    def start_at_identity(self) -> None:
        """Do nothing: there are no weights."""


class Contraction(Identity):
    """The input times a number below 1: it narrows the scores, and with them every gain, and does nothing else.

    A gain that it shows as well is none: scaled by the model's own range of clean scores it vanishes.
    """

    title = "Contraction"
    guarantee = "nonexpansive"

    def __init__(self, channels_in: int, channels_out: int, kernel_size: int = 3, *, factor: float = 0.5) -> None:
        """Keep the shape and the factor, in (0, 1]."""
        super().__init__(channels_in, channels_out, kernel_size)
        self.factor = check_fraction("factor", factor)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels_out, H, W) of x (N, channels_in, H, W)."""
        return super().forward(x) * self.factor

    def extra_repr(self) -> str:
        """Return the shape and the factor for the printed model."""
        return f"{super().extra_repr()}, factor={self.factor:g}"
