"""The one rule of verdicts: agreement first, then directions, then the spread of the scores."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustiqa_core.checkpoints.storage import list_cards
from robustiqa_core.errors import InputError
from robustiqa_core.verdict import (
    LEAST_AGREEMENT,
    Comparison,
    Movement,
    Verdict,
    is_derived,
    judge,
    known_agreement,
    rates_as_before,
)

UP, DOWN = Movement("up", 0.6, 0.1), Movement("down", 0.6, 0.1)
changes = st.floats(-2.0, 2.0)
agreements = st.none() | st.just(math.nan) | st.floats(-1.0, 1.0)


def kind(*movements: Movement, agreement: float | None = 0.97, spread: float | None = None) -> str:
    return judge(Comparison(movements, agreement=agreement, spread=spread)).kind


@pytest.mark.parametrize("agreement", [0.9499999, 0.51, 0.0, -1.0, math.nan])
@pytest.mark.parametrize("after", [0.0, 0.1, 0.6, 3.0])
def test_a_model_that_rates_photos_otherwise_is_broken_however_far_it_moves(agreement: float, after: float) -> None:
    assert kind(Movement("up", 0.6, after), agreement=agreement) == "broken"
    assert kind(Movement("up", 0.0, 0.0), agreement=agreement, spread=0.1) == "broken"


@given(
    before=changes,
    after=changes,
    lower=st.none() | st.tuples(changes, changes),
    agreement=agreements,
    spread=st.none() | st.floats(0.0, 5.0),
)
def test_only_a_model_that_holds_in_all_that_is_known_is_praised(
    before: float, after: float, lower: tuple[float, float] | None, agreement: float | None, spread: float | None
) -> None:
    movements = (Movement("up", before, after), *([] if lower is None else [Movement("down", *lower)]))
    verdict = judge(Comparison(movements, agreement=agreement, spread=spread))
    if not verdict.is_praise:
        return
    assert agreement is not None
    assert agreement >= LEAST_AGREEMENT
    for found in movements:
        far = max(abs(found.before), abs(found.after)) >= 0.02
        assert not far or abs(found.after) <= 0.9 * abs(found.before) * min(
            1.0, 1.0 if spread is None else spread + 1e-9
        )


def test_less_in_one_direction_only_is_called_that() -> None:
    assert kind(UP, Movement("down", 0.6, 0.6)) == "less_one_way"
    assert kind(Movement("up", 0.6, 0.9), DOWN) == "less_one_way"
    assert kind(UP, DOWN) == "less"
    assert kind(UP, Movement("down", 0.0, 0.001)) == "less", "what did nothing to either speaks against nobody"
    assert kind(UP, Movement("down", 0.0, 0.3)) == "less_one_way"


def test_a_change_the_wrong_way_is_a_change() -> None:
    assert kind(Movement("up", 0.3, -0.4)) == "more"


def test_narrower_scores_are_no_robustness() -> None:
    assert kind(Movement("up", 0.6, 0.2), spread=1 / 3) == "less_by_spread"
    assert kind(Movement("up", 0.6, 0.2), spread=0.0) == "less_by_spread"
    assert kind(Movement("up", 0.6, 0.2), spread=0.9) == "less"
    assert kind(Movement("up", 0.6, 0.2), spread=3.0) == "less"


def test_less_of_a_model_whose_agreement_was_not_measured_is_unconfirmed() -> None:
    assert kind(UP, agreement=None) == "unconfirmed"
    assert judge(Comparison((UP,), derived=False)).kind == "less", "a model of another origin has nothing to agree with"


def test_the_direction_that_was_not_tried_is_known() -> None:
    def untried(*movements: Movement) -> str | None:
        return judge(Comparison(movements, agreement=1.0)).untried

    assert (untried(UP), untried(DOWN), untried(UP, DOWN)) == ("down", "up", None)
    assert untried(Movement("away", 0.6, 0.1)) is None


def test_the_ratio_is_that_of_the_direction_that_speaks_least_for_the_model() -> None:
    assert judge(Comparison((UP, Movement("down", 0.6, 0.3)), agreement=1.0)).ratio == pytest.approx(2.0)
    assert judge(Comparison((Movement("up", 0.6, 0.0),), agreement=1.0)).ratio == math.inf


@pytest.mark.parametrize(
    "make",
    [
        lambda: Movement("up", math.nan, 0.1),
        lambda: Comparison(()),
        lambda: Comparison((UP, UP)),
        lambda: Comparison((UP,), agreement=1.5),
        lambda: Comparison((UP,), spread=-1.0),
    ],
)
def test_nonsense_is_refused(make: object) -> None:
    with pytest.raises(InputError):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("card", list_cards(), ids=lambda card: card.stem)
def test_every_bundled_hardened_model_has_a_known_agreement_and_no_baseline_has_one(card: object) -> None:
    agreement = known_agreement(card)  # type: ignore[arg-type]
    assert is_derived(card) == (agreement is not None)  # type: ignore[arg-type]


def test_an_agreement_that_is_undefined_on_a_card_is_no_agreement() -> None:
    card = next(card for card in list_cards() if card.hardening)
    undefined = dataclasses.replace(card, hardening={**card.hardening, "agreement": {"srocc": None}})
    unknown = dataclasses.replace(card, hardening={**card.hardening, "agreement": None})
    assert rates_as_before(known_agreement(undefined)) is False
    assert rates_as_before(known_agreement(unknown)) is None


def test_a_verdict_can_be_compared_and_kept() -> None:
    comparison = Comparison((UP,), agreement=0.97)
    assert judge(comparison) == Verdict("less", comparison, UP.before / UP.after)
