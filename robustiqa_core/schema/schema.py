"""One schema a recipe: its options, the command that repeats it, its address, its JSON and its key, from its fields.

A recipe is a frozen dataclass. What a field is called and how it is written stands beside it (`setting`); nothing else
has to be changed where a field is added. A field may hold another recipe, whose fields then stand among those of the
outer one on the command line and in an address, and in an object of their own in JSON.
"""

import argparse
import functools
import hashlib
import json
import typing
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Generic, TypeVar, cast

from robustiqa_core.errors import InputError
from robustiqa_core.schema.codecs import Codec, codec_of
from robustiqa_core.schema.setting import Setting, setting_of

R = TypeVar("R")

_KEY_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field of a recipe, or of a recipe within it, that is written by itself.

    Args:
        path: from the recipe to the field, such as `pruning.ratio`.
        codec: how it is written.
        setting: what the field says of itself.
        default: its value in a recipe that says nothing of it; MISSING where there is none.
    """

    path: str
    codec: Codec
    setting: Setting
    default: Any

    @property
    def option(self) -> str:
        """On the command line, with its dashes."""
        return "--" + (self.setting.option or self.path.rpartition(".")[2]).replace("_", "-")

    @property
    def parameter(self) -> str:
        """In an address; empty where an address leaves it out."""
        name = self.setting.parameter
        return self.path.rpartition(".")[2] if name is None else name

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Add the option; texts are read later, all in one way, and what is not given is None."""
        if self.codec.json is bool:
            parser.add_argument(
                self.option, dest=self.path, action=argparse.BooleanOptionalAction, default=None, help=self.setting.help
            )
            return
        choices = f"{{{','.join(self.codec.choices)}}}" if self.codec.choices else None
        metavar = self.setting.metavar or choices or self.option.strip("-").replace("-", "_").upper()
        told = self.setting.help
        if self.setting.usually or self.default not in (MISSING, None):
            told += f" (default: {self.setting.usually or self.codec.spell(self.default)})"
        parser.add_argument(self.option, dest=self.path, metavar=metavar, help=told.strip().replace("%", "%%"))

    def given(self, arguments: argparse.Namespace) -> Any:
        """Return the value that the command line gives, or MISSING."""
        told = getattr(arguments, self.path, None)
        if isinstance(told, str):
            return self.codec.parse(told, place=self.option)
        return MISSING if told is None else told

    def words(self, value: Any) -> list[str]:
        """Return the words of the command line that give a value; none for a default that stands for nothing.

        Other defaults are spelled as well: a later version may have others.
        """
        if value == self.default and (value is None or value is False):
            return []
        if isinstance(value, bool):
            return [self.option if value else self.option.replace("--", "--no-", 1)]
        text = self.codec.spell(value)
        # A word of its own would be taken for an option, such as -1e-05.
        return [f"{self.option}={text}"] if text.startswith("-") else [self.option, text]


class Schema(Generic[R]):
    """How the recipes of one kind are written.

    Args:
        kind: a frozen dataclass.
        noun: what a recipe is called in errors, such as `a hardening recipe`.
    """

    def __init__(self, kind: type[R], noun: str) -> None:
        self.kind, self.noun = kind, noun
        self.leaves = tuple(_leaves(kind))

    def add_options(self, parser: argparse.ArgumentParser, *, skip: Collection[str] = ()) -> None:
        """Add an option for each value, but for those of paths that the command asks for in another way."""
        for leaf in self.leaves:
            if leaf.path not in skip:
                leaf.add_to(parser)

    def given(self, arguments: argparse.Namespace) -> dict[str, Any]:
        """Return the values that the command line gives, by path.

        Raises:
            ConfigurationError: a text stands for no value.
        """
        found = {leaf.path: leaf.given(arguments) for leaf in self.leaves}
        return {path: value for path, value in found.items() if value is not MISSING}

    def words(self, recipe: R, *, skip: Collection[str] = ()) -> list[str]:
        """Return the words of the command line that give this recipe again, without those of skipped paths."""
        return [word for leaf, value in self.values(recipe) if leaf.path not in skip for word in leaf.words(value)]

    def address(self, recipe: R, usual: R) -> dict[str, str]:
        """Return the query parameters that make this recipe of the usual one."""
        before = {leaf.path: value for leaf, value in self.values(usual)}
        return {
            leaf.parameter: leaf.codec.spell(value)
            for leaf, value in self.values(recipe)
            if leaf.parameter and (leaf.setting.shown or value != before.get(leaf.path, leaf.default))
        }

    def named(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Return the values that an address gives, by path; parameters of other things are passed over.

        Raises:
            ConfigurationError: a text stands for no value.
        """
        return {
            leaf.path: leaf.codec.parse(parameters[leaf.parameter], place=leaf.parameter)
            for leaf in self.leaves
            if leaf.parameter and leaf.parameter in parameters
        }

    def build(self, given: Mapping[str, Any], base: R | None = None) -> R:
        """Return a recipe of given values.

        Args:
            given: by path.
            base: gives the values that are not given; without it, the defaults do.

        Raises:
            InputError: a value that has no default is not given.
            ConfigurationError: a value is out of its range, as the recipe says.
        """
        return cast(R, _build(self.kind, given, base, self.noun))

    def values(self, recipe: R) -> Iterator[tuple[Leaf, Any]]:
        """Yield every leaf with its value; those of a part that is not there are left out."""
        for leaf in self.leaves:
            *parts, name = leaf.path.split(".")
            holder: Any = recipe
            for part in parts:
                holder = None if holder is None else getattr(holder, part)
            if holder is not None:
                yield leaf, getattr(holder, name)

    def to_json(self, recipe: R) -> dict[str, Any]:
        """Return the recipe as a JSON object, which `from_json` reads."""
        return _to_json(recipe)

    def from_json(self, value: object, *, place: str) -> R:
        """Return the recipe from a JSON object.

        Args:
            value: as `to_json` makes it; what is missing has its default.
            place: where it came from, for the error.

        Raises:
            InputError: a key is unknown or missing, or a value of the wrong kind.
            ConfigurationError: a value is out of its range.
        """
        return cast(R, _from_json(self.kind, value, f"{self.noun} in {place}"))

    def key(self, recipe: R) -> str:
        """Return a name for the recipe: the first 16 digits of the SHA-256 of its canonical JSON."""
        text = json.dumps(self.to_json(recipe), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]


_SCHEMAS: dict[type, Schema[Any]] = {}


def schema_of(kind: type[R], noun: str) -> Schema[R]:
    """Return the schema of a kind of recipes, made once; arguments as in `Schema`."""
    if kind not in _SCHEMAS:
        _SCHEMAS[kind] = Schema(kind, noun)
    return cast(Schema[R], _SCHEMAS[kind])


@dataclass(frozen=True, slots=True)
class _Known:
    """A field: its name, its default, what it says of itself, and either the recipe that it holds or its codec."""

    name: str
    default: Any
    setting: Setting
    inner: Any
    optional: bool
    codec: Codec | None


@functools.cache
def _fields(kind: Any) -> tuple[_Known, ...]:
    hints = typing.get_type_hints(kind)
    return tuple(_known(field, hints[field.name]) for field in fields(kind))


def _known(field: Any, hint: Any) -> _Known:
    how = setting_of(field)
    default = field.default if field.default_factory is MISSING else field.default_factory()
    parts = typing.get_args(hint) or (hint,)
    inner = next(filter(is_dataclass, parts), None) if how.codec is None else None
    return _Known(field.name, default, how, inner, type(None) in parts, None if inner else codec_of(hint, how.codec))


def _leaves(kind: Any, path: str = "") -> Iterator[Leaf]:
    for known in _fields(kind):
        if known.codec is None:
            yield from _leaves(known.inner, f"{path}{known.name}.")
        else:
            yield Leaf(f"{path}{known.name}", known.codec, known.setting, known.default)


def _build(kind: Any, given: Mapping[str, Any], base: Any, noun: str, path: str = "") -> Any:
    values: dict[str, Any] = {}
    for known in _fields(kind):
        here = f"{path}{known.name}"
        before = known.default if base is None else getattr(base, known.name)
        if here in given:
            values[known.name] = given[here]
        elif known.setting.needs is not None and values.get(known.setting.needs) is None:
            values[known.name] = None
        elif known.inner is not None:
            values[known.name] = _build(known.inner, given, None if before is MISSING else before, noun, f"{here}.")
        elif before is MISSING:
            raise InputError(f"expected {here} of {noun}, got none; give it")
        else:
            values[known.name] = before
    return kind(**values)


def _to_json(recipe: Any) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for known in _fields(cast(Any, type(recipe))):
        held = getattr(recipe, known.name)
        if known.setting.later and held == known.default:
            continue
        if known.codec is not None:
            value[known.name] = known.codec.to_json(held)
        else:
            value[known.name] = None if held is None else _to_json(held)
    return value


def _from_json(kind: Any, value: object, place: str) -> Any:
    if not isinstance(value, Mapping):
        raise InputError(f"expected {place} as a JSON object, got {type(value).__name__}; restore it")
    names = [known.name for known in _fields(kind)]
    if unknown := sorted(map(str, set(value) - set(names))):
        raise InputError(f"expected {place} with {', '.join(names)}, got {', '.join(unknown)} as well; restore it")
    given = {}
    for known in _fields(kind):
        there = f"{known.name} of {place}"
        if known.name in value:
            given[known.name] = _value_from_json(known, value[known.name], there)
        elif known.default is MISSING:
            raise InputError(f"expected {there}, got none; restore it")
    return kind(**given)


def _value_from_json(known: _Known, value: object, there: str) -> Any:
    if known.codec is None:
        return None if value is None and known.optional else _from_json(known.inner, value, there)
    try:
        return known.codec.from_json(value, place=there)
    except TypeError as error:
        raise InputError(f"expected {there} to be {known.codec.wanted}, got {value!r:.60}; restore it") from error
