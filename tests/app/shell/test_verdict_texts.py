"""The words of each verdict: no praise but for the one kind that earns it, and the limits of that."""

import dataclasses
import math
from typing import get_args

import pytest

from robustiqa_core.attacks import ATTACKS
from robustiqa_core.verdict import Comparison, Kind, Movement, judge
from ui.attacks.texts import attack_words
from ui.shell.verdicts import broken, reservation, sentence

UP = Movement("up", 0.6, 0.2)
CASES = {
    "broken": Comparison((UP,), agreement=0.51),
    "too_little": Comparison((Movement("up", 0.01, 0.001),), agreement=1.0),
    "more": Comparison((Movement("up", 0.3, 0.6),), agreement=1.0),
    "alike": Comparison((Movement("up", 0.6, 0.59),), agreement=1.0),
    "less_one_way": Comparison((UP, Movement("down", 0.6, 0.6)), agreement=1.0),
    "less_by_spread": Comparison((UP,), agreement=1.0, spread=0.3),
    "unconfirmed": Comparison((UP,)),
    "less": Comparison((UP,), agreement=1.0),
}


def said(comparison: Comparison) -> str:
    return sentence(judge(comparison), name="the new model", baseline="the old one")


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_verdict_has_words_of_its_own(kind: str) -> None:
    verdict = judge(CASES[kind])
    assert verdict.kind == kind
    text = said(CASES[kind])
    assert text[0].isupper()
    assert text.endswith(".")
    assert ("times less" in text) == (kind in ("less", "unconfirmed"))


def test_what_is_broken_is_said_with_the_figure_and_never_rounded_up_to_the_limit() -> None:
    assert said(CASES["broken"]).startswith("The new model no longer rates photos as before: ")
    assert "0.949, below 0.95" in broken("It", 0.94999)
    assert "undefined" in broken("It", math.nan)
    assert "times" not in said(CASES["broken"])


def test_praise_ends_at_the_direction_that_was_tried() -> None:
    assert said(CASES["less"]) == "Pushed up, the new model moves 3.0 times less than the old one."
    assert (
        reservation(judge(CASES["less"]))
        == "It was not pushed down: a model may withstand attacks in one direction only."
    )
    both = Comparison((UP, Movement("down", 0.6, 0.1)), agreement=1.0)
    assert said(both) == "Pushed up and pushed down, the new model moves 3.0 times less than the old one."
    assert reservation(judge(both)) == ""


def test_what_does_not_move_at_all_has_no_number() -> None:
    assert said(Comparison((Movement("up", 0.6, 0.0),), agreement=1.0)) == (
        "Pushed up, the new model hardly moves, while the old one does."
    )
    assert "inf" not in said(Comparison((Movement("up", 0.0, 0.5),), agreement=1.0))


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_is_said_with_its_effort(name: str) -> None:
    attack = ATTACKS[name]()
    words = attack_words(attack)
    settings = {field.name for field in dataclasses.fields(attack)}
    for effort in ("steps", "queries"):
        said = f", {getattr(attack, effort)} {effort}" if effort in settings else ""
        assert said in words and (effort in words) == bool(said)
