"""How a value of each type is written: as text, for options and addresses, and in JSON."""

import types
import typing
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Literal, Union

from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError

NONE = "none"
"""The text of a value that is not there."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How values of one type are read and written.

    Args:
        read: a value from its text; raises ValueError or KeyError where the text stands for none.
        write: the inverse of `read`.
        wanted: what `read` takes, for errors.
        json: the type that a value has in JSON; where it is str, that is the value's text.
        choices: all texts that can be read, where they are few; it may still grow, as a registry does.
        optional: whether a value may be None.
    """

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    wanted: str
    json: type = str
    choices: Collection[str] = ()
    optional: bool = False

    def parse(self, text: str, *, place: str) -> Any:
        """Return the value that a text stands for.

        Args:
            text: as people write it.
            place: what the reader of an error knows the setting as, such as `--step-size`.

        Raises:
            ConfigurationError: it stands for none.
        """
        return None if self.optional and text == NONE else self._read(text, place)

    def spell(self, value: Any) -> str:
        """Return the text that `parse` reads."""
        return NONE if value is None else self.write(value)

    def from_json(self, value: Any, *, place: str) -> Any:
        """Return the value that a JSON value stands for.

        Raises:
            TypeError: it is of another type.
            ConfigurationError: it is a text that stands for none.
        """
        if self.optional and value is None:
            return None
        held = _exactly(self.json, value)
        return self._read(held, place) if self.json is str else held

    def to_json(self, value: Any) -> Any:
        """Return the JSON value that `from_json` reads."""
        return self.write(value) if self.json is str and value is not None else value

    def _read(self, text: str, place: str) -> Any:
        if self.choices:
            check_choice(place, text, self.choices)
        try:
            return self.read(text)
        except (ValueError, KeyError) as error:
            # Of these, one says more than can be said here.
            if isinstance(error, ConfigurationError):
                raise
            raise ConfigurationError(f"{place} must be {self.wanted}, got {text[:60]!r}; correct it") from None


def _exactly(kind: type, value: Any) -> Any:
    """Return `value` if it is of this type, or a whole number where a float is wanted; a flag is no number."""
    if isinstance(value, bool) is not (kind is bool) or not isinstance(value, (int, float) if kind is float else kind):
        raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
    return kind(value)


def _short(value: float) -> str:
    """Return a number in the fewest digits that give it again: 0, not 0.0."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


SHORT_NUMBER = Codec(float, _short, "a number such as 0.5", float)
_BASIC: dict[Any, Codec] = {
    int: Codec(int, str, "a whole number such as 10", int),
    float: Codec(float, str, "a number such as 0.5", float),
    bool: Codec({"yes": True, "no": False}.__getitem__, lambda value: "yes" if value else "no", "yes or no", bool),
    str: Codec(str, str, "a text"),
}


def choice(names: Collection[str]) -> Codec:
    """Return the codec of one of a few names."""
    return Codec(str, str, "one of the known names", choices=names)


def as_text(read: Callable[[str], Any], write: Callable[[Any], str], wanted: str) -> Codec:
    """Return the codec of values that are one text in JSON as well; arguments as in `Codec`."""
    return Codec(read, write, wanted)


def codec_of(kind: Any, one: Codec | None = None) -> Codec:
    """Return how values of a type are written.

    Args:
        kind: int, float, str, bool, a Literal of texts, or any of them or None.
        one: how a value is written where the type alone does not say it.

    Raises:
        TypeError: there is no way to write values of this type; a mistake of whoever wrote the recipe.

    Example:
        >>> codec_of(int | None).parse("none", place="--grid") is None
        True
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType) and type(None) in arguments and len(arguments) == 2:
        return replace(codec_of(next(part for part in arguments if part is not type(None)), one), optional=True)
    if one is not None:
        return one
    if origin is Literal:
        return choice(arguments)
    if kind not in _BASIC:
        raise TypeError(f"expected a type that can be written as text, got {kind}; give the setting a codec")
    return _BASIC[kind]
