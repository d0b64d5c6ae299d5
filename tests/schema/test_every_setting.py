"""Every setting of a hardening comes back from its command, its address and its JSON, a new one without a new test."""

import argparse
import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robustiqa_core.blocks import BlockSettings
from robustiqa_core.checkpoints.storage import load_card
from robustiqa_core.cli import harden as command
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening import HARDENING, HardeningRecipe, harden_command, parse_objective
from robustiqa_core.schema import Leaf
from ui.hardening.recipe import MOST_EPOCHS, address_of, check_controls, new_recipe, read_recipe

BASES = (
    HardeningRecipe("linearity", "after_stage7", BlockSettings()),
    HardeningRecipe(
        "tres", None, None, tuned="all", data="csv", crops=None, resize=512, objective=parse_objective("at")
    ),
    HardeningRecipe("linearity", "after_stage5", BlockSettings("paper", "aoc", 16, 4), tuned="all", data="csv"),
)
NUMBERS: dict[type, list[Any]] = {
    int: [0, 1, 2, 3, 5, 7, 16, 64, 100, 36, 224, 256, 300, 512],
    float: [0.0, 1e-05, 0.1, 1 / 3, 0.5, 1.0, 2.0],
}


def values_of(leaf: Leaf) -> list[Any]:
    """Return some values that the setting may take, and some that the recipe refuses."""
    if leaf.path == "position":
        return ["after_stage3", "before_encoder"]
    if leaf.path == "data":
        return ["distillation", "koniq10k", "csv"]
    if leaf.path == "objective":
        return [parse_objective(text) for text in ("nt", "at:eps=5/255,steps=2", "at+nt:weight=0.5", "rank")]
    if leaf.codec.choices:
        return list(leaf.codec.choices)
    if leaf.codec.json is bool:
        return [True, False]
    numbers = NUMBERS.get(leaf.codec.json, ["baseline", "mine-own", "at1+at2:3", "-1 'é'"])
    return [*numbers, None] if leaf.codec.optional else numbers


def changed(recipe: HardeningRecipe, leaf: Leaf, value: Any) -> HardeningRecipe | None:
    """Return the recipe with another value; None where it refuses it, or has no block for it."""
    try:
        made = HARDENING.build({leaf.path: value}, recipe)
    except ConfigurationError:
        return None
    return None if made == recipe or made.epochs > MOST_EPOCHS else made


def from_command(recipe: HardeningRecipe) -> HardeningRecipe:
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    _, name, *words = shlex.split(harden_command(recipe, "mine"))
    assert name == "harden"
    arguments = parser.parse_args(words)
    return command._recipe(arguments, load_card(arguments.model, "baseline"), torch.device("cpu"))


def from_address(recipe: HardeningRecipe) -> HardeningRecipe:
    server = new_recipe("dbcnn", None, None, data=recipe.data, precision=recipe.precision)
    return read_recipe({**address_of(recipe), "result": "other"}, server)


def from_json(recipe: HardeningRecipe) -> HardeningRecipe:
    return HardeningRecipe.from_json(json.loads(json.dumps(recipe.to_json())), place="a test")


@st.composite
def recipes(draw: st.DrawFn) -> HardeningRecipe:
    recipe = draw(st.sampled_from(BASES))
    for leaf in draw(st.lists(st.sampled_from(HARDENING.leaves), max_size=8)):
        recipe = changed(recipe, leaf, draw(st.sampled_from(values_of(leaf)))) or recipe
    return recipe


@pytest.mark.thorough
@given(recipes())
def test_a_recipe_comes_back_from_its_command_its_address_and_its_json(recipe: HardeningRecipe) -> None:
    assert from_command(recipe) == recipe
    assert from_address(recipe) == recipe
    assert from_json(recipe) == recipe


@pytest.mark.parametrize("leaf", HARDENING.leaves, ids=lambda leaf: leaf.path)
def test_every_setting_comes_back_and_decides_the_key(leaf: Leaf) -> None:
    def made() -> Iterator[tuple[HardeningRecipe, HardeningRecipe]]:
        for base in BASES:
            for value in values_of(leaf):
                if (recipe := changed(base, leaf, value)) is not None:
                    yield base, recipe

    found = list(made())
    assert found, "no value of this setting is accepted by any of the bases; add one that is"
    for base, recipe in found:
        assert from_command(recipe) == from_address(recipe) == from_json(recipe) == recipe
        assert recipe.key() != base.key()
        backwards = dict(reversed(recipe.to_json().items()))
        assert HardeningRecipe.from_json(backwards, place="a test").key() == recipe.key()


def test_no_two_settings_share_an_option_or_a_parameter() -> None:
    for names in ([leaf.option for leaf in HARDENING.leaves], [leaf.parameter for leaf in HARDENING.leaves]):
        told = [name for name in names if name]
        assert len(told) == len(set(told))


def test_an_address_asks_for_no_more_than_a_page_takes() -> None:
    server = new_recipe("linearity", "after_stage7", BlockSettings(), data="distillation")
    with pytest.raises(ConfigurationError, match="at most 40 epochs"):
        read_recipe({"epochs": "41"}, server)


@pytest.mark.parametrize("leaf", HARDENING.leaves, ids=lambda leaf: leaf.path)
def test_a_page_refuses_what_its_controls_would_drop(leaf: Leaf) -> None:
    server = new_recipe("linearity", "after_stage7", BlockSettings(), data="csv")
    asked = [made for value in values_of(leaf) if (made := changed(server, leaf, value)) is not None]
    for recipe in asked:
        if leaf.setting.shown or not leaf.parameter:
            check_controls(recipe, server)
        else:
            with pytest.raises(ConfigurationError, match=f"no {leaf.parameter} here"):
                check_controls(recipe, server)
