"""What every trial needs is computed while the page is read, gives way to others, and is tried once."""

from collections.abc import Iterator

import pytest
from job_pages import TIMEOUT, text
from streamlit.testing.v1 import AppTest
from trial_pages import open_page, press, small_recipe

from robustiqa_core.blocks import BlockSettings
from robustiqa_core.errors import InputError
from robustiqa_core.hardening import HardeningRecipe, Progressed
from ui.hardening import live
from ui.hardening.progress import DOING
from ui.placement import ahead
from ui.placement.ahead import preparation_records
from ui.shell import cache

pytestmark = pytest.mark.thorough


def settled(page: AppTest) -> None:
    """Wait for what the page computes by itself, and draw it again."""
    for jobs in ("placement_probe_jobs", "placement_ahead_jobs"):
        active = page.session_state[jobs].active
        if active is not None:
            assert cache.jobs().wait(active, timeout=TIMEOUT).state == "done"
        page.run()
        assert not page.exception


@pytest.mark.usefixtures("small")
def test_what_every_trial_needs_is_computed_while_the_page_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    page = open_page()
    assert "the first run takes longest" in text(page)
    settled(page)
    assert page.session_state["placement_ahead_jobs"].active is None
    assert "the first run takes longest" not in text(page)
    monkeypatch.setattr(live, "news_of", lambda record: getattr(record, "doing", None))
    job = press(page)
    snapshot = cache.jobs().wait(job, timeout=3 * TIMEOUT)
    assert snapshot.state == "done"
    assert not {DOING["cropping"], DOING["scoring"]} & set(snapshot.trace)
    assert DOING["mapping"] in snapshot.trace
    page.run()
    # Crops of another number are others.
    page.select_slider(key="placement_crops").set_value(48).run()
    assert "the first run takes longest" in text(page)


@pytest.mark.usefixtures("small")
def test_what_cannot_be_computed_ahead_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[HardeningRecipe] = []

    def fail(recipe: HardeningRecipe, *known: object, **others: object) -> Iterator[Progressed]:
        tried.append(recipe)
        raise InputError("expected crops, got none; choose others")
        yield

    monkeypatch.setattr(ahead, "prepare", fail)
    page = open_page()
    cache.jobs().wait(page.session_state["placement_probe_jobs"].active, timeout=TIMEOUT)
    page.run()
    assert cache.jobs().wait(page.session_state["placement_ahead_jobs"].active, timeout=TIMEOUT).state == "failed"
    for _ in range(3):
        page.run()
        assert not page.exception
        assert page.session_state["placement_ahead_jobs"].active is None
    assert len(tried) == 1
    assert "the first run takes longest" in text(page)


def test_what_is_computed_ahead_gives_way_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [Progressed("cropping", number, 4) for number in (1, 2, 3, 4)]
    monkeypatch.setattr(ahead, "prepare", lambda *known, **others: iter(records))
    recipe = small_recipe("linearity", "after_stage5", BlockSettings(width=8, grid=2), data="distillation")
    source, ended = live.source_of(recipe), []
    wanted = iter([False, True])
    some = list(preparation_records(recipe, source, lambda: next(wanted), lambda: ended.append(1)))
    assert (len(some), ended) == (1 + 2, [])
    whole = list(preparation_records(recipe, source, lambda: False, lambda: ended.append(1)))
    assert (len(whole), ended) == (1 + 4, [1])
    assert whole == sorted(whole)
