"""Probes for the spectra, shared by the app and the command line."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from robustiqa_core.attacks.projections import random_point, size
from robustiqa_core.blocks import blocks_of, insertion_points
from robustiqa_core.blocks.insertion import CHILD
from robustiqa_core.scorer import InsertionPoint


def measuring_points(network: nn.Module) -> tuple[InsertionPoint, ...]:
    """Return the measuring points of a network: its insertion points, and each block beside its place.

    A block's point, such as `block_after_stage5`, has the output of the place before it, which includes the block; its
    stage is the block alone.

    Raises:
        ConfigurationError: the network is not of this package.
    """
    blocks = blocks_of(network)
    found: list[InsertionPoint] = []
    for point in insertion_points(network):
        found.append(point)
        if point.name in blocks:
            path = f"{point.module}.{CHILD}"
            found.append(InsertionPoint(f"block_{point.name}", path, point.channels, point.stride))
    return tuple(found)


def noise_of_size(images: Tensor, adversarial: Tensor, *, seed: int = 0) -> Tensor:
    """Return the photos with noise of the root mean square of their own perturbation: white, in a random direction.

    Args:
        images: (N, 3, H, W), float, RGB in [0, 1].
        adversarial: same shape and range.
        seed: of the noise, which is the same for all photos of the batch but for its size.

    Returns:
        (N, 3, H, W), in [0, 1]; the clipping takes a little of the size where a photo is black or white.
    """
    sizes = size(adversarial - images, "l2").tolist()
    noisy = [random_point(image[None], eps=eps, norm="l2", seed=seed) for image, eps in zip(images, sizes, strict=True)]
    return torch.cat(noisy)


def middles(photos: Sequence[Tensor]) -> Tensor:
    """Return the middles (N, 3, H, W) of photos (1, 3, h, w), as large as the smallest height and width allow.

    Nothing is scaled, so that a frequency in cycles per pixel stays what it is.

    Example:
        >>> middles([torch.zeros(1, 3, 70, 90), torch.zeros(1, 3, 80, 65)]).shape
        torch.Size([2, 3, 70, 65])
    """
    height, width = (min(photo.shape[axis] for photo in photos) for axis in (2, 3))
    tops = [(photo.shape[2] - height) // 2 for photo in photos]
    lefts = [(photo.shape[3] - width) // 2 for photo in photos]
    return torch.cat(
        [
            photo[:, :, top : top + height, left : left + width]
            for photo, top, left in zip(photos, tops, lefts, strict=True)
        ]
    )
