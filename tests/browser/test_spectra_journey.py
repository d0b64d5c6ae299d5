"""What a visitor does on the page of spectra, in a real Chromium: all three views, with the numbers that they show."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

WAIT = 120_000
"""Milliseconds that anything may take on a busy machine with two cores."""
ADDRESS = "spectra?photos=cat&models=linearity-baseline&steps=2&attack=stadv&grid=5&norms=none"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a page of a new visitor, and check that it reported no error."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(WAIT)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def numbers(page: Page, folder: Path) -> dict[str, object]:
    """Run what is chosen, if it does not run by itself, and return the numbers that can be downloaded."""
    download = page.get_by_role("button", name="Numbers (JSON)")
    invitation = page.get_by_text(re.compile("Press Run the measurement"))
    expect(download.or_(invitation).or_(page.get_by_role("button", name="Cancel")).first).to_be_visible(timeout=WAIT)
    if invitation.is_visible():
        page.get_by_role("button", name="Run the measurement").click()
    expect(download).to_be_visible(timeout=WAIT)
    with page.expect_download(timeout=WAIT) as waiting:
        download.click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return json.loads(path.read_text("utf-8"))  # type: ignore[no-any-return]


def test_the_three_views_show_their_numbers_in_words_and_figures(app: str, page: Page, tmp_path: Path) -> None:
    # The app must have drawn one page before an address of another one is known.
    page.goto(f"{app}/how_it_works")
    expect(page.get_by_role("heading", name="Your photos")).to_be_visible(timeout=WAIT)
    page.goto(f"{app}/{ADDRESS}")

    (run,) = numbers(page, tmp_path)["runs"]  # type: ignore[misc]
    expect(page.get_by_text(f"lies {run['band_shares']['high']:.0%} of the energy")).to_be_visible()
    expect(page.get_by_text(f"from {run['flow']['mean']:.2f} px away in the mean")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(4)
    assert 0.0 < run["flow"]["mean"] < run["flow"]["maximum"]
    violations = [
        f"{item['id']}: {node['target']}"
        for item in Axe().run(page).response["violations"]
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"]
    ]
    assert violations == []

    page.get_by_role("radio", name="Sensitivity").click()
    (run,) = numbers(page, tmp_path)["runs"]  # type: ignore[misc]
    worst = max(max(row) for row in run["changes"])
    assert worst > 0.001
    expect(page.get_by_text(f"move the score farthest, by {worst:.1%} of its range")).to_be_visible()
    expect(page).to_have_url(re.compile("view=sensitivity"))

    page.get_by_role("radio", name="Layers").click()
    (run,) = numbers(page, tmp_path)["runs"]  # type: ignore[misc]
    score = run["points"][-1]["relative"]
    lead = score["stadv"]["mean"] / score["noise"]["mean"]
    expect(page.get_by_text(f"{lead:.1f} times as much at the score")).to_be_visible()
    expect(page.get_by_role("cell", name="after stage7")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    for selector in ("html", "[data-testid=stMain]"):
        assert page.locator(selector).evaluate("element => element.scrollWidth - element.clientWidth") <= 0
