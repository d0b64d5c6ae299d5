"""Axe looks at the pages that need the real models, in both colour schemes; the others have the tiny scorer."""

import re

import pytest
from playwright.sync_api import expect
from visiting import WAIT, Visit, run_where_asked, serious_faults

pytestmark = pytest.mark.browser

SPECTRA = "/spectra?photos=cat&models=linearity-baseline&steps=2&grid=5&norms=none"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("address", "sign"),
    [
        ("/block_placement", re.compile("Paper's ratio")),
        ("/pruning?ratio=0.3", re.compile(r"filters are pruned \(30 %\)")),
    ],
)
def test_axe_finds_nothing_serious_before_a_run(
    app: str, visit: Visit, address: str, sign: re.Pattern[str], scheme: str
) -> None:
    page = visit(app + address, scheme=scheme)
    expect(page.get_by_text(sign).first).to_be_visible(timeout=WAIT)
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=WAIT)
    assert serious_faults(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["perturbation", "layers"])
def test_axe_finds_nothing_serious_in_a_view_of_the_spectra(app: str, visit: Visit, view: str, scheme: str) -> None:
    page = visit(f"{app}{SPECTRA}&view={view}", scheme=scheme)
    run_where_asked(page, "Run the measurement", page.locator(f".st-key-spectra-{view}_json"))
    assert serious_faults(page) == []
