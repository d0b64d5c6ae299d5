"""Synthetic degradations of photos, each in five levels: what a photo goes through, made to measure.

They are for series in which the score should fall, for photos to learn distortions from, and for nothing that needs a
gradient: codecs have none. A kind is a pure function of photos and a strength; adding one is a function and a line in
`DEGRADATIONS`.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Generator, Tensor

from robustiqa_core.checks import check_count, check_images
from robustiqa_core.images.photo import to_8bit

LEVELS = (1, 2, 3, 4, 5)
"""From hardly noticeable to severe."""

_LUMA = (0.299, 0.587, 0.114)

Apply: TypeAlias = Callable[[Tensor, float, Generator], Tensor]
"""From images (N, 3, H, W), a strength and the source of everything random to images, perhaps beyond [0, 1]."""


@dataclass(frozen=True, slots=True)
class Degradation:
    """One kind of degradation.

    Args:
        title: name for people.
        measure: what the strengths are, with their unit.
        strengths: of the five levels.
        apply: what happens to photos at a strength.

    Example:
        >>> DEGRADATIONS["contrast"](torch.rand(1, 3, 8, 8), 5).std() < 0.05
        tensor(True)
    """

    title: str
    measure: str
    strengths: tuple[float, float, float, float, float]
    apply: Apply

    @torch.no_grad()
    def __call__(self, images: Tensor, level: int, *, seed: int = 0) -> Tensor:
        """Return the photos degraded, on their device and in their dtype; not rounded to 8 bits, save by a codec.

        Each photo is treated on its own: alone and in a batch it comes out the same, so that what is random is also
        the same for all photos of a batch. To learn from, give each photo a seed of its own.

        Args:
            images: (N, 3, H, W), float, RGB in [0, 1].
            level: 1 to 5.
            seed: of what is random in it.

        Raises:
            InputError: not a batch of photos.
            ConfigurationError: another level.
        """
        check_images(images)
        check_count("level", level, high=len(LEVELS))
        generator = torch.Generator().manual_seed(check_count("seed", seed, low=0, high=2**63 - 1))
        return self.apply(images, self.strengths[level - 1], generator).clamp(0.0, 1.0)


def _white(images: Tensor, generator: Generator) -> Tensor:
    """Return normal noise (3, H, W) of deviation 1, drawn on the CPU so that it is the same on every device."""
    return torch.randn(images.shape[1:], generator=generator).to(images)


def _noise(images: Tensor, sigma: float, generator: Generator) -> Tensor:
    """Return images plus white normal noise of deviation `sigma`."""
    return images + sigma * _white(images, generator)


def _luma(images: Tensor) -> Tensor:
    """Return the brightness (..., 1, H, W) of RGB (..., 3, H, W) after ITU-R BT.601, as JPEG has it."""
    return (images * images.new_tensor(_LUMA).view(3, 1, 1)).sum(-3, keepdim=True)


def _filter(images: Tensor, kernel: Tensor) -> Tensor:
    """Return each channel of images filtered with a kernel (h, w) of odd sides, the border pixels repeated."""
    height, width = kernel.shape
    padded = F.pad(images, (width // 2, width // 2, height // 2, height // 2), mode="replicate")
    return F.conv2d(padded, kernel.to(images).expand(3, 1, height, width), groups=3)


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Return images filtered with a Gaussian of deviation `sigma` pixels, cut off after 3 of them."""
    reach = math.ceil(3 * sigma)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma).square())
    weights /= weights.sum()
    return _filter(_filter(images, weights[None, :]), weights[:, None])


def _motion_blur(images: Tensor, length: float, generator: Generator) -> Tensor:
    """Return images smeared evenly along a straight line of `length` pixels, in a random direction."""
    angle = torch.rand((), generator=generator).item() * math.pi
    reach = math.ceil(length / 2)
    kernel = torch.zeros(2 * reach + 1, 2 * reach + 1)
    along = torch.linspace(-length / 2, length / 2, 16 * reach + 1)
    y, x = reach + along * math.sin(angle), reach + along * math.cos(angle)
    # Each point of the line is shared among the four pixels round it.
    for row, rows in ((y.floor(), y.ceil() - y), (y.floor() + 1, y - y.floor())):
        for column, columns in ((x.floor(), x.ceil() - x), (x.floor() + 1, x - x.floor())):
            place = (row.long().clamp(max=2 * reach), column.long().clamp(max=2 * reach))
            kernel.index_put_(place, rows * columns, accumulate=True)
    return _filter(images, kernel / kernel.sum())


def _downscale(images: Tensor, factor: float) -> Tensor:
    """Return images reduced by `factor` a side, with antialiasing, and enlarged again."""
    height, width = images.shape[-2:]
    small = (max(1, round(height / factor)), max(1, round(width / factor)))
    reduced = F.interpolate(images, small, mode="bilinear", antialias=True)
    return F.interpolate(reduced, (height, width), mode="bicubic", align_corners=False)


def _sharpen(images: Tensor, amount: float) -> Tensor:
    """Return images with an unsharp mask: plus `amount` times what a Gaussian of 1.5 pixels takes away."""
    return images + amount * (images - gaussian_blur(images, 1.5))


def _pink_noise(images: Tensor, sigma: float, generator: Generator) -> Tensor:
    """Return images plus noise of deviation `sigma` whose amplitude falls as 1 / frequency, the mean left out."""
    height, width = images.shape[-2:]
    rows, columns = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)
    frequency = (rows.square() + columns.square()).sqrt()
    frequency[0, 0] = math.inf
    white = torch.randn(images.shape[1:], generator=generator)
    pink = torch.fft.irfft2(torch.fft.rfft2(white) / frequency, s=(height, width))
    deviation = pink.square().mean((1, 2), keepdim=True).sqrt().clamp_min(1e-12)
    noise: Tensor = sigma * pink / deviation
    return images + noise.to(images)


def _chroma_noise(images: Tensor, sigma: float, generator: Generator) -> Tensor:
    """Return images plus white noise of deviation `sigma` a channel whose share in the brightness is taken out."""
    noise = _white(images, generator)
    return images + sigma * (noise - _luma(noise))


def _salt_and_pepper(images: Tensor, share: float, generator: Generator) -> Tensor:
    """Return images in which a `share` of the pixels is black or white, half of them each."""
    draw = torch.rand(images.shape[-2:], generator=generator).to(images.device)
    return images.masked_fill(draw < share / 2, 0.0).masked_fill(draw > 1 - share / 2, 1.0)


def _contrast(images: Tensor, share: float) -> Tensor:
    """Return images in which every value keeps a `share` of its distance from the photo's mean brightness."""
    mean = _luma(images).mean((1, 2, 3), keepdim=True)
    return mean + share * (images - mean)


def _expose(images: Tensor, stops: float) -> Tensor:
    """Return images exposed 2^stops times as long, clipped: a factor on the light, of which sRGB is a curve."""
    light = torch.where(images <= 0.04045, images / 12.92, ((images + 0.055) / 1.055) ** 2.4)
    light = (light * 2.0**stops).clamp(max=1.0)
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _posterise(images: Tensor, steps: float) -> Tensor:
    """Return images in which each channel has `steps` values, evenly spread, and each value is the nearest of them."""
    return (images * (steps - 1)).round() / (steps - 1)


def _desaturate(images: Tensor, share: float) -> Tensor:
    """Return images that lost a `share` of their colour and none of their brightness."""
    return torch.lerp(images, _luma(images).expand_as(images), share)


def _by_picture(images: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    """Return images after something that works on one 8-bit picture at a time."""
    pictures = (Image.fromarray(picture) for picture in to_8bit(images).permute(0, 2, 3, 1).cpu().numpy())
    changed = np.stack([np.asarray(change(picture).convert("RGB")) for picture in pictures])
    return (torch.from_numpy(changed).permute(0, 3, 1, 2).float() / 255).to(images)


def _coded(picture: Image.Image, format: str, **options: Any) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return Image.open(buffer)


def _jpeg(images: Tensor, quality: float) -> Tensor:
    """Return images after a JPEG file of libjpeg's `quality`, with halved colour resolution as usual."""
    return _by_picture(images, lambda picture: _coded(picture, "JPEG", quality=int(quality), subsampling="4:2:0"))


def _jpeg2000(images: Tensor, decibel: float) -> Tensor:
    """Return images after a lossy JPEG 2000 file with a PSNR of about `decibel`; its size would depend on the photo."""
    options: dict[str, Any] = {"quality_mode": "dB", "quality_layers": [decibel], "irreversible": True}
    return _by_picture(images, lambda picture: _coded(picture, "JPEG2000", **options))


def _dither(images: Tensor, colours: float) -> Tensor:
    """Return images in the best palette of so many `colours`, the error spread to the neighbours (Floyd-Steinberg)."""

    def change(picture: Image.Image) -> Image.Image:
        palette = picture.quantize(int(colours), Image.Quantize.MEDIANCUT)
        return picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)

    return _by_picture(images, change)


def _fixed(function: Callable[[Tensor, float], Tensor]) -> Apply:
    """Return a function of images and a strength as one that could draw random numbers, too."""
    return lambda images, strength, _: function(images, strength)


_SIGMAS = (0.015, 0.025, 0.04, 0.063, 0.1)

DEGRADATIONS: dict[str, Degradation] = {
    "blur": Degradation("Gaussian blur", "deviation in px", (0.8, 1.25, 2.0, 3.2, 5.0), _fixed(gaussian_blur)),
    "noise": Degradation("White noise", "deviation, of 1", _SIGMAS, _noise),
    "jpeg": Degradation("JPEG", "quality, of 100", (60, 30, 15, 8, 4), _fixed(_jpeg)),
    "contrast": Degradation("Contrast loss", "share that is left", (0.7, 0.5, 0.35, 0.2, 0.1), _fixed(_contrast)),
    "jpeg2000": Degradation("JPEG 2000", "PSNR in dB", (33, 30, 27, 24, 21), _fixed(_jpeg2000)),
    "pink_noise": Degradation("Pink noise", "deviation, of 1", _SIGMAS, _pink_noise),
    "dither": Degradation("Few colours, dithered", "colours", (64, 32, 16, 8, 4), _fixed(_dither)),
    "overexposure": Degradation("Over-exposure", "stops", (0.5, 1.0, 1.5, 2.0, 3.0), _fixed(_expose)),
    "underexposure": Degradation("Under-exposure", "stops", (-1.0, -2.0, -3.0, -4.0, -5.0), _fixed(_expose)),
    "motion_blur": Degradation("Motion blur", "length in px", (3, 6, 12, 24, 48), _motion_blur),
    "downscale": Degradation("Low resolution", "factor a side", (1.5, 2, 3, 5, 8), _fixed(_downscale)),
    "sharpen": Degradation("Over-sharpening", "amount", (0.75, 1.5, 3, 6, 12), _fixed(_sharpen)),
    "chroma_noise": Degradation("Colour noise", "deviation, of 1", _SIGMAS, _chroma_noise),
    "salt_and_pepper": Degradation(
        "Salt and pepper", "share of the pixels", (0.005, 0.02, 0.05, 0.12, 0.3), _salt_and_pepper
    ),
    "posterise": Degradation("Few shades", "values a channel", (16, 10, 6, 4, 2), _fixed(_posterise)),
    "desaturate": Degradation("Colour loss", "share lost", (0.2, 0.4, 0.6, 0.8, 1.0), _fixed(_desaturate)),
}
"""All kinds by name. The first four make the series that is shown; the first nine are those of S-CNN's pretraining
(which has contrast stretching where this has contrast loss), of which it takes over- and under-exposure in two levels.

Source: W. Zhang et al., "Blind Image Quality Assessment Using a Deep Bilinear Convolutional Neural Network", IEEE TCSVT
30(1), 2020, section III-A. The strengths are our own, in about even ratios; those of blur, noise and JPEG end where
KADID-10k ends (H. Lin, V. Hosu, D. Saupe, QoMEX 2019): a Gaussian of 5 px, a variance of 0.01, quality 4. Beyond that
there is little left to judge.
"""
