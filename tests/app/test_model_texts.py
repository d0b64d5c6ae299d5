"""What the pages say of a model's making."""

from dataclasses import replace

import pytest
from tiny_scorer import CARD

from robustiqa_core.blocks import BlockSettings
from robustiqa_core.hardening import HardeningRecipe, parse_objective
from robustiqa_core.pruning import PruningSettings
from ui.hardening_texts import hardened_by, under_attack
from ui.model_texts import start_name

WHOLE = PruningSettings("l1", 0.0)
BLOCK = HardeningRecipe(
    "linearity", "after_stage7", BlockSettings("paper", "aoc"), pruning=PruningSettings("l1", 0.1), epochs=5
)
ATTACKED = HardeningRecipe(
    "linearity",
    None,
    None,
    pruning=WHOLE,
    tuned="all",
    objective=parse_objective("at:eps=5/255"),
    epochs=1,
    mix=0.8,
)
NOTHING = HardeningRecipe("linearity", None, None, pruning=WHOLE, tuned="all", epochs=0)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (
            BLOCK,
            "a RobustBlock after stage 7 (the paper's, aoc), 10 % of the filters pruned, "
            "5 epochs of fine-tuning on photos",
        ),
        (ATTACKED, "1 epoch of fine-tuning on photos, as they are and attacked, 20 % of its weights those from before"),
        (
            replace(ATTACKED, trunk="linearity-hardened-plus", mix=1.0),
            "the trunk of linearity-hardened-plus, 1 epoch of fine-tuning on photos, as they are and attacked",
        ),
        (
            replace(NOTHING, weights="mine", mix=0.75),
            "the weights of linearity-mine, 25 % of its weights those from before",
        ),
        (replace(NOTHING, weights="a+b"), "the mean of the weights of linearity-a and linearity-b"),
        (replace(NOTHING, weights="a:3+b"), "the mean (3 to 1) of the weights of linearity-a and linearity-b"),
        (NOTHING, "nothing"),
    ],
)
def test_a_recipe_is_told_in_words(recipe: HardeningRecipe, words: str) -> None:
    card = replace(CARD, hardening={"recipe": recipe.to_json()})
    assert hardened_by(card) == words


@pytest.mark.parametrize(("unmoved", "doubt"), [(0.0, False), (0.625, True)])
def test_the_figures_under_attack_are_those_of_the_card(unmoved: float, doubt: bool) -> None:
    figures = {
        "attack": "pgd:eps=4/255",
        "crops": 8,
        "side": 224,
        "hardened": {"absolute_gain": 0.0794, "unmoved_share": unmoved},
        "baseline": {"absolute_gain": 0.5571, "unmoved_share": 0.0},
    }
    text = under_attack(replace(CARD, hardening={"attacked": figures}))
    assert text.startswith("AbsGain 0.079, that of its baseline 0.557 (nearer 0 = more robust); pgd:eps=4/255 on 8 ")
    assert ("62 % of them did not move at all" in text) == doubt


def test_the_checksums_of_files_are_left_out() -> None:
    start = f"trunk of linearity-baseline, sha256 {'8e' * 32}; S-CNN of scnn.pkl, sha256 {'7e' * 32}"
    card = replace(CARD, training=replace(CARD.training, start=start))
    assert start_name(card) == "trunk of linearity-baseline; S-CNN of scnn.pkl"
