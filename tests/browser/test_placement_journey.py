"""A journey through Block placement: a click in the diagram, a short hardening, figures beside the baseline."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from visiting import WAIT, Visit, click_until, download

pytestmark = pytest.mark.browser

ADDRESS = "/block_placement?crops=16&epochs=1&width=16&grid=4"
VERDICT = re.compile("model with the block after stage", re.IGNORECASE)
LONG = 4 * WAIT
"""Milliseconds that a short hardening of a real model may take on a busy machine."""


def test_a_place_is_clicked_hardened_and_compared(app: str, visit: Visit, tmp_path: Path) -> None:
    page = visit(app + ADDRESS, height=1000)
    expect(page.get_by_text("Paper's ratio")).to_be_visible(timeout=WAIT)
    points = page.locator("[class*=st-key-placement_diagram] .point")
    expect(points.first).to_be_visible(timeout=WAIT)
    chosen = page.get_by_role("combobox", name="Place of the block").and_(page.locator("[value='after stage 5']"))
    click_until(points.nth(4), chosen)
    page.get_by_role("button", name="Harden", exact=True).click()
    cancel, found = page.get_by_role("button", name="Cancel"), page.get_by_role("heading", name=VERDICT)
    expect(cancel.or_(found).first).to_be_in_viewport(timeout=WAIT)
    expect(found).to_be_in_viewport(timeout=LONG)
    expect(page).to_have_url(re.compile("position=after_stage"), timeout=WAIT)
    agreement = page.locator("[data-testid=stMetric]", has_text="Agreement").inner_text()
    assert 0.0 < float(re.findall(r"\d\.\d{3}", agreement)[0]) <= 1.0
    assert download(page, "Checkpoint (ZIP)", tmp_path).stat().st_size > 1_000_000
