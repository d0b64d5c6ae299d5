"""A recipe says everything, survives JSON and refuses nonsense."""

import json
from dataclasses import replace
from typing import Any

import pytest

from robustiqa_core.blocks import BlockSettings
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.hardening import HardeningRecipe, parse_objective, positions_of
from robustiqa_core.models import ARCHITECTURES

RECIPE = HardeningRecipe("linearity", "after_stage7", BlockSettings())
WITHOUT_BLOCK: dict[str, Any] = {"position": None, "block": None, "tuned": "all"}
FRESH: dict[str, Any] = {"objective": parse_objective("rank")}


def test_what_recipes_did_not_say_at_first_is_left_out_where_it_is_not_asked_for() -> None:
    later = {"trunk", "weights", "degraded", "targets", "loss", "better_half", "smallest_resize"}
    later |= {"smallest_crop", "whole", "short_side", "patience"}
    assert not later & RECIPE.to_json().keys()


def test_a_recipe_without_a_block_survives_json() -> None:
    bare = replace(RECIPE, **WITHOUT_BLOCK)
    assert HardeningRecipe.from_json(json.loads(json.dumps(bare.to_json())), place="a test") == bare


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_every_insertion_point_is_a_position(model: str) -> None:
    for point in ARCHITECTURES[model].insertion_points({}):
        assert point.name in positions_of(model)
        assert HardeningRecipe(model, point.name, BlockSettings()).position == point.name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "resnet"}, "linearity, dbcnn, tres"),
        ({"position": "after_stage99"}, "after_stage1, after_stage2"),
        ({"position": "before_encoder"}, "position must be one of"),
        ({"position": None}, "give both or neither"),
        ({"block": None}, "give both or neither"),
        ({"position": None, "block": None}, "tune all layers"),
        ({"tuned": "some"}, "rest, all"),
        ({"learn_statistics": True}, "tune all layers"),
        ({"learn_statistics": 1}, "True or False"),
        ({"mix": 0.0}, "mix"),
        ({"start": ""}, "start must be a name"),
        ({"crops": None}, "as many crops as it is asked for"),
        ({"crops": 8}, "crops must be a whole number from 16"),
        ({"degraded": 0.5}, "three of four in any case"),
        ({"degraded": 1.5, "data": "csv"}, "degraded"),
        ({"targets": "baseline"}, "only with a labelled set"),
        ({"better_half": 0.5, "tuned": "all"}, "only with a labelled set"),
        ({"smallest_resize": 300}, "only with a labelled set"),
        ({"targets": "people", "data": "csv"}, "labels, baseline"),
        ({"loss": "mse"}, "own, norm_in_norm"),
        ({"better_half": -0.1, "data": "csv", "tuned": "all"}, "better_half"),
        ({"better_half": 0.5, "data": "csv"}, "only where fresh crops are drawn"),
        ({"smallest_resize": 200, "data": "csv"}, "smallest_resize must be a whole number from 224 to 384"),
        ({"smallest_crop": 160, "tuned": "all"}, "got smallest_crop with distillation"),
        ({"whole": 0.5}, "got whole with distillation"),
        ({"smallest_crop": 160, "data": "csv"}, "smallest_crop only where fresh crops are drawn"),
        ({"patience": 2}, "patience only where fresh crops are drawn"),
        (
            {"smallest_crop": 225, "data": "csv", "tuned": "all", **FRESH},
            "smallest_crop must be a whole number from 64",
        ),
        ({"whole": 1.5, "data": "csv"}, "whole"),
        ({"short_side": 32}, "short_side must be"),
        ({"patience": -1, "tuned": "all", **FRESH}, "patience"),
        ({"validation_crops": 2}, "validation_crops"),
        ({"crop": 32}, "crop must be"),
        ({"resize": 100}, "resize must be a whole number from 224"),
        ({"hint_weight": -1.0}, "hint_weight must be"),
        ({"epochs": -1}, "epochs"),
        ({"epochs": 2.5}, "epochs"),
        ({"batch_size": 1}, "batch_size"),
        ({"rate": 0.0}, "rate must be"),
        ({"block_rate": float("nan")}, "block_rate"),
        ({"weight_decay": 2.0}, "weight_decay"),
        ({"precision": "float16"}, "float32, bfloat16"),
        ({"seed": -1}, "seed"),
    ],
)
def test_nonsense_is_refused_when_a_recipe_is_made(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        replace(RECIPE, **changes)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"size": 3}, InputError),
        ({"block": {"size": 3}}, InputError),
        ({"block": 3}, InputError),
        ({"pruning": {"amount": 0.1}}, InputError),
        ({"objective": 3}, InputError),
        ({"objective": "at:size=1"}, ConfigurationError),
        ({"pruning": {"ratio": 0.9}}, ConfigurationError),
    ],
)
def test_faulty_json_is_refused(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        HardeningRecipe.from_json({**RECIPE.to_json(), **changes}, place="a test")


def test_json_without_what_has_no_default_is_refused_and_the_rest_has_its_default() -> None:
    told = RECIPE.to_json()
    with pytest.raises(InputError, match="position"):
        HardeningRecipe.from_json({name: value for name, value in told.items() if name != "position"}, place="x")
    least = {name: told[name] for name in ("model", "position", "block")}
    assert HardeningRecipe.from_json(least, place="x") == RECIPE


def test_maps_are_kept_where_the_front_stays_and_no_photo_is_needed() -> None:
    assert RECIPE.keeps_maps
    assert not replace(RECIPE, tuned="all").keeps_maps
    assert not replace(RECIPE, objective=parse_objective("nt")).keeps_maps


def test_the_block_has_a_rate_of_its_own() -> None:
    rate = RECIPE.rate_of("features.stage7.block")
    assert rate("features.stage7.block.directions") == RECIPE.block_rate
    assert rate("features.stage7.blocked.weight") == RECIPE.rate
    assert RECIPE.rate_of(None)("features.stage7.block.directions") == RECIPE.rate
