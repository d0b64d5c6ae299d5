"""Structural similarity: its window, local statistics, and SSIM along a ray, which the figure and the attacks share.

Source: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity",
IEEE TIP 13(4), 2004, section III.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SSIM_WINDOW = 11
"""Side in pixels of the Gaussian window of SSIM, and so the smallest side of an image that has one."""
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
"""The constants of the luminance and of the structure, for values in [0, 1]."""
_SIGMA = 1.5


def gaussian_mean(images: Tensor) -> Tensor:
    """Return the weighted mean under the Gaussian window at each place where the window lies inside the image.

    Args:
        images: (N, C, H, W), float.

    Returns:
        (N, C, H - 10, W - 10). Along an axis of less than 11 pixels the window is cut to the largest odd number.
    """
    # Shifted sums, columns then rows: several times faster in float64 than torch's convolution.
    for axis in (-2, -1):
        radius = min(SSIM_WINDOW // 2, (images.shape[axis] - 1) // 2)
        weights = [math.exp(-(offset**2) / (2 * _SIGMA**2)) for offset in range(-radius, radius + 1)]
        length = images.shape[axis] - 2 * radius
        blurred = torch.zeros_like(images.narrow(axis, 0, length))
        for start, weight in enumerate(weights):
            blurred = torch.add(blurred, images.narrow(axis, start, length), alpha=weight / sum(weights))
        images = blurred
    return images


def smoothed(images: Tensor) -> Tensor:
    """Return `gaussian_mean` of images (N, C, H, W) in their own size: the border is repeated outwards."""
    return gaussian_mean(F.pad(images, (SSIM_WINDOW // 2,) * 4, mode="replicate"))


def local_variance(images: Tensor) -> Tensor:
    """Return the variance of images (N, C, H, W) under the Gaussian window round each pixel, in the same size."""
    return (smoothed(images.square()) - smoothed(images).square()).clamp_min(0.0)


class Ray:
    """SSIM between photos and the points of a ray that starts at them; a point costs no filtering.

    With means m, variances v and covariances c under the window, of the photo x and of the perturbation p, the two
    factors of SSIM at x + t p are

        1 - t^2 m_p^2 / (2 m_x^2 + C1 + 2 t m_x m_p + t^2 m_p^2)  and  1 - t^2 v_p / (2 v_x + C2 + 2 t c + t^2 v_p),

    which are the usual ones, less their rounding. The mean is taken over places and channels.
    """

    def __init__(self, images: Tensor, perturbations: Tensor) -> None:
        """Compute the local statistics.

        Args:
            images: (N, 3, H, W), float, [0, 1]; float64 where the fifth digit counts.
            perturbations: (N, 3, H, W), of the same dtype.
        """
        mean, change = gaussian_mean(images), gaussian_mean(perturbations)
        variance = gaussian_mean(images * images) - mean.square()
        covariance = gaussian_mean(images * perturbations) - mean * change
        varied = gaussian_mean(perturbations * perturbations) - change.square()
        self.luminance = (2.0 * mean.square() + SSIM_C1, 2.0 * mean * change, change.square())
        self.structure = (2.0 * variance + SSIM_C2, 2.0 * covariance, varied)

    def at(self, shares: Tensor) -> Tensor:
        """Return SSIM (N,) of `images + shares * perturbations` against `images`, for shares (N,)."""
        share = shares.view(-1, 1, 1, 1)
        luminance, structure = 1.0 - _lost(*self.luminance, share), 1.0 - _lost(*self.structure, share)
        return (luminance * structure).mean((1, 2, 3))


def _lost(photo: Tensor, mixed: Tensor, change: Tensor, share: Tensor) -> Tensor:
    """Return what a factor of SSIM falls short of 1 at this share of the perturbation."""
    changed = share.square() * change
    return changed / torch.addcmul(photo, share, mixed).add_(changed)


def in_float64(images: Tensor) -> Tensor:
    """Return images in float64, on the CPU where their device has none."""
    return (images.cpu() if images.device.type == "mps" else images).double()
