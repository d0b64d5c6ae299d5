"""The toy of docs/guide/adding_a_setting.md: one line, and it is everywhere."""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from robustiqa_core.blocks import BlockSettings
from robustiqa_core.errors import InputError
from robustiqa_core.hardening import HardeningRecipe
from robustiqa_core.schema import Schema, setting

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "adding_a_setting.md"


@pytest.fixture(scope="module")
def schema() -> Schema[Any]:
    (line,) = re.findall(r"^\+    (\w.*)$", PAGE.read_text(), re.MULTILINE)
    lines: dict[str, Any] = {"setting": setting}
    exec(f"class Toy(Base):\n    {line}", {"Base": HardeningRecipe, **lines}, lines)
    return Schema(dataclass(frozen=True)(lines["Toy"]), "a toy")


def recipe(schema: Schema[Any], **values: Any) -> Any:
    return schema.kind("linearity", "after_stage7", BlockSettings(), **values)


def test_one_line_gives_the_option_the_command_the_address_and_the_json(schema: Schema[Any]) -> None:
    made = recipe(schema, warmup=2)
    parser = argparse.ArgumentParser()
    schema.add_options(parser)
    assert "epochs in which the learning rate rises (default: 0)" in " ".join(parser.format_help().split())
    assert schema.build(schema.given(parser.parse_args(schema.words(made)))) == made
    assert schema.address(made, recipe(schema))["warmup"] == "2"
    assert schema.to_json(made)["warmup"] == 2
    with pytest.raises(InputError, match="warmup of a toy in a card to be a whole number"):
        schema.from_json(schema.to_json(made) | {"warmup": "2"}, place="a card")


def test_its_default_leaves_kept_keys_as_they_are(schema: Schema[Any]) -> None:
    before = HardeningRecipe("linearity", "after_stage7", BlockSettings())
    assert schema.key(recipe(schema)) == before.key() != schema.key(recipe(schema, warmup=2))
