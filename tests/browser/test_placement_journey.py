"""A journey through Block placement: a click in the diagram, a short hardening, figures beside the baseline."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

WAIT = 300_000
ADDRESS = "/block_placement?crops=16&epochs=1&width=16&grid=4"


@pytest.fixture
def page(browser: Browser, app: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, reduced_motion="reduce")
    context.set_default_timeout(WAIT)
    opened = context.new_page()
    # A server that nobody has visited yet does not know the addresses of its pages.
    opened.goto(app)
    expect(opened.get_by_role("link", name="Block placement")).to_be_visible(timeout=WAIT)
    opened.goto(f"{app}{ADDRESS}")
    yield opened
    context.close()


def test_a_place_is_clicked_hardened_and_compared(page: Page, tmp_path: Path) -> None:
    expect(page.get_by_text("Paper's ratio")).to_be_visible(timeout=WAIT)
    points = page.locator(".st-key-placement_diagram_linearity .point, [class*=st-key-placement_diagram] .point")
    expect(points.first).to_be_visible(timeout=WAIT)
    points.nth(4).click(force=True)
    expect(page.get_by_text("after stage 5").first).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Harden", exact=True).click()
    expect(page.get_by_role("heading", name=re.compile("Block after stage .*: the attack moves"))).to_be_visible(
        timeout=WAIT
    )
    expect(page).to_have_url(re.compile("position=after_stage"), timeout=WAIT)
    agreement = page.locator("[data-testid=stMetric]", has_text="SROCC with the baseline").inner_text()
    assert 0.0 < float(re.findall(r"\d\.\d{3}", agreement)[0]) <= 1.0
    with page.expect_download() as saved:
        page.get_by_role("button", name="Checkpoint (ZIP)").click()
    saved.value.save_as(tmp_path / "checkpoint.zip")
    assert (tmp_path / "checkpoint.zip").stat().st_size > 1_000_000
