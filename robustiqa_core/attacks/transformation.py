"""Warping and recolouring of photos, and the pull-back of gradients to their parameters. Pure functions."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def warp(images: Tensor, flow: Tensor) -> Tensor:
    """Return images whose pixel (x, y) is the photo's value at (x + flow_x, y + flow_y), interpolated bilinearly.

    Beyond the border the outermost pixels are repeated. A flow of 0 returns the photo to the last bit, in
    every size: whole pixels and fractions are kept apart, where `F.grid_sample` rounds their sum, by up to 1e-4
    pixels at a side of 2048.

    Args:
        images: (N, 3, H, W), float, [0, 1].
        flow: (N, 2, H, W), displacement in pixels, x (to the right) before y (down).

    Returns:
        (N, 3, H, W), in [0, 1] up to rounding.

    Example:
        >>> images = torch.tensor([[[[0.0, 0.2, 0.6]]]]).expand(1, 3, 1, 3)
        >>> warp(images, torch.tensor([0.5, 0.0]).view(1, 2, 1, 1).expand(1, 2, 1, 3))[0, 0]
        tensor([[0.1000, 0.4000, 0.6000]])
    """
    channels, height, width = images.shape[1:]
    whole = flow.detach().floor()
    share = flow - whole
    right, down = share[:, :1], share[:, 1:]
    columns = torch.arange(width, device=flow.device) + whole[:, 0].long()
    rows = torch.arange(height, device=flow.device).unsqueeze(1) + whole[:, 1].long()

    def pixels(rows: Tensor, columns: Tensor) -> Tensor:
        places = (rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)).flatten(1)
        return images.flatten(2).gather(2, places.unsqueeze(1).expand(-1, channels, -1)).view_as(images)

    above = torch.lerp(pixels(rows, columns), pixels(rows, columns + 1), right)
    below = torch.lerp(pixels(rows + 1, columns), pixels(rows + 1, columns + 1), right)
    return torch.lerp(above, below, down)


def roughness(flow: Tensor) -> Tensor:
    """Return the roughness of each flow (N,), in pixels: the mean over pixels of L_flow.

    L_flow adds up, over the four neighbours q of a pixel p, the length of flow(p) - flow(q).

    Args:
        flow: (N, 2, H, W), displacement in pixels.

    Source: C. Xiao et al., "Spatially Transformed Adversarial Examples", ICLR 2018, equation 4; the sum over pixels
    there grows with the photo, the mean here does not.

    Example:
        >>> roughness(torch.tensor([0.0, 3.0, 0.0, 4.0]).view(1, 2, 1, 2))
        tensor([5.])
    """
    total = flow.new_zeros(len(flow))
    for axis in (2, 3):
        # The small number keeps the root's derivative finite at 0; each pair of neighbours is seen from both sides.
        lengths = (flow.diff(dim=axis).square().sum(1) + 1e-12).sqrt()
        total = total + 2.0 * lengths.sum((1, 2))
    return total / flow[0, 0].numel()


def recolour(images: Tensor, lattice: Tensor) -> Tensor:
    """Return images in which every colour has moved by the shift of the lattice at that colour, trilinearly.

    Equal colours stay equal wherever they are. A shift is never larger than the largest of the lattice.

    Args:
        images: (N, 3, H, W), float, [0, 1].
        lattice: (N, 3, K, K, K), shifts of red, green and blue at K levels of blue, green and red, from 0 to 1.

    Returns:
        (N, 3, H, W), not clipped to [0, 1].
    """
    # grid_sample wants (x, y, z) from -1 to 1 in the last axis, x for the last axis of the lattice.
    colours = (2.0 * images - 1.0).permute(0, 2, 3, 1).unsqueeze(1)
    shifts = F.grid_sample(lattice, colours, mode="bilinear", padding_mode="border", align_corners=True)
    return images + shifts.squeeze(2)


# Leaving inference mode and switching gradients on, as in `objective.score_gradient`.
@torch.inference_mode(False)
@torch.enable_grad()
def pull_back(function: Callable[[Tensor], Tensor], parameters: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient with respect to `parameters`, given that with respect to `function(parameters)`.

    The chain rule for an attack on the parameters of a transformation: `gradient` is that of the score with respect to
    the images `function(parameters)`.

    Args:
        function: differentiable.
        parameters: of any shape.
        gradient: of the shape of `function(parameters)`.

    Example:
        >>> pull_back(torch.square, torch.tensor([1.0, 2.0]), torch.tensor([1.0, 10.0]))
        tensor([ 2., 40.])
    """
    leaf = parameters.detach().clone().requires_grad_()
    (pulled,) = torch.autograd.grad(function(leaf), leaf, gradient)
    return pulled
