"""How far an adversarial image is from its clean one. All are computed in float64 and return float32."""

import torch
from torch import Tensor

from robustiqa_core.checks import check_images
from robustiqa_core.errors import InputError
from robustiqa_core.metrics.ssim import SSIM_WINDOW, Ray, in_float64

HAARPSI_SIDE = 16
"""Smallest side in pixels of an image that has a HaarPSI: its widest filter."""


def linf(images: Tensor, adversarial: Tensor) -> Tensor:
    """Return the largest change of a value, max |adversarial - images|, of each image; 0 is equal, 1 the most.

    Args:
        images: (N, 3, H, W), float, RGB in [0, 1].
        adversarial: same shape and range.

    Returns:
        (N,), float32, as a fraction of the [0, 1] range.

    Raises:
        InputError: not two batches of RGB images of one shape in [0, 1].

    Example:
        >>> linf(torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.25))
        tensor([0.2500, 0.2500])
    """
    return _perturbation(images, adversarial).abs().amax(dim=(1, 2, 3)).to(images.device, torch.float32)


def l2(images: Tensor, adversarial: Tensor) -> Tensor:
    """Return the Euclidean length of the change, sqrt(sum (adversarial - images)^2), over all pixels and channels.

    Args:
        images: (N, 3, H, W), float, RGB in [0, 1].
        adversarial: same shape and range.

    Returns:
        (N,), float32, 0 for equal images; grows with the number of pixels, up to sqrt(3 H W).

    Raises:
        InputError: not two batches of RGB images of one shape in [0, 1].
    """
    squares = _perturbation(images, adversarial).square().sum(dim=(1, 2, 3))
    return squares.sqrt().to(images.device, torch.float32)


def psnr(images: Tensor, adversarial: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio, 10 log10(1 / MSE), the mean taken over all pixels and channels.

    Args:
        images: (N, 3, H, W), float, RGB in [0, 1].
        adversarial: same shape and range.

    Returns:
        (N,), float32, in dB; larger is closer, infinite for equal images.

    Raises:
        InputError: not two batches of RGB images of one shape in [0, 1].

    Example:
        >>> psnr(torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.1))
        tensor([20.])
    """
    errors = _perturbation(images, adversarial).square().mean(dim=(1, 2, 3))
    return errors.log10().mul(-10.0).to(images.device, torch.float32)


def ssim(images: Tensor, adversarial: Tensor) -> Tensor:
    """Return the structural similarity of each pair of images.

    Per pixel and channel, with means m, variances v and covariance c under a Gaussian window (11 x 11, sigma 1.5):
    (2 m_x m_y + C1)(2 c + C2) / ((m_x^2 + m_y^2 + C1)(v_x + v_y + C2)), C1 = 0.01^2, C2 = 0.03^2; then the mean over
    the places where the whole window lies inside the image, and over the three channels.

    Args:
        images: (N, 3, H, W), float, RGB in [0, 1]; H and W at least 11.
        adversarial: same shape and range.

    Returns:
        (N,), float32, in [-1, 1]; 1 for equal images.

    Raises:
        InputError: not two batches of RGB images of one shape in [0, 1], or a side is below 11 px.

    Source:
        Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
        similarity", IEEE TIP 13(4), 2004, section III. The paper rates grey images; here the mean over R, G and B
        is taken, so that a change of colour alone counts as well. The authors' program first reduces large images;
        this does not.
    """
    x, y = _checked_pair(images, adversarial)
    height, width = x.shape[-2:]
    if min(height, width) < SSIM_WINDOW:
        raise InputError(
            f"SSIM needs images of at least {SSIM_WINDOW} px on each side, got {width} x {height}; use a larger photo"
        )
    return Ray(x, y - x).at(x.new_ones(len(x))).to(images.device, torch.float32)


def haarpsi(images: Tensor, adversarial: Tensor) -> Tensor:
    """Return the Haar wavelet-based perceptual similarity of each pair of images.

    Fine, middle and coarse edges are compared as people weigh them, and the two colour channels of YIQ. So it sees a
    change of colour that leaves the brightness as it is, to which GMSD and VIF are blind, and it needs no trained
    network, which an attack could fool as well.

    Args:
        images: (N, 3, H, W), float, RGB in [0, 1]; H and W at least 16.
        adversarial: same shape and range.

    Returns:
        (N,), float32, in [0, 1]; 1 for equal images.

    Raises:
        InputError: not two batches of RGB images of one shape in [0, 1], or a side is below 16 px.

    Source:
        Reisenhofer, Bosse, Kutyniok and Wiegand, "A Haar wavelet-based perceptual similarity index for image quality
        assessment", Signal Processing: Image Communication 61, 2018; computed by piq.
    """
    # Imported here, since piq imports all of torchvision, which takes a second that other imports are spared.
    import piq

    x, y = _checked_pair(images, adversarial)
    height, width = x.shape[-2:]
    if min(height, width) < HAARPSI_SIDE:
        raise InputError(
            f"HaarPSI needs images of at least {HAARPSI_SIDE} px on each side, got {width} x {height}; "
            "use a larger photo"
        )
    similarity: Tensor = piq.haarpsi(x, y, reduction="none", data_range=1.0)
    return similarity.to(images.device, torch.float32)


def _checked_pair(images: Tensor, adversarial: Tensor) -> tuple[Tensor, Tensor]:
    """Return both batches in float64 (on the CPU where the device lacks it), or raise."""
    check_images(images)
    check_images(adversarial)
    if images.shape != adversarial.shape:
        raise InputError(
            f"expected clean and adversarial images of one shape, got {tuple(images.shape)} and "
            f"{tuple(adversarial.shape)}; compare each image with its own clean one"
        )
    return in_float64(images), in_float64(adversarial)


def _perturbation(images: Tensor, adversarial: Tensor) -> Tensor:
    """Return adversarial - images in float64, or raise if they cannot be compared."""
    clean, changed = _checked_pair(images, adversarial)
    return changed - clean
