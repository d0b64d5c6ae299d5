"""What the tests of the page that tries places for a block share: the page, a trial of it, and one to its end."""

import dataclasses
from pathlib import Path
from typing import Any

from job_pages import TIMEOUT
from streamlit.testing.v1 import AppTest

from robustiqa_core.blocks import BlockSettings
from robustiqa_core.hardening import HardeningRecipe, Timing
from ui.hardening.job import Example, Trial
from ui.hardening.recipe import new_recipe
from ui.jobs import cache as jobs_cache
from ui.shell import cache

ROOT = Path(__file__).parents[3]
JOBS = "placement_jobs"
EXAMPLE = Example("A photo", 0.61, 0.57)
SMALL = {"crops": "16", "epochs": "1", "width": "8", "grid": "2"}


def small_recipe(*arguments: Any, **named: Any) -> HardeningRecipe:
    """Return what the page begins with, on crops of 64 px."""
    return dataclasses.replace(new_recipe(*arguments, **named), crop=64, resize=64, validation_crops=8)


def open_page(address: dict[str, str] | None = None) -> AppTest:
    page = AppTest.from_file(ROOT / "app.py", default_timeout=TIMEOUT)
    page.switch_page("pages/block_placement.py")
    for key, value in {**SMALL, **(address or {})}.items():
        page.query_params[key] = value
    return page.run()


def press(page: AppTest) -> str:
    next(button for button in page.button if button.label == "Harden").click().run()
    assert not page.exception
    return str(page.session_state[JOBS].active)


def finish(page: AppTest) -> Trial:
    job = press(page)
    assert cache.jobs().wait(job, timeout=3 * TIMEOUT).state == "done"
    page.run()
    assert not page.exception
    trial = jobs_cache.shelf().get(page.session_state[JOBS].shown)
    assert isinstance(trial, Trial)
    return trial


def a_trial() -> Trial:
    recipe = new_recipe("linearity", "after_stage5", BlockSettings(), data="distillation")
    return Trial("key", recipe, cache.cards()["linearity-baseline"], (), Timing(0.1, 0.1, "cpu"), 1.0, EXAMPLE)
