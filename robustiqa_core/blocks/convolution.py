"""Base of all orthogonalisations: a kernel built from weights, and its circular convolution."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustiqa_core.checks import check_count
from robustiqa_core.errors import ConfigurationError

Guarantee = Literal["orthogonal", "nonexpansive", "none"]
"""`orthogonal`: all singular values are 1. `nonexpansive`: none is above 1. `none`: they are what training makes them.

With fewer outputs than inputs no convolution can keep every length; "orthogonal" then means that the transposed
convolution keeps them (a co-isometry), so that no length grows.
"""

KERNEL_SIZES = (1, 3, 5, 7)
"""Places across a kernel: odd, so that there is a middle."""

MEMORY_LIMIT = 2 * 2**30
"""Bytes that building one kernel may take."""


@dataclass(frozen=True, slots=True)
class LayerCost:
    """The cost of a layer, known before it is built.

    Args:
        parameters: trainable numbers.
        kernel_bytes: memory of the kernel that a folded block keeps.
        build_bytes: memory at the peak of building it, without gradients, about.
        flops: operations to apply it to one map, a multiplication and an addition being two.
    """

    parameters: int
    kernel_bytes: int
    build_bytes: int
    flops: int

    def check_memory(self) -> None:
        """Raise ConfigurationError if building the kernel would take more than `MEMORY_LIMIT`."""
        if self.build_bytes > MEMORY_LIMIT:
            raise ConfigurationError(
                f"expected a kernel that can be built in {MEMORY_LIMIT / 2**30:.0f} GiB, got one that needs "
                f"{self.build_bytes / 2**30:.1f} GiB; choose fewer channels (width) or a smaller grid"
            )


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Switch autocast off: a product in bfloat16 leaves orthogonality to two digits."""
    if device.type == "meta":
        yield
        return
    with torch.autocast(device.type, enabled=False):
        yield


def adjoint(weight: Tensor) -> Tensor:
    """Return the kernel (in, out, k, k) of the transposed circular convolution of a kernel (out, in, k, k), k odd."""
    return weight.transpose(0, 1).flip(2, 3)


def dirac(weight: Tensor) -> Tensor:
    """Return a kernel of the shape of `weight` that passes the channels that both sides have, and zeros the others."""
    return nn.init.dirac_(torch.empty_like(weight))


def wrap(x: Tensor, side: int) -> Tensor:
    """Return maps x (N, C, H, W) with `side` more places on each side, taken from the opposite edge."""
    if side == 0:
        return x
    if min(x.shape[-2:]) >= side:
        return F.pad(x, (side, side, side, side), mode="circular")
    # Round more than once, which F.pad refuses.
    rows, columns = (torch.arange(-side, size + side, device=x.device) % size for size in x.shape[-2:])
    return x[:, :, rows[:, None], columns]


class BlockConvolution(nn.Module, ABC):
    """The layer inside a block: it preserves the size of maps and states its guarantee and its cost.

    Every weight exists from the start, and the batch and map size may change at every call. A subclass is tested by
    being listed in `ORTHOGONALIZATIONS`.
    """

    title: ClassVar[str]
    """Name for people."""
    paper: ClassVar[str]
    """Source; empty for a control."""
    guarantee: ClassVar[Guarantee]
    """The guarantee on the singular values, for all weights."""
    is_control: ClassVar[bool] = False
    """Whether it is a control."""
    padding: ClassVar[str] = "circular"
    """What lies outside the map: its opposite edge. Zeros there would break orthogonality at the edges."""

    def __init__(self, channels_in: int, channels_out: int, kernel_size: int = 3) -> None:
        """Keep the shape.

        Args:
            channels_in: channels of the input.
            channels_out: channels of the output.
            kernel_size: places across the kernel, one of `KERNEL_SIZES`.
        """
        super().__init__()
        self.channels_in = check_count("channels_in", channels_in)
        self.channels_out = check_count("channels_out", channels_out)
        if kernel_size not in KERNEL_SIZES:
            raise ConfigurationError(f"kernel_size must be one of {KERNEL_SIZES}, got {kernel_size}; choose one")
        self.kernel_size = kernel_size

    @classmethod
    @abstractmethod
    def cost(cls, channels_in: int, channels_out: int, kernel_size: int, height: int, width: int) -> LayerCost:
        """Return the cost of a layer of this shape on a grid of height x width, in single precision."""

    @abstractmethod
    def start_at_identity(self) -> None:
        """Set the weights so that the layer, which must have as many outputs as inputs, returns its input.

        Only a layer that cannot, `Contraction`, stays what it is.
        """

    def extra_repr(self) -> str:
        """Return the shape and the promise for the printed model."""
        shape = f"{self.channels_in}, {self.channels_out}, kernel_size={self.kernel_size}"
        return f"{shape}, {self.padding} padding, guarantee={self.guarantee}"


class ConstrainedConvolution(BlockConvolution):
    """A stride-1 circular convolution whose kernel is built from its weights under a constraint, at every call.

    A subclass says how a kernel is built (`build`) and applied (`convolve`), and what it costs (`cost`). A block that
    is folded builds it once, and calls `convolve` alone.
    """

    @abstractmethod
    def build(self, height: int, width: int) -> Tensor:
        """Return the kernel for a grid, differentiable with respect to the weights."""

    @abstractmethod
    def convolve(self, kernel: Tensor, x: Tensor) -> Tensor:
        """Return (N, channels_out, H, W): the kernel applied to x (N, channels_in, H, W)."""

    def kernel(self, height: int, width: int) -> Tensor:
        """Return the kernel for a grid of height x width, built now, in full precision."""
        self._check_memory(height, width)
        with full_precision(next(self.parameters()).device):
            return self.build(height, width)

    def _check_memory(self, height: int, width: int) -> None:
        self.cost(self.channels_in, self.channels_out, self.kernel_size, height, width).check_memory()

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels_out, H, W) of x (N, channels_in, H, W)."""
        return self.convolve(self.kernel(x.shape[2], x.shape[3]), x)


class SpatialConvolution(ConstrainedConvolution):
    """One whose kernel is an ordinary one (out, in, k, k), the same for every grid."""

    @classmethod
    def _spatial_cost(
        cls, shape: tuple[int, int, int], grid: tuple[int, int], *, parameters: int, build_numbers: int
    ) -> LayerCost:
        """Return the cost of a layer of (channels_in, channels_out, kernel_size) from what differs between methods."""
        numbers = shape[0] * shape[1] * shape[2] ** 2
        return LayerCost(parameters, 4 * numbers, 4 * build_numbers, 2 * numbers * grid[0] * grid[1])

    def convolve(self, kernel: Tensor, x: Tensor) -> Tensor:
        """Return (N, channels_out, H, W): the circular cross-correlation of x (N, channels_in, H, W)."""
        return F.conv2d(wrap(x, self.kernel_size // 2), kernel)
