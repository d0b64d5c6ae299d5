"""How quick the app is, and whether it keeps its memory: the real app, in a real Chromium.

    python benchmarks/app.py [--short] [--chromium PATH] [--json FILE]

Times the start of the server up to the first page, the switch to another page, and a slider up to the page's answer,
with one and with eight sessions that attack; then the server's memory after 20 attacks and after 200.
"""

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
OPTIONS = ["--server.headless", "true", "--server.fileWatcherType", "none", "--server.address", "127.0.0.1"]
ATTACKING = "/attack_lab?attack=pgd&steps=200&against=none"
QUICK = "/attack_lab?attack=pgd&steps=1&against=none"
CHANGED = "The controls have changed since this run."
"""What the page says while the controls ask for something else than it shows."""
WAIT = 300_000
"""Milliseconds after which a step counts as failed."""


@contextmanager
def served() -> Iterator[tuple[str, int]]:
    """Start the app; give its address and the server's process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port), *OPTIONS]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait(timeout=60)


def wait_until_healthy(address: str, seconds: float = WAIT / 1000) -> None:
    """Return when the server answers; end the benchmark where it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as response:
                if response.read() == b"ok":
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    raise SystemExit("the server did not answer; start it by hand to see why")


@contextmanager
def chromium(executable: str | None) -> Iterator[Browser]:
    """Start a Chromium, the one at a path or Playwright's own, without a screen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        browser.close()


def found_chromium() -> str | None:
    """Return the path of the Chromium that is installed."""
    return shutil.which("chromium") or shutil.which("google-chrome")


def opened(browser: Browser, address: str) -> Page:
    """Return the page of a new visitor."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(WAIT)
    page = context.new_page()
    page.goto(address)
    return page


def settled(page: Page) -> None:
    """Return when a result of the lab is shown in full."""
    page.get_by_text("Try next").wait_for()


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def switch(page: Page) -> None:
    """Go to the page with the texts and wait for it; then go back, which is not timed by itself."""
    page.get_by_role("link", name="How it works").click()
    page.get_by_role("heading", name="Your photos").wait_for()


def attacking(browser: Browser, address: str) -> Page:
    """Return the page of a new visitor whose attack runs or waits for its turn."""
    page = opened(browser, address + ATTACKING)
    page.get_by_role("button", name="Cancel").wait_for()
    return page


def move_slider(page: Page, *, away: bool) -> None:
    """Move the slider of the steps away from what is shown, or back, and wait until the page says so."""
    page.get_by_role("slider", name="Steps").press("ArrowRight" if away else "ArrowLeft")
    page.get_by_text(CHANGED).wait_for(state="visible" if away else "hidden")


def attack_again(page: Page) -> None:
    """Run the attack that the page shows once more, on the other side of the score, and wait for its result."""
    label = page.get_by_role("button", name="Lower the score").or_(page.get_by_role("button", name="Raise the score"))
    text = label.inner_text()
    label.click()
    page.get_by_role("button", name="Raise the score" if "Lower" in text else "Lower the score").wait_for()


def resident_mib(process: int) -> float:
    """Return the memory that the process holds, in MiB (Linux)."""
    pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
    return pages * 4096 / 2**20


def percentiles(samples: list[float]) -> dict[str, float]:
    """Return the median and the 95th percentile, in seconds."""
    return {"p50": statistics.median(samples), "p95": statistics.quantiles(samples, n=20, method="inclusive")[-1]}


def measure(browser: Browser, *, repeats: int, sessions: int, attacks: tuple[int, int]) -> Iterator[tuple[str, object]]:
    """Yield the name and the value of each figure as soon as it is there."""
    start = time.perf_counter()
    with served() as (address, process):
        page = opened(browser, address + QUICK)
        page.get_by_role("heading", name="Attack lab").wait_for()
        yield "start_to_first_page_s", time.perf_counter() - start
        settled(page)
        yield "start_to_first_result_s", time.perf_counter() - start
        switches = []
        for _ in range(repeats):
            switches.append(seconds(lambda: switch(page)))
            page.get_by_role("link", name="Attack lab").click()
            settled(page)
        yield "page_switch_s", percentiles(switches)
        for count in (1, sessions):
            others = [attacking(browser, address) for _ in range(count)]
            moves = [seconds(partial(move_slider, page, away=number % 2 == 0)) for number in range(2 * repeats)]
            yield f"slider_{count}_attacking_s", percentiles(moves)
            for other in others:
                other.context.close()
        memory, done = {}, 0
        page = opened(browser, address + QUICK)
        settled(page)
        for count in attacks:
            for _ in range(count - done):
                attack_again(page)
            done = count
            memory[count] = resident_mib(process)
        yield "memory_mib", memory
        yield "memory_growth", memory[attacks[1]] / memory[attacks[0]] - 1


def main() -> None:
    """Print the figures; write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="a few repeats, two sessions, six attacks: does it run?")
    parser.add_argument("--chromium", default=found_chromium())
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = {}
    with chromium(arguments.chromium) as browser:
        if arguments.short:
            figures = measure(browser, repeats=3, sessions=2, attacks=(2, 6))
        else:
            figures = measure(browser, repeats=30, sessions=8, attacks=(20, 200))
        for name, value in figures:
            found[name] = value
            print(f"{name:<28}{json.dumps(value)}", flush=True)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
