"""The first page and the page of ideas in a real Chromium: the live result, the ways on, sliders, and axe."""

import re

import pytest
from playwright.sync_api import Page, expect
from visiting import WAIT, Visit, fits, serious_faults

pytestmark = pytest.mark.browser


def wait_for_result(page: Page) -> None:
    expect(page.get_by_text("Computed for this visit")).to_be_visible(timeout=WAIT)


def wait_for_ideas(page: Page) -> None:
    expect(page.get_by_role("heading", name="An attack on a score, not on a class")).to_be_visible(timeout=WAIT)
    expect(page.locator(".js-plotly-plot")).to_have_count(4, timeout=WAIT)


def test_a_first_visit_computes_a_result_and_leads_on_to_the_lab(slow_app: str, visit: Visit) -> None:
    page = visit(slow_app)
    wait_for_result(page)
    sentence = page.get_by_text(re.compile(r"its score rose from -?\d\.\d\d to \d\.\d\d, ")).first
    before, after = map(float, re.findall(r"-?\d\.\d\d", sentence.inner_text())[:2])
    # The scorer's slope is 20, and the attack's strength 4/255.
    assert after - before == pytest.approx(20 * 4 / 255, abs=0.03)
    page.get_by_role("link", name="Open this in the Attack lab").click()
    expect(page).to_have_url(re.compile(r"/attack_lab\?.*photos="))
    expect(page.get_by_role("heading", name="Attack lab", exact=True)).to_be_visible()


def test_the_ideas_answer_at_once_and_the_address_keeps_them(slow_app: str, visit: Visit) -> None:
    page = visit(f"{slow_app}/ideas")
    wait_for_ideas(page)
    slope = page.get_by_role("slider", name="Steepest slope")
    slope.focus()
    for _ in range(10):
        slope.press("ArrowRight")
    expect(page.get_by_test_id("stMetricValue").first).to_have_text("0.600")
    expect(page).to_have_url(re.compile("slope=3"))
    again = visit(page.url)
    wait_for_ideas(again)
    expect(again.get_by_test_id("stMetricValue").first).to_have_text("0.600")
    again.get_by_text("No, 0.3 is only the most that could happen").click()
    expect(again.get_by_text("The constant is a promise, not a forecast")).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/ideas"])
def test_nothing_is_wider_than_a_phone(slow_app: str, visit: Visit, path: str) -> None:
    page = visit(slow_app + path, width=390)
    (wait_for_result if path == "/" else wait_for_ideas)(page)
    assert fits(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/ideas"])
def test_axe_finds_nothing_serious(slow_app: str, visit: Visit, path: str, scheme: str) -> None:
    page = visit(slow_app + path, scheme=scheme)
    (wait_for_result if path == "/" else wait_for_ideas)(page)
    assert serious_faults(page) == []
