"""A recipe comes back from its command line, its address and its JSON."""

import argparse
import json
import shlex
from dataclasses import dataclass, replace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.schema import Schema, as_text, schema_of, setting


@dataclass(frozen=True, slots=True)
class Filter:
    kind: Literal["box", "gauss"] = "box"
    width: int = setting(3, help="in pixels")
    seed: int = setting(0, option="filter_seed", parameter="noise")


@dataclass(frozen=True, slots=True)
class Blur:
    radius: float = setting(1.5, shown=True)
    sides: int | None = None


def _split(text: str) -> tuple[str, str]:
    left, _, right = text.partition("+")
    if not right:
        raise ValueError(text)
    return left, right


@dataclass(frozen=True, slots=True)
class Toy:
    model: str
    place: str | None = None
    inner: Filter | None = setting(None, needs="place")
    blur: Blur = setting(make=Blur)
    eps: float = setting(4 / 255, help="largest change, at most 100 %")
    pair: tuple[str, str] = setting(("a", "b"), codec=as_text(_split, "+".join, "two names with + between them"))
    rate: float = setting(3e-4, option="learning_rate")
    share: float | None = None
    learns: bool = False
    extra: int = setting(7, later=True)
    precision: Literal["float32", "bfloat16"] = setting("float32", parameter="")


SCHEMA: Schema[Toy] = schema_of(Toy, "a toy")

# argparse itself drops a value that is two dashes and nothing else.
names = st.text("abc-_ é'\"$;&", min_size=1, max_size=8).filter(lambda text: text != "--")
numbers = st.floats(allow_nan=False, allow_infinity=False)
filters = st.builds(Filter, st.sampled_from(["box", "gauss"]), st.integers(), st.integers())


@st.composite
def toys(draw: st.DrawFn) -> Toy:
    place = draw(st.none() | names.filter(lambda text: text != "none"))
    return Toy(
        model=draw(names),
        place=place,
        inner=None if place is None else draw(filters),
        blur=draw(st.builds(Blur, numbers, st.none() | st.integers())),
        eps=draw(numbers),
        pair=(draw(names), draw(names)),
        rate=draw(numbers),
        share=draw(st.none() | numbers),
        learns=draw(st.booleans()),
        extra=draw(st.integers()),
        precision=draw(st.sampled_from(["float32", "bfloat16"])),
    )


def parsed(words: list[str]) -> Toy:
    parser = argparse.ArgumentParser(exit_on_error=False)
    SCHEMA.add_options(parser)
    return SCHEMA.build(SCHEMA.given(parser.parse_args(words)))


@pytest.mark.thorough
@given(toys())
def test_a_recipe_comes_back_from_the_command_that_repeats_it(toy: Toy) -> None:
    assert parsed(shlex.split(shlex.join(SCHEMA.words(toy)))) == toy


@pytest.mark.thorough
@given(toys())
def test_a_recipe_comes_back_from_its_address_but_for_what_the_server_decides(toy: Toy) -> None:
    server = replace(Toy(model="other", share=0.5), precision=toy.precision)
    address = SCHEMA.address(toy, server)
    assert "precision" not in address
    assert SCHEMA.build(SCHEMA.named({**address, "photo": "cat"}), server) == toy


@pytest.mark.thorough
@given(toys())
def test_a_recipe_comes_back_from_its_json_with_the_same_key(toy: Toy) -> None:
    value = json.loads(json.dumps(SCHEMA.to_json(toy)))
    again = SCHEMA.from_json(value, place="a test")
    assert again == toy
    assert SCHEMA.key(again) == SCHEMA.key(toy)


def test_a_later_field_leaves_the_keys_of_earlier_recipes_alone() -> None:
    assert "extra" not in SCHEMA.to_json(Toy("a"))
    assert SCHEMA.to_json(Toy("a", extra=8))["extra"] == 8
    assert SCHEMA.key(Toy("a")) != SCHEMA.key(Toy("a", extra=8))


def test_a_command_spells_what_a_later_version_may_have_other_defaults_of() -> None:
    words = SCHEMA.words(Toy("a", eps=-1e-5, learns=True))
    assert words[:6] == ["--model", "a", "--radius", "1.5", "--eps=-1e-05", "--pair"]
    assert "--learns" in words and "--learns" not in SCHEMA.words(Toy("a"))
    assert "--share" not in words


def test_an_address_has_what_is_shown_and_what_is_not_as_usual() -> None:
    assert SCHEMA.address(Toy("a"), Toy("a")) == {"radius": "1.5"}
    assert SCHEMA.address(Toy("a", learns=True), Toy("b")) == {"model": "a", "radius": "1.5", "learns": "yes"}


def test_a_part_is_there_only_with_the_field_that_it_needs() -> None:
    assert SCHEMA.build({"model": "a", "inner.width": 5}).inner is None
    assert SCHEMA.build({"model": "a", "place": "x", "inner.width": 5}).inner == Filter(width=5)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--model", "a", "--eps", "much"], "--eps must be a number such as 0.5, got 'much'"),
        (["--model", "a", "--width", "wide"], "--width must be a whole number such as 10, got 'wide'"),
        (["--model", "a", "--precision", "float23"], "did you mean float32"),
        (["--model", "a", "--pair", "alone"], "--pair must be two names with + between them, got 'alone'"),
    ],
)
def test_a_text_that_stands_for_nothing_is_named_with_its_option(words: list[str], told: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parsed(words)
    assert told in str(error.value)


def test_a_missing_value_is_named() -> None:
    with pytest.raises(InputError, match="expected model of a toy"):
        parsed([])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([], "as a JSON object"),
        ({}, "expected model of a toy in a card"),
        ({"model": "a", "colour": 1}, "got colour as well"),
        ({"model": 5}, "model of a toy in a card to be a text, got 5"),
        ({"model": "a", "eps": True}, "eps of a toy in a card to be a number"),
        ({"model": "a", "inner": {"width": 1.5}}, "width of inner of a toy in a card to be a whole number"),
        ({"model": "a", "blur": None}, "blur of a toy in a card"),
    ],
)
def test_damaged_json_is_refused_with_the_place(value: object, told: str) -> None:
    with pytest.raises(InputError) as error:
        SCHEMA.from_json(value, place="a card")
    assert told in str(error.value)


def test_a_choice_that_does_not_exist_is_a_wrong_configuration_not_a_damaged_file() -> None:
    with pytest.raises(ConfigurationError, match="one of float32, bfloat16"):
        SCHEMA.from_json({"model": "a", "precision": "half"}, place="a card")
