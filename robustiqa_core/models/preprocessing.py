"""Preprocessing of photos of any size for a trunk; differentiable, so that attacks pass through it."""

import torch.nn.functional as F
from torch import Tensor, nn

from robustiqa_core.checks import MIN_SIDE, check_count, check_images
from robustiqa_core.models.backbones import Triple


def fitted_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Return (height, width) scaled down so that the shorter side has `short_side` pixels; never scaled up.

    Example:
        >>> fitted_size(768, 1024, 384), fitted_size(299, 299, 384)
        ((384, 512), (299, 299))
    """
    shorter = min(height, width)
    if shorter <= short_side:
        return height, width
    return round(height * short_side / shorter), round(width * short_side / shorter)


def fit(images: Tensor, short_side: int) -> Tensor:
    """Return images (N, C, h, w) whose shorter side has at most `short_side` pixels, the aspect kept.

    Bilinear with antialiasing; images that are small enough pass unchanged, since enlarging adds blur, which a
    quality model would punish.
    """
    height, width = images.shape[-2:]
    size = fitted_size(height, width, short_side)
    if size == (height, width):
        return images
    return F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)


def check_model_input(images: Tensor) -> Tensor:
    """Return `images` if a model can score them, else raise InputError.

    The values are checked on a CPU, where that is free. On a GPU it would stall every step of an attack; there the
    attack checks once at its start.
    """
    return check_images(images, min_side=MIN_SIDE, values=images.device.type == "cpu")


def normalise(images: Tensor, mean: Triple, deviation: Triple) -> Tensor:
    """Return images (N, 3, H, W) less `mean`, divided by `deviation`, channel by channel."""
    return (images - images.new_tensor(mean).view(3, 1, 1)) / images.new_tensor(deviation).view(3, 1, 1)


class Preprocessing(nn.Module):
    """Checks a batch of photos, fits its size and normalises its values."""

    def __init__(self, mean: Triple, deviation: Triple, short_side: int) -> None:
        super().__init__()
        self.short_side = check_count("short_side", short_side, low=MIN_SIDE, high=4096)
        # Plain numbers and no buffers, so that a network made on the meta device needs its weights and nothing else.
        self.mean, self.deviation = mean, deviation

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 3, h, w), normalised, from images (N, 3, H, W) in [0, 1] of at least 64 pixels a side."""
        return normalise(fit(check_model_input(images), self.short_side), self.mean, self.deviation)

    def extra_repr(self) -> str:
        """Return the size for the printed model."""
        return f"short_side={self.short_side}"
