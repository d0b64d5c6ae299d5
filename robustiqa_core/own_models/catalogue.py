"""What must be known of a model of the user's own, and the file that lists such models."""

import math
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path, PurePath
from typing import Any

from robustiqa_core.checks import check_count, check_positive
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.files import is_file, read_text
from robustiqa_core.models import ARCHITECTURES
from robustiqa_core.models.backbones import Triple
from robustiqa_core.models.card import ModelCard, Training, UnusableModel
from robustiqa_core.scorer import ScoreRange

MODELS_VARIABLE = "ROBUSTIQA_MODELS"
"""Environment variable that names the TOML file of the user's own models."""
OWN = "own"
"""The variant of all models that are not from a checkpoint with a card."""

# Below that there is nothing to judge, and no network that is made for it.
_MIN_SIZE = 16
_LARGEST = 10**30
_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class OwnModel:
    """A model of the user's own.

    Args:
        name: short name, of small letters, digits and underscores; no architecture has it.
        source: `module:callable`, `file.py:callable`, or the file of a TorchScript or exported program.
        unit: what a score is, with its scale, for people.
        score_range: of the network's output on clean photos, as it comes; None to ask the network for its own, or to
            measure it on the sample photos.
        higher_is_better: whether a larger output means a better photo; if not, the score is the output's negative.
        size: what a photo is resized to before it goes in: its shorter side where that is longer (a whole number), or
            exactly (height, width); None where the network takes photos of any size.
        mean: what is subtracted from RGB in [0, 1] before it goes in.
        deviation: divisor of the difference.

    Raises:
        ConfigurationError: a value is of the wrong kind or out of its range.
    """

    name: str
    source: str
    unit: str = "score of a model of your own"
    score_range: ScoreRange | None = None
    higher_is_better: bool = True
    size: int | tuple[int, int] | None = None
    mean: Triple = (0.0, 0.0, 0.0)
    deviation: Triple = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in ARCHITECTURES:
            raise ConfigurationError(
                f"an own model needs a name of lower-case letters, digits and underscores that is not one of "
                f"{', '.join(ARCHITECTURES)}; got {self.name!r}; choose another one"
            )
        for field in ("source", "unit"):
            if not isinstance(getattr(self, field), str) or not getattr(self, field):
                raise ConfigurationError(f"{self.name}: {field} must be a non-empty string; correct it")
        if not isinstance(self.higher_is_better, bool):
            raise ConfigurationError(
                f"{self.name}: higher_is_better must be true or false, got {self.higher_is_better!r}; correct it"
            )
        sides = self.size if isinstance(self.size, tuple) else () if self.size is None else (self.size,)
        for side in sides:
            check_count(f"{self.name}: size", side, low=_MIN_SIZE, high=4096)
        for mean, deviation in zip(self.mean, self.deviation, strict=True):
            check_positive(f"{self.name}: deviation", deviation)
            if not math.isfinite(mean):
                raise ConfigurationError(f"{self.name}: mean must be finite numbers, got {mean:g}; correct it")

    def signed(self, score_range: ScoreRange) -> ScoreRange:
        """Return the range of the scores from that of the network's output, which is kept or negated."""
        return score_range if self.higher_is_better else ScoreRange(-score_range.high, -score_range.low)

    def card(self, score_range: ScoreRange, sha256: str = "") -> ModelCard:
        """Return what the app shows of the model, given the range of its scores and a digest of what it is."""
        return ModelCard(
            model=self.name,
            variant=OWN,
            settings={},
            score_range=score_range,
            score_unit=self.unit if self.higher_is_better else f"{self.unit}, negated so that larger is better",
            training=Training("photos that its maker knows", 0, self.source, "not known here", 0.0, {}),
            measurements=(),
            sha256=sha256,
            licence="its maker's",
            limits="A model of your own: its agreement with people was not measured here.",
            versions={},
        )


def from_source(source: str) -> OwnModel:
    """Return a model that is known by its source alone, such as one that was named on the command line.

    Example:
        >>> from_source("nets/My-Net.pt2").name, from_source("my.nets:make_scorer").name
        ('my_net', 'make_scorer')
    """
    place = PurePath(source.replace("\\", "/")).name
    name = place.rpartition(":")[2] if ":" in place else PurePath(place).stem
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "model"
    return OwnModel(f"my_{plain}" if plain in ARCHITECTURES else plain, source)


def list_own_models(path: Path | None = None) -> tuple[OwnModel, ...]:
    """Return the models that a TOML file lists, none where no file is named.

    Args:
        path: the file; without it the one that ROBUSTIQA_MODELS names.

    Raises:
        InputError: the file is not there or no TOML.
        ConfigurationError: a model in it is not what it should be.
    """
    return tuple(_read_model(name, table, place) for name, table, place in _tables(path))


def usable_models(path: Path | None = None) -> tuple[tuple[OwnModel, ...], tuple[UnusableModel, ...]]:
    """Return the models that a TOML file lists as they should be, and those that are not; see `list_own_models`.

    Raises:
        InputError: the file is not there or no TOML.
    """
    good: list[OwnModel] = []
    bad: list[UnusableModel] = []
    for name, table, place in _tables(path):
        try:
            good.append(_read_model(name, table, place))
        except ConfigurationError as error:
            bad.append(UnusableModel(name, str(error)))
    return tuple(good), tuple(bad)


def listed_model(name: str) -> OwnModel | None:
    """Return the model of that name in the file that ROBUSTIQA_MODELS names; None if there is none.

    Raises:
        InputError: the file is not there or no TOML.
        ConfigurationError: the model is not what it should be; others are not looked at.
    """
    tables = {known: (table, place) for known, table, place in _tables(None)}
    return _read_model(name, *tables[name]) if name in tables else None


def _tables(path: Path | None) -> Iterator[tuple[str, object, Path]]:
    """Yield name, table and file of each model that a TOML file lists."""
    named = os.environ.get(MODELS_VARIABLE)
    place = path or (Path(named) if named else None)
    if place is None:
        return
    text = read_text(place, expected="a TOML file of models", remedy=f"correct the file, or {MODELS_VARIABLE}")
    try:
        tables = tomllib.loads(text)
    # Numbers of thousands of digits and brackets nested as deep are no TOML errors to the parser.
    except (ValueError, RecursionError) as error:
        raise InputError(f"expected TOML in {place}, got something else ({error}); correct the file") from error
    for name, table in tables.items():
        yield name, table, place


def _read_model(name: str, table: object, place: Path) -> OwnModel:
    keys = {field.name for field in fields(OwnModel)} - {"name"}
    if not isinstance(table, Mapping) or "source" not in table or not table.keys() <= keys:
        found = ", ".join(table) if isinstance(table, Mapping) else type(table).__name__
        raise ConfigurationError(
            f"{place}: expected a table [{name}] with the key source and, optionally, "
            f"{', '.join(sorted(keys - {'source'}))}, got {found or 'an empty one'}; correct it"
        )
    values: dict[str, Any] = dict(table)
    if isinstance(values["source"], str):
        values["source"] = _beside(values["source"], place.parent)
    for key, count in (("mean", 3), ("deviation", 3), ("score_range", 2)):
        if key in values:
            values[key] = _numbers(values[key], count, f"{place}, {name}: {key}")
    if "score_range" in values:
        values["score_range"] = ScoreRange(*values["score_range"])
    if isinstance(values.get("size"), list):
        values["size"] = _numbers(values["size"], 2, f"{place}, {name}: size")
    return OwnModel(name, **values)


def _beside(source: str, folder: Path) -> str:
    """Return a source whose file, if it is one, lies beside the file that lists it."""
    place, _, _ = source.rpartition(":")
    file = place if place.endswith(".py") else source
    return str(folder / source) if is_file(folder / file) else source


def _numbers(value: object, count: int, place: str) -> tuple[Any, ...]:
    """Return a list of so many numbers as a tuple, or raise."""
    if not isinstance(value, list) or len(value) != count or not all(map(_is_number, value)):
        raise ConfigurationError(f"{place} must be a list of {count} numbers, got {value!r}; correct it")
    return tuple(value)


def _is_number(value: object) -> bool:
    """Return whether it is a float, or a whole number that a float can hold."""
    return type(value) is float or (type(value) is int and abs(value) <= _LARGEST)
