"""What a visitor does who sets a hardened model beside its baseline: both attacked, and each with the other's photo."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from test_journey import robustiqa
from visiting import WAIT, Visit, download, fits, serious_faults

from robustiqa_core.checkpoints.storage import list_cards

pytestmark = pytest.mark.browser

MODELS = ("linearity-baseline", "linearity-hardened-plus")
NAMES = ("Linearity baseline", "Linearity with block + adversarial training")
ADDRESS = "/attack_lab?photo=cat&model=linearity&against=linearity-hardened-plus&attack=pgd&eps=4/255&steps=3"


def duel(page: Page) -> Page:
    """Wait until both models are attacked and all of it is drawn."""
    expect(page.get_by_text("Try next")).to_be_visible(timeout=2 * WAIT)
    return page


def cell(page: Page, row: str, column: int) -> str:
    """Return what the table of each model on each change says."""
    return page.get_by_role("row", name=re.compile(f"^{re.escape(row)} ")).get_by_role("cell").nth(column).inner_text()


def test_what_the_screen_says_of_two_models_is_what_the_files_and_the_command_line_say(
    app: str, visit: Visit, tmp_path: Path
) -> None:
    page = duel(visit(app + ADDRESS))
    reports: list[dict[str, Any]] = []
    pictures: list[Path] = []
    for stem, name in zip(MODELS, NAMES, strict=True):
        page.get_by_role("tab", name=name).click()
        numbers = download(page, "Numbers (JSON)", tmp_path, within=f".st-key-download_json{stem}")
        reports.append(json.loads(numbers.read_text("utf-8")))
        pictures.append(download(page, "Adversarial photo (PNG)", tmp_path, within=f".st-key-download_png{stem}"))

    # Both were attacked with the same settings, and the headline, the meters and the table give the file's numbers.
    assert reports[0]["settings"] == reports[1]["settings"]
    widths = {card.stem: card.score_range.width for card in list_cards()}
    gains = [report["rounded_score"] - report["clean_score"] for report in reports]
    shares = [f"{gain / widths[stem]:+.0%}" for gain, stem in zip(gains, MODELS, strict=True)]
    said = f"PGD 4/255, 3 steps: {NAMES[0]} moves by {shares[0]} of its usual range, {NAMES[1]} by {shares[1]}."
    expect(page.get_by_role("heading", name=said)).to_be_visible()
    for number, report in enumerate(reports):
        meter = page.locator(".meter").nth(number)
        expect(meter.locator(".clean .value")).to_have_text(f"{report['clean_score']:.3f}")
        expect(meter.locator(".adversarial .value")).to_have_text(f"{report['rounded_score']:.3f}")
        own = f"{report['rounded_score']:.3f} ({shares[number]})"
        assert cell(page, f"changed against {NAMES[number]}", 1 + number) == own

    # The stored photo that was made against one model has the score that the table gives it by the other one.
    for made, scored in ((0, 1), (1, 0)):
        variant = MODELS[scored].partition("-")[2]
        words = ("score", pictures[made].name, "--model", "linearity", "--variant", variant)
        (found,) = robustiqa(*words, "--device", reports[made]["device"], "--json", folder=tmp_path)
        moved = (found["score"] - reports[scored]["clean_score"]) / widths[MODELS[scored]]
        assert cell(page, f"changed against {NAMES[made]}", 1 + scored) == f"{found['score']:.3f} ({moved:+.0%})"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_two_models_side_by_side_fit_on_a_phone_and_axe_finds_nothing_serious(
    app: str, visit: Visit, scheme: str
) -> None:
    page = duel(visit(app + ADDRESS, width=390, height=844, scheme=scheme))
    assert fits(page)
    assert serious_faults(page) == []
