"""Convolutions made orthogonal by an orthogonal matrix at every frequency."""

import math
from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from robustiqa_core.blocks.convolution import ConstrainedConvolution, LayerCost, adjoint
from robustiqa_core.blocks.orthonormal import check_orthonormal


def transfer(weight: Tensor, height: int, width: int) -> Tensor:
    """Return the matrices (F, out, in) by which a circular convolution multiplies each frequency of a grid.

    With the kernel's places d in -k//2..k//2 along each axis, the matrix at (u, v) is
    sum_d weight[d] exp(2 pi i (u d_y / height + v d_x / width)). Both phases are taken separately, so that the grid
    need not be square, and by remainder, so that a grid smaller than the kernel wraps round as it should.

    Args:
        weight: (out, in, k, k), real, k odd.
        height: rows of the grid.
        width: columns of the grid.

    Returns:
        Complex; F = height * (width // 2 + 1), the half that fixes a real map, in `rfft2`'s order.
    """
    size = weight.shape[-1]
    # In double precision on the CPU: some devices have none, and the angles of large grids need it.
    places = torch.arange(size, dtype=torch.float64, device="cpu") - size // 2
    rows = torch.arange(height, dtype=torch.float64, device="cpu")[:, None] * places % height / height
    columns = torch.arange(width // 2 + 1, dtype=torch.float64, device="cpu")[:, None] * places % width / width
    turns = rows[:, None, :, None] + columns[None, :, None, :]
    waves = torch.polar(torch.ones_like(turns), 2 * math.pi * turns).reshape(-1, size * size)
    waves = waves.to(weight.device, weight.dtype.to_complex())
    columns = weight.flatten(2).permute(2, 0, 1).flatten(1).to(waves.dtype)
    return (waves @ columns).reshape(-1, *weight.shape[:2])


class SpectralConvolution(ConstrainedConvolution):
    """A convolution that multiplies the Fourier transform of its input by an orthogonal matrix at each frequency.

    The weights are those of an ordinary small kernel; the orthogonal kernel is as large as the grid. A subclass maps
    the weights to matrices with orthonormal columns; layers with more inputs than outputs use the transposed ones.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel_size: int = 3) -> None:
        """Make a layer with random weights."""
        super().__init__(channels_in, channels_out, kernel_size)
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, kernel_size, kernel_size))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    @abstractmethod
    def columns(self, weight: Tensor, height: int, width: int) -> Tensor:
        """Return (F, m, n) with orthonormal columns from a kernel (m, n, k, k), m >= n."""

    @classmethod
    def cost(cls, channels_in: int, channels_out: int, kernel_size: int, height: int, width: int) -> LayerCost:
        """Return the cost of a layer of this shape on a grid of height x width, in single precision."""
        frequencies = height * (width // 2 + 1)
        numbers = frequencies * channels_in * channels_out
        # Two real transforms of each map, and a complex product (4 + 4 operations) at each frequency.
        transforms = 2.5 * (channels_in + channels_out) * height * width * math.log2(max(height * width, 2))
        return LayerCost(
            parameters=channels_in * channels_out * kernel_size**2,
            kernel_bytes=8 * numbers,
            build_bytes=8 * (numbers + frequencies * cls.build_matrices(channels_in, channels_out)),
            flops=round(transforms) + 8 * numbers,
        )

    @classmethod
    @abstractmethod
    def build_matrices(cls, channels_in: int, channels_out: int) -> int:
        """Return how many complex numbers per frequency, besides the kernel, are alive at the peak of a build."""

    def build(self, height: int, width: int) -> Tensor:
        """Return the matrices (F, channels_out, channels_in) for a grid; see `transfer`."""
        if self.channels_in > self.channels_out:
            return check_orthonormal(self.columns(adjoint(self.weight), height, width)).mH
        return check_orthonormal(self.columns(self.weight, height, width))

    def convolve(self, kernel: Tensor, x: Tensor) -> Tensor:
        """Return (N, channels_out, H, W): x (N, channels_in, H, W) with each frequency multiplied by its matrix."""
        return self._filtered(x, lambda spectrum: kernel @ spectrum)

    def _filtered(self, x: Tensor, multiply: Callable[[Tensor], Tensor]) -> Tensor:
        """Return maps whose transform is what `multiply` makes of that of x, (F, channels, N) to (F, channels, N)."""
        height, width = x.shape[-2:]
        # Transforms in bfloat16 do not exist, and in half precision they lose what the kernel keeps.
        spectrum = torch.fft.rfft2(x.to(self.weight.dtype))
        moved = multiply(spectrum.flatten(2).permute(2, 1, 0))
        moved = moved.permute(2, 1, 0).reshape(len(x), -1, *spectrum.shape[-2:])
        y: Tensor = torch.fft.irfft2(moved, s=(height, width))
        return y.to(x.dtype)

    @torch.no_grad()
    def start_at_identity(self) -> None:
        """Keep the self-adjoint part of the weights, whose skew part, from which the matrices are made, is 0."""
        self.weight.copy_((self.weight + adjoint(self.weight)) / 2)
