"""The one validator of each kind of input. Each returns what it was given, or raises."""

import math
from collections.abc import Collection
from typing import TypeVar

import torch
from torch import Tensor

from robustiqa_core.errors import ConfigurationError, InputError

MIN_SIDE = 64
"""Smallest height or width in pixels that the models accept."""

Name = TypeVar("Name", bound=str)


def check_images(images: Tensor, *, min_side: int = 1, values: bool = True) -> Tensor:
    """Return `images` if it is a batch of photos, else raise.

    The values are not read on the `meta` device, where there are none.

    Args:
        images: (N, 3, H, W), floating point, RGB in [0, 1].
        min_side: smallest height and width in pixels.
        values: whether to read the values and check their range; on a GPU that waits for all work before it.

    Raises:
        InputError: wrong type, shape, size or range.
    """
    expected = "a float tensor (N, 3, H, W), RGB in [0, 1]"
    if not isinstance(images, Tensor):
        raise InputError(f"expected {expected}, got {type(images).__name__}; decode it with images.decode_image first")
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[0] == 0:
        raise InputError(f"expected {expected}, got shape {tuple(images.shape)}; add the batch axis or convert to RGB")
    if not images.is_floating_point():
        raise InputError(f"expected {expected}, got {images.dtype}; divide 8-bit values by 255")
    if min(images.shape[-2:]) < min_side:
        height, width = images.shape[-2:]
        raise InputError(
            f"expected an image of at least {min_side} x {min_side} px, got {width} x {height}; use a larger photo"
        )
    if images.is_meta or not values:
        return images
    low, high = (value.item() for value in torch.aminmax(images.detach()))
    # Written so that NaN, which compares false with everything, is refused as well.
    if not (low >= 0.0 and high <= 1.0):
        raise InputError(f"expected {expected}, got values from {low:.4g} to {high:.4g}; divide 8-bit values by 255")
    return images


def check_fraction(name: str, value: float, *, zero: bool = False) -> float:
    """Return `value` if it lies in (0, 1] (or [0, 1] with `zero`), else raise.

    Example:
        >>> check_fraction("eps", 8 / 255) == 8 / 255
        True
        >>> check_fraction("eps", 8)
        Traceback (most recent call last):
        ...
        robustiqa_core.errors.ConfigurationError: eps is a fraction of the [0, 1] range and must be in (0, 1], \
got 8; did you mean 8/255?
    """
    if not math.isfinite(value) or value > 1.0 or value < 0.0 or (value == 0.0 and not zero):
        interval = "[0, 1]" if zero else "(0, 1]"
        hint = f"; did you mean {value:g}/255?" if math.isfinite(value) and 1.0 < value <= 255.0 else "; change it"
        raise ConfigurationError(
            f"{name} is a fraction of the [0, 1] range and must be in {interval}, got {value:g}{hint}"
        )
    return value


def check_positive(name: str, value: float) -> float:
    """Return `value` if it is finite and above zero, else raise ConfigurationError."""
    if not math.isfinite(value) or value <= 0.0:
        raise ConfigurationError(f"{name} must be a finite number above 0, got {value:g}; change it")
    return value


def check_count(name: str, value: int, *, low: int = 1, high: int = 1_000_000) -> int:
    """Return `value` if it is a whole number in [low, high], else raise ConfigurationError."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigurationError(f"{name} must be a whole number from {low} to {high}, got {value!r}; change it")
    return value


def check_flag(name: str, value: bool) -> bool:
    """Return `value` if it is True or False and no other number, else raise ConfigurationError."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, got {value!r}; change it")
    return value


def check_choice(name: str, value: Name, choices: Collection[str]) -> Name:
    """Return `value` if it is one of `choices`, else raise ConfigurationError that lists them."""
    if value not in choices:
        raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, got {value!r}; choose one of these")
    return value
