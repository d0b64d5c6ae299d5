"""How long a stranger waits: from nothing to the app, to the first attack, to the first block placed and compared.

    python benchmarks/stranger.py [--chromium PATH] [--json FILE]

Clones this repository to an empty folder, installs with `make app` into the clone, and follows a visitor through a real
Chromium: the attack that the lab runs at once, then Harden on the page Block placement as it opens. Packages come from
wherever pip gets them, which on a slow line is most of the time.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser

from app import ROOT, chromium, found_chromium, opened, settled, wait_until_healthy

PORT = 8637
INSTALLATION_S = 1800.0


def measure(browser: Browser, folder: Path) -> Iterator[tuple[str, float]]:
    """Yield each mark with the seconds since the beginning, as soon as it is reached."""
    start = time.perf_counter()
    clone = folder / "robustiqa"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    yield "cloned", time.perf_counter() - start
    command = ["make", "app", f"PORT={PORT}", "STREAMLIT_ARGS=--server.headless true"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, cwd=clone, start_new_session=True, **quiet)  # type: ignore[call-overload]
    try:
        address = f"http://localhost:{PORT}"
        wait_until_healthy(address, INSTALLATION_S)
        yield "installed_and_running", time.perf_counter() - start
        page = opened(browser, f"{address}/attack_lab")
        settled(page)
        yield "first_attack", time.perf_counter() - start
        page.get_by_role("link", name="Block placement").click()
        page.get_by_role("button", name="Harden", exact=True).click()
        page.get_by_role("heading", name=re.compile("Block .*: the attack moves")).wait_for()
        yield "first_placement", time.perf_counter() - start
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)


def main() -> None:
    """Print the marks; write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chromium", default=found_chromium())
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = {}
    with chromium(arguments.chromium) as browser, tempfile.TemporaryDirectory() as folder:
        for name, seconds in measure(browser, Path(folder)):
            found[name] = round(seconds, 1)
            print(f"{name:<24}{seconds:8.1f} s", flush=True)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
