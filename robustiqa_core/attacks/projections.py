"""Norm balls around photos: size of a perturbation, steepest step, projection, random point. Pure functions.

One unit for both norms, so that a strength such as 4/255 means a comparable change whatever the norm and the size of
the photo:

- `linf`: the largest change of a pixel value;
- `l2`: the root mean square of the changes of all 3 * H * W pixel values, so that the usual Euclidean length is
  eps * sqrt(3 * H * W). The l2 ball contains the linf ball of the same eps and touches it at its corners.

An image gives the same bits alone and in a batch.
"""

import math
from typing import Literal

import torch
from torch import Tensor

Norm = Literal["linf", "l2"]
NORMS: tuple[Norm, ...] = ("linf", "l2")

MAX_SEED = 2**63 - 1
"""Largest seed that a generator takes on every platform."""


def size(perturbation: Tensor, norm: Norm) -> Tensor:
    """Return the size (N,) of each perturbation: max |p| for `linf`, sqrt(mean p^2) for `l2`.

    Args:
        perturbation: (N, 3, H, W), float.
        norm: `linf` or `l2`.

    Example:
        >>> perturbation = torch.full((1, 3, 4, 5), -0.5)
        >>> size(perturbation, "linf"), size(perturbation, "l2")
        (tensor([0.5000]), tensor([0.5000]))
    """
    if norm == "linf":
        return perturbation.abs().amax((1, 2, 3))
    # Row by row: adding millions of squares one after the other in float32 is wrong in the fourth digit.
    rows: Tensor = torch.linalg.vector_norm(perturbation, dim=3)
    length: Tensor = torch.linalg.vector_norm(rows, dim=(1, 2))
    return length / math.sqrt(perturbation[0].numel())


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """Return the perturbation (N, 3, H, W) of size 1 along which a function with this gradient grows most.

    The sign of the gradient for `linf`, the gradient scaled to a root mean square of 1 for `l2`; 0 where the whole
    gradient is 0.

    Args:
        gradient: (N, 3, H, W), float.
        norm: `linf` or `l2`.
    """
    if norm == "linf":
        return gradient.sign()
    # The square of a saturated model's gradient can underflow, hence the division by the largest value first.
    tiny = torch.finfo(gradient.dtype).tiny
    scaled = gradient / _column(size(gradient, "linf").clamp_min(tiny))
    return scaled / _column(size(scaled, "l2").clamp_min(tiny))


def project(adversarial: Tensor, images: Tensor, *, eps: float, norm: Norm) -> Tensor:
    """Return `adversarial` brought into the ball of size `eps` round `images`, and into [0, 1].

    Each value is clipped for `linf`; the perturbation is scaled down for `l2`. The clipping to [0, 1] that follows
    moves values towards those of `images`, so that both bounds hold at the end, up to the rounding of the dtype.
    Points within both come back bit for bit unchanged.

    Args:
        adversarial: (N, 3, H, W), float.
        images: (N, 3, H, W), float, [0, 1], the centres.
        eps: size of the ball, as a fraction of [0, 1].
        norm: `linf` or `l2`.
    """
    if norm == "linf":
        return adversarial.clamp(images - eps, images + eps).clamp_(0.0, 1.0)
    found = size(adversarial - images, "l2")
    # Rounding of pixel values is tolerated: projecting again must change nothing.
    rounding = 2.0 * torch.finfo(found.dtype).eps
    factor = torch.where(found > eps + rounding, eps / found, torch.ones_like(found))
    # lerp with a weight of exactly 1 returns its second argument bit by bit.
    return torch.lerp(images, adversarial, _column(factor)).clamp_(0.0, 1.0)


def random_point(images: Tensor, *, eps: float, norm: Norm, seed: int) -> Tensor:
    """Return points (N, 3, H, W) drawn uniformly from the balls of size `eps` round `images`, clipped to [0, 1].

    All images get the same perturbation before clipping, so that an image's perturbation depends on the seed and
    not on its batch. It is drawn on the CPU: the same on every device. (In the l2 ball of a photo nearly
    all of the volume is at the surface: the mean size is n/(n + 1) * eps with n = 3 * H * W.)

    Args:
        images: (N, 3, H, W), float, [0, 1].
        eps: size of the ball, as a fraction of [0, 1].
        norm: `linf` or `l2`.
        seed: of the random numbers.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    shape = (1, *images.shape[1:])
    if norm == "linf":
        perturbation = 2.0 * torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu").to(images) - 1.0
    else:
        normal = torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu").to(images)
        share = torch.rand(1, generator=generator, dtype=torch.float32, device="cpu").to(images)
        perturbation = steepest(normal, "l2") * _column(share ** (1.0 / normal.numel()))
    return project(images + eps * perturbation, images, eps=eps, norm=norm)


def _column(values: Tensor) -> Tensor:
    """Return values (N,) as (N, 1, 1, 1), to multiply images with."""
    return values.view(-1, 1, 1, 1)
