"""What the pages say of a model's making."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_scorer import CARD

from robustiqa_core.blocks import BlockSettings
from robustiqa_core.checkpoints.storage import list_cards
from robustiqa_core.hardening import HardeningRecipe, parse_objective
from robustiqa_core.pruning import PruningSettings
from ui.hardening.texts import hardened_by, under_attack
from ui.shell.model_names import VERSION_WORDS, model_title, prose_name, start_name, times, version_help, version_name

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
    assert text.startswith("AbsGain 0.079, its baseline 0.557 (nearer 0 = more robust); pgd:eps=4/255 on 8 ")
    assert ("62 % of them did not move at all" in text) == doubt


def test_the_checksums_of_files_are_left_out() -> None:
    start = f"trunk of linearity-baseline, sha256 {'8e' * 32}; S-CNN of scnn.pkl, sha256 {'7e' * 32}"
    card = replace(CARD, training=replace(CARD.training, start=start))
    assert start_name(card) == "trunk of linearity-baseline; S-CNN of scnn.pkl"


@pytest.mark.parametrize(
    ("recipe", "name"),
    [
        (BLOCK, "block + pruning"),
        (ATTACKED, "adversarial training"),
        (replace(BLOCK, pruning=WHOLE, objective=ATTACKED.objective), "block + adversarial training"),
        (replace(NOTHING, weights="hardened-at", mix=0.7), "partial adversarial training"),
        (replace(NOTHING, weights="mine", mix=0.7), "hardened-plus"),
    ],
)
def test_a_version_is_called_by_what_was_done_to_it(recipe: HardeningRecipe, name: str) -> None:
    card = replace(CARD, variant="hardened-plus", hardening={"recipe": recipe.to_json()})
    assert version_name(card) == name
    assert model_title(card) == f"Linearity, {name}"
    assert prose_name(card) == (f"Linearity {name}" if name == "hardened-plus" else f"Linearity with {name}")
    mine = replace(card, variant="mine")
    assert version_name(mine) == "mine", "who made a model has named it"


def test_two_versions_that_were_made_alike_can_be_told_apart() -> None:
    one, other = (
        replace(CARD, variant=variant, hardening={"recipe": ATTACKED.to_json()})
        for variant in ("hardened-at", "hardened-plus")
    )
    assert model_title(one, [one, other]) == "Linearity, adversarial training (hardened-at)"
    assert model_title(one, [one, CARD]) == "Linearity, adversarial training"


def test_the_versions_that_come_with_the_app_are_explained_where_they_are_chosen() -> None:
    cards = list_cards()
    assert len({model_title(card, cards) for card in cards}) == len(cards)
    for card in cards:
        said = version_help([card])
        parts = version_name(card).split(" + ")
        assert (said == "") == (card.variant == "baseline")
        assert all(VERSION_WORDS[part] in said for part in parts if said)


@given(st.floats(1e-3, 1e9))
def test_a_factor_is_never_a_power_of_ten(factor: float) -> None:
    said = times(factor)
    assert said.startswith("×")
    assert "e" not in said
    assert float(said[1:].replace(",", "")) == pytest.approx(factor, rel=0.006, abs=0.0051)
