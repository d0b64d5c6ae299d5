"""Almost orthogonal convolution: a rescaled, 1-Lipschitz kernel."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustiqa_core.blocks.convolution import LayerCost, SpatialConvolution, adjoint, dirac


class AOL(SpatialConvolution):
    """The almost orthogonal layer: 1-Lipschitz for every weight, orthogonal only where the weights happen to be.

    Each input channel of the kernel W is divided by the root of its row sum in |W* W|, W* W being the kernel of the
    convolution followed by its transpose. It needs no inverse and no iteration, but shortens maps.

    Source: B. Prach and C. H. Lampert, "Almost-Orthogonal Layers for Efficient General-Purpose Lipschitz Networks",
    ECCV 2022, theorem 1 and section 4. On a grid smaller than 2k - 1 places that wrap onto each other add up to no
    more than the sum of their sizes, so that the bound holds on every grid. With more inputs than outputs, the
    transposed kernel is rescaled.
    """

    title = "AOL"
    paper = "Prach and Lampert, Almost-Orthogonal Layers, ECCV 2022"
    guarantee = "nonexpansive"

    def __init__(self, channels_in: int, channels_out: int, kernel_size: int = 3) -> None:
        """Make a layer with random weights."""
        super().__init__(channels_in, channels_out, kernel_size)
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, kernel_size, kernel_size))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    @classmethod
    def cost(cls, channels_in: int, channels_out: int, kernel_size: int, height: int, width: int) -> LayerCost:
        """Return the cost of a layer of this shape on a grid of height x width, in single precision."""
        less = min(channels_in, channels_out)
        kernel = channels_in * channels_out * kernel_size**2
        return cls._spatial_cost(
            (channels_in, channels_out, kernel_size),
            (height, width),
            parameters=kernel,
            build_numbers=3 * kernel + 2 * less**2 * (2 * kernel_size - 1) ** 2,
        )

    def build(self, height: int, width: int) -> Tensor:
        """Return the kernel (channels_out, channels_in, k, k), the same for every grid."""
        tall = adjoint(self.weight) if self.channels_in > self.channels_out else self.weight
        columns = tall.transpose(0, 1)
        products = F.conv2d(columns, columns, padding=self.kernel_size - 1)
        sums = products.abs().sum((1, 2, 3)).clamp_min(torch.finfo(products.dtype).tiny)
        scaled = tall * sums.rsqrt()[None, :, None, None]
        return adjoint(scaled) if self.channels_in > self.channels_out else scaled

    @torch.no_grad()
    def start_at_identity(self) -> None:
        """Set the kernel to the identity, whose row sums are 1."""
        self.weight.copy_(dirac(self.weight))
