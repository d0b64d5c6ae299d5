"""What the tests of the pages with a job share: the tiny scorer in the model's place, and a run to its end."""

import io

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest
from tiny_scorer import CARD, TinyScorer, card_of_its_own

from ui.jobs import cache as jobs_cache
from ui.jobs.estimate import Speed
from ui.shell import cache

TIMEOUT = 60.0
SPEED = Speed(gradient=0.2, query=0.1)
"""Of the scorer as the pages estimate with it: measured, it would differ from run to run."""


def use(monkeypatch: pytest.MonkeyPatch, scorer: TinyScorer) -> None:
    """Put a scorer in the place of the bundled models, with nothing kept from other tests."""
    card = card_of_its_own()
    monkeypatch.setattr(cache, "cards", lambda: {CARD.stem: card})
    monkeypatch.setattr(cache, "scorer", lambda model, variant: scorer)
    monkeypatch.setattr(jobs_cache, "measure_speed", lambda scorer, device: SPEED)
    jobs_cache.speed.clear()
    jobs_cache.shelf.clear()


def run(page: AppTest, key: str) -> str:
    """Press Run and draw the page; return the job that this starts.

    Args:
        page: with the button.
        key: of the page's jobs.
    """
    button = next(button for button in page.button if button.label.startswith("Run the"))
    button.click().run()
    assert not page.exception
    job = page.session_state[key].active
    assert job is not None, "a job was to be started"
    return str(job)


def finish(page: AppTest, key: str) -> AppTest:
    """Press Run, wait for the job that this starts, and let the page take note of its end."""
    button = next(button for button in page.button if button.label.startswith("Run the"))
    before = page.session_state[key].shown
    button.click().run()
    job = page.session_state[key].active
    if job is not None:
        assert not cache.jobs().wait(job, timeout=TIMEOUT).active
        page.run()
    assert not page.exception
    assert page.session_state[key].active is None
    assert job is not None or page.session_state[key].shown != before, "a job was to be started"
    return page


def text(page: AppTest) -> str:
    """Return all that the page says, without what escapes markdown."""
    parts = [*page.markdown, *page.caption, *page.header, *page.subheader, *page.info, *page.error, *page.warning]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def png(size: tuple[int, int] = (96, 80), seed: int = 60) -> bytes:
    """Return a photo of noise."""
    file = io.BytesIO()
    Image.effect_noise(size, seed).convert("RGB").save(file, "PNG")
    return file.getvalue()
