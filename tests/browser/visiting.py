"""What the journeys share: how long they wait, how they click on a busy machine, and what holds for every page."""

import time
from collections.abc import Callable, Collection
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Download, Locator, Page, TimeoutError, expect

WAIT = 180_000
"""Milliseconds that anything may take on a busy machine with two cores."""
ATTEMPT = 10_000
"""Milliseconds after which a click that nothing followed counts as lost: a page that is drawn anew drops it."""
SETTLING = 20.0
"""Seconds after which a page has ended to fade, also on a busy machine."""
Visit = Callable[..., Page]
"""What the fixture `visit` is: opens an address, by `width`, `height` and colour `scheme`."""


def download(page: Page, name: str, folder: Path, *, within: str = "body") -> Path:
    """Click a button that saves a file, again where the click is lost, and return the file.

    Args:
        page: with the button.
        name: of the button, which ends with the kind of the file in brackets.
        folder: where the file goes.
        within: selector of what the button is in, where several have one name.
    """
    button = page.locator(within).get_by_role("button", name=name)
    ending = "." + name.rpartition("(")[2].rstrip(")").lower()

    def wanted(found: Download) -> bool:
        return found.suggested_filename.endswith(ending)

    deadline = time.monotonic() + WAIT / 1000
    while True:
        wait_until_drawn(page)
        try:
            with page.expect_download(wanted, timeout=ATTEMPT) as waiting:
                button.click()
        except TimeoutError:
            if time.monotonic() > deadline:
                raise
            continue
        path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path


def click_until(target: Locator, answer: Locator) -> None:
    """Click what changes nothing when it is clicked twice, again where the click is lost, until its answer is there.

    Args:
        target: what is clicked, at its place on the screen even where something lies over it.
        answer: what appears then.
    """
    deadline = time.monotonic() + WAIT / 1000
    while True:
        wait_until_drawn(target.page)
        target.click(force=True)
        try:
            answer.wait_for(timeout=ATTEMPT)
        except TimeoutError:
            if time.monotonic() > deadline:
                raise
            continue
        return


def run_where_asked(page: Page, button: str, done: Locator) -> None:
    """Press a page's Run button where the page asks for that, and wait until the run is done.

    A first visit runs by itself where that is quick; on a busy machine the page asks.

    Args:
        page: that runs something.
        button: name of its Run button.
        done: what only a finished run shows.
    """
    invitation = page.get_by_text("You may cancel at any time.")
    expect(done.or_(invitation).or_(page.get_by_role("button", name="Cancel")).first).to_be_visible(timeout=WAIT)
    wait_until_drawn(page)
    if invitation.is_visible():
        page.get_by_role("button", name=button).click()
    expect(done).to_be_visible(timeout=WAIT)


def wait_until_drawn(page: Page) -> None:
    """Wait until the page is not being drawn anew, in which a click may be lost."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=WAIT)


def fits(page: Page) -> bool:
    """Return whether nothing is wider than the window, and no choice is hidden beside those of its control."""
    parts = [page.locator(selector) for selector in ("html", "[data-testid=stMain]")]
    # On a phone the sidebar's are there, a few pixels wide, while it is shut.
    open_parts = "[data-testid=stMain], [data-testid=stSidebar][aria-expanded=true]"
    parts += page.locator(open_parts).locator("[data-testid=stButtonGroup] [role=radiogroup]:visible").all()
    return all(part.evaluate("element => element.scrollWidth - element.clientWidth") <= 0 for part in parts)


def serious_faults(page: Page, also: Collection[str] = ()) -> list[str]:
    """Return what axe finds that is serious or worse and stays so.

    What is drawn anew fades for a moment, and has too little contrast then; a true fault is there the next time, too.

    Args:
        page: that is looked at.
        also: names of rules whose faults count, however small axe takes them.
    """
    deadline = time.monotonic() + SETTLING
    while True:
        wait_until_drawn(page)
        faults = [
            f"{item['id']}: {node['target']} {node['failureSummary']}"
            for item in Axe().run(page).response["violations"]
            if item["impact"] in ("serious", "critical") or item["id"] in also
            for node in item["nodes"]
        ]
        if not faults or time.monotonic() > deadline:
            return faults
