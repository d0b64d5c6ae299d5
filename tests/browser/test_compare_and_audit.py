"""What a visitor does who compares models on several photos, and who asks whether one is as robust as it looks."""

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from visiting import WAIT, Visit, click_until, download, fits, run_where_asked, serious_faults

from robustiqa_core.images.samples import list_samples

pytestmark = pytest.mark.browser

PHOTOS = [sample.name for sample in list_samples()[:2]]
SLOPE = 20.0
"""Of the tiny scorer: FGSM moves its scores by SLOPE times the strength, of a range of 1."""
COMPARE = f"/compare?photos={','.join(PHOTOS)}&attacks=fgsm,noise&eps=2/255,8/255"
AUDIT = f"/audit?photos={PHOTOS[0]}&side=64&attack=fgsm&eps=4/255&audit_queries=60"
COMPARED = "The same numbers from the command line"
AUDITED = "The same findings from the command line"


def compared(page: Page) -> Page:
    run_where_asked(page, "Run the comparison", page.get_by_text(COMPARED))
    return page


def audited(page: Page) -> Page:
    expect(page.get_by_text(AUDITED)).to_be_visible(timeout=WAIT)
    return page


def test_a_comparison_from_the_first_look_to_the_photo_behind_a_point(
    tiny_app: str, visit: Visit, tmp_path: Path
) -> None:
    page = visit(tiny_app + COMPARE)
    compared(page)
    headline = re.compile(r"FGSM 8.255 moves the scores of .* by \+6\d %")
    expect(page.get_by_role("heading", name=headline)).to_be_visible()

    # The rows are those of a linear scorer, and the table says the same as the file.
    rows = list(csv.DictReader(download(page, "Rows (CSV)", tmp_path).read_text().splitlines()))
    assert len(rows) == 8
    strong = [row for row in rows if row["attack"] == "fgsm" and float(row["strength"]) == pytest.approx(8 / 255)]
    gains = [float(row["rounded_score"]) - float(row["clean_score"]) for row in strong]
    assert gains == pytest.approx([SLOPE * 8 / 255] * 2, abs=0.03)
    cell = page.get_by_role("row", name=re.compile("FGSM 8.255")).get_by_role("cell").nth(4)
    expect(cell).to_have_text(re.compile(rf"^{sum(gains) / 2:.2f} \["))

    # Another scale halves the figures without another attack.
    page.get_by_role("radio", name="Fixed").check(force=True)
    page.get_by_role("spinbutton", name="to", exact=True).fill("2")
    page.get_by_role("spinbutton", name="to", exact=True).press("Enter")
    expect(cell).to_have_text(re.compile(rf"^{sum(gains) / 4:.2f} \["))
    expect(page).to_have_url(re.compile("scale=0%2C2"))

    # A point of the chart is a photo.
    point = page.locator(".st-key-compare_scatter .scatterlayer .trace.scatter .point").last
    click_until(point, page.get_by_text("The same photo from the command line"))
    score = page.get_by_test_id("stMetricValue").nth(1).inner_text()
    assert score in {f"{float(row['rounded_score']):.3f}" for row in strong}


def test_an_audit_from_the_questions_to_the_findings_and_its_address(
    tiny_app: str, visit: Visit, tmp_path: Path
) -> None:
    page = visit(tiny_app + AUDIT)
    expect(page.get_by_text("There are 21 questions.")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Run the audit").click()
    audited(page)
    heading = page.get_by_role("heading", name=re.compile(r"\d+ of 21 checks"))
    expect(heading).to_be_visible()

    lines = list(csv.DictReader(download(page, "Findings (CSV)", tmp_path).read_text().splitlines()))
    verdicts = {line["check"]: line["verdict"] for line in lines}
    doubts = list(verdicts.values()).count("doubt")
    passed = list(verdicts.values()).count("pass")
    expected = f"In doubt: {doubts} of" if doubts else f"No doubt: {passed} of"
    assert heading.inner_text().startswith(f"{expected} {len(verdicts)} checks")
    gains = [float(line["value"]) for line in lines if line["check"] == "order"]
    assert any(gain == pytest.approx(100 * SLOPE * 4 / 255, rel=0.05) for gain in gains)

    again = audited(visit(page.url))
    expect(again.get_by_role("heading", name=heading.inner_text())).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_either_page(tiny_app: str, visit: Visit, scheme: str) -> None:
    page = compared(visit(tiny_app + COMPARE, scheme=scheme))
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    assert serious_faults(page) == []
    page = visit(tiny_app + AUDIT, scheme=scheme)
    page.get_by_role("button", name="Run the audit").click()
    assert serious_faults(audited(page)) == []


def test_both_pages_fit_on_a_phone(tiny_app: str, visit: Visit) -> None:
    compared(visit(tiny_app + COMPARE))
    assert fits(compared(visit(tiny_app + COMPARE, width=390, height=844)))
    # An audit that nobody made yet.
    page = visit(f"{tiny_app}{AUDIT}&audit_seed=7", width=390, height=844)
    expect(page.get_by_text("There are 21 questions.")).to_be_visible(timeout=WAIT)
    assert fits(page)


def test_an_address_opens_its_page_in_the_app_on_a_server_that_nobody_used_yet(cold_app: str, browser: Browser) -> None:
    page = browser.new_context().new_page()
    page.goto(f"{cold_app}/compare")
    expect(page.get_by_role("heading", name="Compare")).to_be_visible(timeout=WAIT)
    expect(page.get_by_role("link", name="How it works")).to_be_visible()
    page.context.close()
