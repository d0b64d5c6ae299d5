"""Defences that need no training: each wraps a scorer and is a scorer, attacked through the wrapper.

Adding one is a frozen dataclass with a method `wrap` and one line in `DEFENCES`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import Field
from typing import Any, ClassVar, Protocol

from robustiqa_core.checks import check_choice
from robustiqa_core.defences.purified import JPEG, MedianBlur, Purified, Resize
from robustiqa_core.defences.smoothing import MedianSmoothing, Smoothed, max_radius
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.scorer import Scorer


class Defence(Protocol):
    """A frozen dataclass whose fields are the configuration of a defence."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def wrap(self, scorer: Scorer, /) -> Scorer:
        """Return the scorer behind this defence; the scorer itself is neither changed nor copied."""
        ...


DEFENCES: dict[str, type[Defence]] = {
    "jpeg": JPEG,
    "resize": Resize,
    "median_blur": MedianBlur,
    "smoothing": MedianSmoothing,
}


def parse_defence(text: str) -> Defence:
    """Return the defence that a text such as `jpeg:quality=50` or `smoothing:sigma=12/255,samples=31` describes.

    Raises:
        ConfigurationError: unknown name or setting (the valid ones are listed), or a value that cannot be read or is
            out of its range.

    Example:
        >>> parse_defence("jpeg:quality=50")
        JPEG(quality=50)
        >>> parse_defence("jpeg")
        JPEG(quality=75)
    """
    name, _, rest = text.partition(":")
    make: Callable[..., Defence] = DEFENCES[check_choice("a defence", name, DEFENCES)]
    defaults = {field.name: field.default for field in dataclasses.fields(DEFENCES[name])}
    settings = {}
    for pair in filter(None, rest.split(",")):
        key, _, value = pair.partition("=")
        check_choice(f"a setting of {name}", key, defaults)
        settings[key] = _read(f"{name}'s {key}", value, type(defaults[key]))
    return make(**settings)


def spell_defence(defence: Defence) -> str:
    """Return the text that `parse_defence` reads, with every setting.

    Example:
        >>> spell_defence(JPEG(quality=50))
        'jpeg:quality=50'
    """
    name = next(name for name, kind in DEFENCES.items() if type(defence) is kind)
    pairs = (f"{field.name}={getattr(defence, field.name)}" for field in dataclasses.fields(defence))
    return f"{name}:" + ",".join(pairs)


def defend(scorer: Scorer, defences: Sequence[Defence]) -> Scorer:
    """Return the scorer behind several defences; a photo passes the first one first."""
    for defence in reversed(defences):
        scorer = defence.wrap(scorer)
    return scorer


def _read(name: str, text: str, kind: type) -> object:
    """Return the value of a setting from its text, by the type of its default."""
    try:
        if kind is float and "/" in text:
            numerator, _, denominator = text.partition("/")
            return float(numerator) / float(denominator)
        return kind(text)
    except (ValueError, ZeroDivisionError):
        raise ConfigurationError(f"{name} must be of type {kind.__name__}, got {text!r}; correct it") from None


__all__ = [
    "DEFENCES",
    "JPEG",
    "Defence",
    "MedianBlur",
    "MedianSmoothing",
    "Purified",
    "Resize",
    "Smoothed",
    "defend",
    "max_radius",
    "parse_defence",
    "spell_defence",
]
