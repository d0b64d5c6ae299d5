"""What the journeys share: how long they wait, and what holds for every page."""

from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WAIT = 90_000
"""Milliseconds that anything may take on a busy machine with two cores."""
Visit = Callable[..., Page]
"""What the fixture `visit` is: opens an address, by `width`, `height` and colour `scheme`."""


def fits(page: Page) -> bool:
    """Return whether nothing is wider than the window."""
    parts = [page.locator(selector) for selector in ("html", "[data-testid=stMain]")]
    return all(part.evaluate("element => element.scrollWidth - element.clientWidth") <= 0 for part in parts)


def serious_faults(page: Page) -> list[str]:
    """Return what axe finds that is serious or worse."""
    return [
        f"{item['id']}: {node['target']} {node['failureSummary']}"
        for item in Axe().run(page).response["violations"]
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"]
    ]
