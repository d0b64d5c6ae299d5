"""What a visitor does on the page of spectra, in a real Chromium: all three views, with the numbers that they show."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from visiting import Visit, download, fits, run_where_asked, serious_faults

pytestmark = pytest.mark.browser

ADDRESS = "/spectra?photos=cat&models=linearity-baseline&steps=2&attack=stadv&grid=5&norms=none"


def numbers(page: Page, view: str, folder: Path) -> dict[str, Any]:
    """Run what is chosen, if it does not run by itself, and return the numbers that can be downloaded.

    Until the view's own result is there, that of the view before may still be on the screen.
    """
    own = f".st-key-spectra-{view}_json"
    run_where_asked(page, "Run the measurement", page.locator(own))
    expect(page).to_have_url(re.compile(f"view={view}.*result={view}-"))
    saved: dict[str, Any] = json.loads(download(page, "Numbers (JSON)", folder, within=own).read_text("utf-8"))
    return saved


def test_the_three_views_show_their_numbers_in_words_and_figures(app: str, visit: Visit, tmp_path: Path) -> None:
    page = visit(app + ADDRESS)
    (run,) = numbers(page, "perturbation", tmp_path)["runs"]
    expect(page.get_by_text(f"lies {run['band_shares']['high']:.0%} of the energy")).to_be_visible()
    expect(page.get_by_text(f"from {run['flow']['mean']:.2f} px away on average")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(4)
    assert 0.0 < run["flow"]["mean"] < run["flow"]["maximum"]
    assert serious_faults(page) == []

    page.get_by_role("radio", name="Sensitivity").click()
    (run,) = numbers(page, "sensitivity", tmp_path)["runs"]
    worst = max(max(row) for row in run["changes"])
    assert worst > 0.001
    expect(page.get_by_text(f"move the score farthest, by {worst:.1%} of its usual range")).to_be_visible()

    page.get_by_role("radio", name="Layers").click()
    (run,) = numbers(page, "layers", tmp_path)["runs"]
    score = run["points"][-1]["relative"]
    lead = score["stadv"]["mean"] / score["noise"]["mean"]
    expect(page.get_by_text(f"{lead:.1f} times as much at the score")).to_be_visible()
    expect(page.get_by_role("cell", name="after stage 7")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    assert fits(page)
