"""Flow fields of warping attacks such as stAdv: how far pixels move, and in which direction.

A flow is a tensor (N, 2, H, W) in pixels, x (to the right) before y (down): the changed image shows at p what the photo
has at p + flow(p), so that an arrow points from a pixel to where its colour comes from.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from robustiqa_core.checks import check_count
from robustiqa_core.errors import InputError


@dataclass(frozen=True, slots=True)
class FlowFigures:
    """A flow in numbers.

    Args:
        mean: displacement in pixels, mean over the image.
        rms: its root mean square.
        maximum: largest displacement in pixels.
        rms_divergence: root mean square of the divergence: 0.1 is a stretching or squeezing of areas by a tenth.
        rms_curl: root mean square of the curl; 0.1 is a local turn by 0.05 radian.
    """

    mean: float
    rms: float
    maximum: float
    rms_divergence: float
    rms_curl: float


@dataclass(frozen=True, slots=True, eq=False)
class Arrows:
    """A flow averaged over the cells of a coarse grid, to be drawn as arrows.

    Args:
        x: (h, w), centres of the cells, in pixels from the left edge of the image; a pixel's own centre is at + 0.5.
        y: (h, w), from the upper edge.
        right: (N, h, w), mean displacement to the right in pixels.
        down: (N, h, w), downwards.
    """

    x: Tensor
    y: Tensor
    right: Tensor
    down: Tensor


def flow_figures(flow: Tensor) -> tuple[FlowFigures, ...]:
    """Return the numbers of each flow of a batch.

    Args:
        flow: (N, 2, H, W), float, in pixels.

    Raises:
        InputError: not a batch of flows.

    Example:
        >>> shift = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1).expand(1, 2, 5, 6)
        >>> flow_figures(shift)[0].mean, flow_figures(shift)[0].rms_curl
        (5.0, 0.0)
    """
    values = _checked(flow)
    lengths = displacement(values).flatten(1)
    columns = (
        lengths.mean(1),
        lengths.square().mean(1).sqrt(),
        lengths.amax(1),
        divergence(values).flatten(1).square().mean(1).sqrt(),
        curl(values).flatten(1).square().mean(1).sqrt(),
    )
    return tuple(FlowFigures(*row) for row in torch.stack(columns, dim=1).tolist())


def displacement(flow: Tensor) -> Tensor:
    """Return the length (N, H, W) of the displacement of each pixel, in pixels."""
    lengths: Tensor = torch.linalg.vector_norm(flow, dim=1)
    return lengths


def divergence(flow: Tensor) -> Tensor:
    """Return d right / dx + d down / dy (N, H, W): above 0 where the arrows spread; no unit.

    Central differences, one-sided at the border; both sides of the image must have at least two pixels.
    """
    return _slope(flow[:, 0], -1) + _slope(flow[:, 1], -2)


def curl(flow: Tensor) -> Tensor:
    """Return d down / dx - d right / dy (N, H, W): above 0 where the arrows turn clockwise on the screen; no unit."""
    return _slope(flow[:, 1], -1) - _slope(flow[:, 0], -2)


def arrows(flow: Tensor, *, along: int = 24) -> Arrows:
    """Return the flow averaged over about square cells, `along` of them on the longer side.

    Args:
        flow: (N, 2, H, W), float, in pixels.
        along: arrows along the longer side; never more than it has pixels.

    Raises:
        InputError: not a batch of flows.
    """
    values = _checked(flow)
    check_count("along", along)
    height, width = values.shape[-2:]
    cell = max(height, width) / min(along, max(height, width))
    rows, columns = (max(1, round(size / cell)) for size in (height, width))
    mean = F.adaptive_avg_pool2d(values, (rows, columns))
    y, x = torch.meshgrid(_centres(height, rows), _centres(width, columns), indexing="ij")
    return Arrows(x, y, mean[:, 0], mean[:, 1])


def _centres(size: int, cells: int) -> Tensor:
    """Return the middles of the cells that adaptive pooling averages."""
    index = torch.arange(cells)
    return (index * size // cells + -(-(index + 1) * size // cells)).double() / 2


def _slope(values: Tensor, axis: int) -> Tensor:
    (slope,) = torch.gradient(values, dim=axis)
    return slope


def _checked(flow: Tensor) -> Tensor:
    """Return the flow on the CPU in float64, or raise InputError."""
    expected = "expected a flow in pixels, a finite float tensor (N, 2, H, W) of at least 2 x 2 px"
    if flow.ndim != 4 or flow.shape[1] != 2 or min(flow.shape) < 1 or min(flow.shape[-2:]) < 2:
        raise InputError(f"{expected}, got shape {tuple(flow.shape)}; put the two directions on the second axis")
    if not flow.is_floating_point() or not bool(torch.isfinite(flow).all()):
        raise InputError(f"{expected}, got {flow.dtype} with NaN, infinity or integers; check the attack")
    return flow.detach().cpu().double()
