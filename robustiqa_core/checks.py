"""The one validator of each kind of input. Each returns what it was given, or raises."""

import dataclasses
import math
import numbers
from collections.abc import Collection, Iterable
from typing import Any, Self, TypeVar, cast

import torch
from torch import Tensor

from robustiqa_core.errors import ConfigurationError, InputError, UnknownSettingError
from robustiqa_core.names import did_you_mean

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


def _check_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ConfigurationError(f"{name} must be a number such as 4 / 255, got {value!r}; give a number")


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
    _check_number(name, value)
    if not math.isfinite(value) or value > 1.0 or value < 0.0 or (value == 0.0 and not zero):
        interval = "[0, 1]" if zero else "(0, 1]"
        hint = f"; did you mean {value:g}/255?" if math.isfinite(value) and 1.0 < value <= 255.0 else "; change it"
        raise ConfigurationError(
            f"{name} is a fraction of the [0, 1] range and must be in {interval}, got {value:g}{hint}"
        )
    return value


def check_positive(name: str, value: float) -> float:
    """Return `value` if it is finite and above zero, else raise ConfigurationError."""
    _check_number(name, value)
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
        raise ConfigurationError(
            f"{name} must be one of {', '.join(choices)}, got {value!r}; {did_you_mean(value, choices)}"
        )
    return value


def check_keywords(owner: str, given: Iterable[str], known: Collection[str]) -> None:
    """Raise UnknownSettingError if one of the keyword arguments given to `owner` is none that it has."""
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known, "leave it out")
            raise UnknownSettingError(f"{owner} takes {', '.join(known)}, got {name}; {hint}")


class Configuration:
    """Base of the frozen dataclasses that people fill in by hand: a misspelt setting is told what it may have been.

    Example:
        >>> @dataclasses.dataclass(frozen=True, slots=True)
        ... class Recipe(Configuration):
        ...     steps: int = 10
        >>> Recipe(iterations=20)
        Traceback (most recent call last):
        ...
        robustiqa_core.errors.UnknownSettingError: Recipe takes steps, got iterations; did you mean steps?
    """

    __slots__ = ()

    def __new__(cls, *values: object, **settings: object) -> Self:
        """Reject an unknown setting; everything else is left to the dataclass."""
        check_keywords(cls.__name__, settings, [field.name for field in dataclasses.fields(cast(Any, cls))])
        return super().__new__(cls)
