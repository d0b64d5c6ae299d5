"""The cost of a block, before it is built."""

import time
from dataclasses import dataclass, replace

import torch

from robustiqa_core.blocks.convolution import ConstrainedConvolution, LayerCost
from robustiqa_core.blocks.orthogonalizations import ORTHOGONALIZATIONS
from robustiqa_core.blocks.robust_block import RobustBlock
from robustiqa_core.blocks.settings import BlockSettings


@dataclass(frozen=True, slots=True)
class CostPreview:
    """The cost of a block on a map.

    Args:
        parameters: trainable numbers.
        kernel_bytes: memory of the convolution's kernel, which a folded block keeps.
        build_bytes: memory at the peak of building it, without gradients, about; training needs a few times that.
        flops: operations on one map, a multiplication and an addition being two.
        build_seconds: time of building the kernel on this machine, once it was measured.
    """

    parameters: int
    kernel_bytes: int
    build_bytes: int
    flops: int
    build_seconds: float | None = None


def preview(settings: BlockSettings, channels: int, height: int, width: int) -> CostPreview:
    """Return the cost of a block on maps (N, channels, height, width), in single precision, without building it.

    Args:
        settings: the block.
        channels: of the map.
        height: rows of the map.
        width: columns of the map.

    Raises:
        ConfigurationError: the block does not fit the map, or its kernel would take too much memory.

    Example:
        >>> preview(BlockSettings(width=64, grid=8), 112, 24, 32).kernel_bytes // 1024
        1280
    """
    settings.check_channels(channels)
    r = settings.width
    if settings.variant == "paper":
        rows = columns = settings.grid or 0
        inner = _layer_cost(settings, (r, channels), (rows, columns))
        outside = (channels + 1) * r
        # The 1 x 1 convolution on the whole map; averages and bilinear values, up to eight operations a value.
        flops = 2 * channels * r * height * width + r * height * width + 8 * channels * height * width
    else:
        rows, columns = (min(settings.grid or side, side) for side in (height, width))
        inner = _layer_cost(settings, (r, r), (rows, columns))
        outside = channels * r
        flops = 4 * channels * r * rows * columns + 2 * r * rows * columns + channels * height * width
        if (rows, columns) != (height, width):
            flops += 4 * channels * height * columns * (width + rows)
    inner.check_memory()
    return CostPreview(inner.parameters + outside, inner.kernel_bytes, inner.build_bytes, inner.flops + flops)


def _layer_cost(settings: BlockSettings, channels: tuple[int, int], grid: tuple[int, int]) -> LayerCost:
    return ORTHOGONALIZATIONS[settings.orthogonalization].cost(*channels, settings.kernel_size, *grid)


@torch.no_grad()
def with_build_time(cost: CostPreview, block: RobustBlock, height: int, width: int) -> CostPreview:
    """Return a preview with the seconds that this machine takes to build the block's kernel for a map.

    Args:
        cost: from `preview`.
        block: the block.
        height: rows of the map.
        width: columns of the map.
    """
    convolution = block.convolution
    if not isinstance(convolution, ConstrainedConvolution):
        return replace(cost, build_seconds=0.0)
    device, grid = next(convolution.parameters()).device, block.grid_of(height, width)
    seconds = []
    # The faster of two: the first may be that of the process, and other work can only add to both.
    for _ in range(2):
        _wait(device)
        start = time.perf_counter()
        convolution.kernel(*grid)
        _wait(device)
        seconds.append(time.perf_counter() - start)
    return replace(cost, build_seconds=min(seconds))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
