"""What a visitor does who prunes a model: look at the plan, measure a curve, keep a model, use it on another page."""

import csv
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from test_journey import press
from visiting import WAIT, Visit, download, fits, serious_faults, wait_until_drawn

pytestmark = pytest.mark.browser

LONG = 3 * WAIT
"""Milliseconds that a whole sweep of a real model may take on a busy machine."""


def test_from_the_plan_to_a_pruned_model_that_is_attacked(app: str, visit: Visit, tmp_path: Path) -> None:
    page = visit(f"{app}/pruning?ratio=0.3&tuning=0")
    sentence = page.get_by_text(re.compile(r"[\d,]+ of [\d,]+ filters are pruned \(30 %\)"))
    expect(sentence).to_be_visible(timeout=WAIT)
    expect(page.get_by_text("Press Run the sweep")).to_be_visible(timeout=WAIT)
    assert serious_faults(page) == []

    # The plan follows the slider at once, and the address follows the plan.
    press(page.get_by_role("slider", name="Pruning ratio"), *["ArrowRight"] * 5)
    expect(page.get_by_text(re.compile(r"filters are pruned \(35 %\)"))).to_be_visible(timeout=WAIT)
    expect(page).to_have_url(re.compile("ratio=0.35"))

    # The curve fills while it runs, and its numbers are those of the file.
    page.get_by_role("button", name="Run the sweep").click()
    expect(page.get_by_text(re.compile("Point 2 of 6, 10 %"))).to_be_visible(timeout=LONG)
    expect(page.get_by_text("The same points from the command line")).to_be_visible(timeout=LONG)
    rows = list(csv.DictReader(download(page, "Curve (CSV)", tmp_path).read_text("utf-8").splitlines()))
    assert [float(row["ratio"]) for row in rows] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert float(rows[0]["agreement"]) == pytest.approx(1.0, abs=1e-3)
    assert float(rows[-1]["agreement"]) < 0.95, "pruning without tuning destroys a model"
    points = json.loads(download(page, "Curve (JSON)", tmp_path).read_text("utf-8"))["points"]
    for row, point in zip(rows, points, strict=True):
        cells = page.get_by_role("row", name=re.compile(rf"^{100 * float(row['ratio']):g} %")).get_by_role("cell")
        expect(cells.nth(3)).to_have_text(f"{float(row['gain']):+.3f}")
        assert point["figures"]["attacked"]["hardened"]["absolute_gain"] == float(row["gain"])
    assert serious_faults(page) == []

    # The same address opens the same curve; and a model that is kept is on every page.
    heading = page.locator("h2").first.inner_text()
    again = visit(page.url, width=390, height=844)
    expect(again.get_by_role("heading", name=heading)).to_be_visible(timeout=WAIT)
    assert fits(again)
    page.get_by_label("Its name").fill("slim")
    page.get_by_label("Its name").press("Enter")
    # Enter draws the page anew, in which a click may be lost; the command says when that is done.
    expect(page.get_by_text("--name slim ").first).to_be_visible(timeout=WAIT)
    wait_until_drawn(page)
    page.get_by_role("button", name="Keep for every page").click()
    expect(page.get_by_text("Kept as Linearity, slim.")).to_be_visible(timeout=WAIT)
    lab = visit(f"{app}/attack_lab?model=linearity&variant=slim&attack=fgsm")
    expect(lab.get_by_text("Linearity, slim").first).to_be_visible(timeout=WAIT)
