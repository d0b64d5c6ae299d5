"""The attack lab with the tiny scorer in the model's place, and one that stops in the middle of an attack."""

from collections.abc import Callable, Iterator

import pytest
from job_pages import TIMEOUT
from lab_pages import PAGE
from streamlit.testing.v1 import AppTest
from tiny_scorer import CARD, Gate, TinyScorer, card_of_its_own

from ui.shell import cache


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[TinyScorer], None]:
    """Return what puts a scorer in the place of the bundled model."""
    card = card_of_its_own()
    monkeypatch.setattr(cache, "cards", lambda: {CARD.stem: card})

    def use_scorer(scorer: TinyScorer) -> None:
        monkeypatch.setattr(cache, "scorer", lambda model, variant: scorer)

    use_scorer(TinyScorer())
    return use_scorer


@pytest.fixture
def lab(use: Callable[[TinyScorer], None]) -> AppTest:
    return AppTest.from_file(PAGE, default_timeout=TIMEOUT)


@pytest.fixture
def gate(use: Callable[[TinyScorer], None]) -> Iterator[Gate]:
    """Put a scorer in place that stops in the fourth step of the attack, and open it at the end."""
    stop = Gate(calls=5)
    use(TinyScorer(before_call=stop))
    yield stop
    stop.open()
