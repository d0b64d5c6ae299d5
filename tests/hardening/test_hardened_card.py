"""A card that says nonsense of its hardening is named, and no page fails for it."""

import copy
import dataclasses
from typing import Any

import pytest

from robustiqa_core.checkpoints.storage import list_cards
from robustiqa_core.errors import InputError
from robustiqa_core.hardening import check_hardened_card

CARDS = {card.stem: card for card in list_cards()}


@pytest.mark.parametrize("stem", sorted(CARDS))
def test_every_bundled_card_can_be_shown(stem: str) -> None:
    assert check_hardened_card(CARDS[stem]) is CARDS[stem]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("recipe", None),
        ("recipe", {"model": "linearity"}),
        ("recipe.colour", 1),
        ("recipe.epochs", -1),
        ("attacked", None),
        ("attacked.hardened", {}),
        ("attacked.hardened.absolute_gain", "much"),
        ("attacked.baseline.r_score", None),
        ("agreement", {}),
        ("agreement.srocc", "high"),
    ],
)
def test_a_card_with_nonsense_about_its_hardening_is_refused_by_name(path: str, value: object) -> None:
    card = CARDS["linearity-hardened-plus"]
    told: dict[str, Any] = copy.deepcopy(dict(card.hardening))
    *parts, last = path.split(".")
    place = told
    for part in parts:
        place = place[part]
    place[last] = value
    with pytest.raises(InputError, match="linearity-hardened-plus"):
        check_hardened_card(dataclasses.replace(card, hardening=told))
