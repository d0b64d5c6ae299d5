"""Text in charts has enough contrast, nothing lies under a chart's button, headings have an order, on every page."""

import re

import pytest
from playwright.sync_api import Page, expect
from reading import covered_by_the_button, faint_texts
from visiting import WAIT, Visit, serious_faults, wait_until_drawn

pytestmark = pytest.mark.browser

QUICK = "photos=cat,fig_in_a_red_bowl&steps=2"
PAGES = {
    "start": ("/", "Where to go next"),
    "compare": (f"/compare?{QUICK}&models=linearity-baseline,linearity-hardened&eps=4/255", "Worst cases"),
    "perturbation": (f"/spectra?{QUICK}&models=linearity-baseline", "The same numbers from the command line"),
    "sensitivity": (f"/spectra?view=sensitivity&grid=5&{QUICK}&models=linearity-baseline", "By wave"),
    "layers": (f"/spectra?view=layers&norms=none&{QUICK}&models=linearity-baseline", "Within each stage"),
    "placement": ("/block_placement", "Paper's ratio"),
    "pruning": ("/pruning?ratio=0.3", "Filters of each layer"),
    "audit": ("/audit", "Run the audit"),
    "ideas": ("/ideas", "Ideas"),
    "how it works": ("/how_it_works", "Words"),
}
"""Address, and what is only there when all is drawn."""


def open_page(app: str, visit: Visit, name: str, **look: object) -> Page:
    address, sign = PAGES[name]
    page = visit(app + address, **look)
    invitation = page.get_by_text("You may cancel at any time.")
    expect(page.get_by_text(sign).or_(invitation).first).to_be_visible(timeout=WAIT)
    if name in ("compare", "perturbation", "sensitivity", "layers") and invitation.is_visible():
        page.get_by_role("button", name=re.compile("^Run the")).click()
    expect(page.get_by_text(sign).first).to_be_visible(timeout=WAIT)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0, timeout=WAIT)
    wait_until_drawn(page)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_can_be_read_and_has_headings_in_order(app: str, visit: Visit, name: str, scheme: str) -> None:
    page = open_page(app, visit, name, scheme=scheme)
    assert serious_faults(page, also=("heading-order",)) == []
    if page.locator(".js-plotly-plot").count():
        assert faint_texts(page) == []
        assert covered_by_the_button(page) == []


@pytest.mark.parametrize("name", ["start", "compare", "placement", "pruning", "layers"])
def test_nothing_lies_under_the_button_of_a_chart_on_a_phone(app: str, visit: Visit, name: str) -> None:
    page = open_page(app, visit, name, width=390, height=844)
    assert covered_by_the_button(page) == []
