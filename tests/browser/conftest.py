"""A real Chromium, and the app as `streamlit run app.py` serves it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from visiting import WAIT, Visit

ROOT = Path(__file__).parents[2]
REQUIRED = "ROBUSTIQA_REQUIRE_BROWSER"
"""With this environment variable set to 1 a missing browser is a failure."""
START_SECONDS = 120
SERVER_OPTIONS = ["--server.headless", "true", "--server.fileWatcherType", "none", "--server.address", "127.0.0.1"]


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of an installed Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    for name in (os.environ.get("CHROMIUM", ""), *names):
        if name and (path := shutil.which(name)):
            return path
    missing = "no Chromium on the PATH (Debian: apt install chromium)"
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """Return a browser without a window; each test opens a context of its own in it."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the app with its bundled models and return its address."""
    command = [sys.executable, "-m", "streamlit", "run", "app.py"]
    with _serve(command, tmp_path_factory.mktemp("app") / "log.txt") as address:
        yield address


@pytest.fixture(scope="session")
def slow_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the app with the tiny scorer, a fifth of a second a step, and return its address."""
    command = [sys.executable, "tests/app/serve_tiny.py", "0.2"]
    with _serve(command, tmp_path_factory.mktemp("slow_app") / "log.txt") as address:
        yield address


@pytest.fixture
def cold_app(tmp_path: Path) -> Iterator[str]:
    """Serve the app with the instant tiny scorer on a server of the test's own, and return its address."""
    with _serve([sys.executable, "tests/app/serve_tiny.py", "0"], tmp_path / "cold_app.txt") as address:
        yield address


@pytest.fixture(scope="session")
def tiny_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the app with the tiny scorer, which answers at once, and return its address."""
    command = [sys.executable, "tests/app/serve_tiny.py", "0"]
    with _serve(command, tmp_path_factory.mktemp("tiny_app") / "log.txt") as address:
        yield address


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Return what opens an address as a new visitor, and check that the page reported no error and called nobody."""
    contexts, complaints = [], []

    def open_page(address: str, *, width: int = 1280, height: int = 900, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
        )
        context.set_default_timeout(WAIT)
        contexts.append(context)
        page = context.new_page()
        host = re.match(r"https?://[^/]+", address)
        page.on("pageerror", lambda error: complaints.append(f"error on the page: {error}"))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((host.group(), "data:", "blob:", host.group().replace("http", "ws")))
                else complaints.append(f"asked another server: {request.url}")
            ),
        )
        page.on(
            "response",
            lambda response: (
                complaints.append(f"a picture was gone: {response.url}")
                if response.status >= 400 and "/media/" in response.url
                else None
            ),
        )
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@contextmanager
def _serve(command: list[str], log: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # As `ui` sets it; with the tiny scorer torch is imported before that.
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "--server.port", str(port), *SERVER_OPTIONS],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_healthy(server, f"http://127.0.0.1:{port}/_stcore/health", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_until_healthy(server: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5) as response:
                if response.read() == b"ok":
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(f"the server did not start; its log:\n{log.read_text(errors='replace')[-4000:]}")
