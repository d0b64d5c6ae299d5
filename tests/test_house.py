"""Walls that the import contracts in pyproject.toml cannot check, because they look at packages only."""

import ast
import fnmatch
import os
import re
import runpy
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def test_the_entry_point_is_short_and_imports_neither_torch_nor_the_core() -> None:
    app = ROOT / "app.py"
    assert imported(app) <= {"pathlib", "streamlit", "ui"}
    assert len(app.read_text().splitlines()) <= 40


@pytest.mark.parametrize("path", sorted((ROOT / "pages").glob("*.py")), ids=lambda path: path.stem)
def test_a_page_reads_controls_and_draws(path: Path) -> None:
    assert not imported(path) & {"torch", "torchvision", "numpy", "scipy", "pandas"}


def mapped_rooms(package: str) -> set[str]:
    """Return the rooms that the map in CONTRIBUTING.md lists below a package."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    below = re.search(rf"^{package}/ .*\n((?:  .*\n)+)", text, re.MULTILINE)
    assert below is not None, f"the map names no {package}/"
    return set(re.findall(r"^  ([a-z_]+(?:/|\.py)) ", below.group(1), re.MULTILINE))


@pytest.mark.parametrize("package", ["ui", "robustiqa_core"])
def test_the_map_shows_every_room_and_no_other(package: str) -> None:
    files = [path.relative_to(ROOT / package) for path in (ROOT / package).rglob("*.py")]
    rooms = {f"{path.parts[0]}/" if len(path.parts) > 1 else path.name for path in files}
    assert mapped_rooms(package) == {room for room in rooms if not room.startswith("__")}


def test_no_two_modules_of_tests_have_one_name_so_that_any_selection_of_folders_runs() -> None:
    tests = ROOT / "tests"
    ignored = runpy.run_path(str(tests / "conftest.py"))["collect_ignore_glob"]
    collected = [
        path.name
        for path in tests.rglob("*.py")
        if not any(fnmatch.fnmatch(str(path), str(tests / pattern)) for pattern in ignored)
    ]
    assert len(collected) > 50
    assert not {name: count for name, count in Counter(collected).items() if count > 1}


def test_what_tests_share_is_found_from_any_selection() -> None:
    """A module that a test imports lies beside it, or where pytest's `pythonpath` leads."""
    found = {
        ROOT / path
        for path in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["pythonpath"]
    }
    homes = {path.stem: path.parent for path in (ROOT / "tests").rglob("*.py")}
    users = [(path, homes[name]) for path in (ROOT / "tests").rglob("*.py") for name in imported(path) & homes.keys()]
    assert len(users) > 50
    assert not [(str(path), str(home)) for path, home in users if home != path.parent and home not in found]


@pytest.mark.parametrize(
    ("tests", "package", "others"), [("tests/app", "ui", set()), ("tests", "robustiqa_core", {"app", "browser"})]
)
def test_the_rooms_of_the_tests_are_those_of_the_code(tests: str, package: str, others: set[str]) -> None:
    rooms = {path.parent.name for path in (ROOT / tests).glob("*/test_*.py")}
    assert len(rooms) > 10
    assert rooms - others <= {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}


def selected(target: str, **settings: str) -> list[tuple[str, str]]:
    """Return the marker expressions that a target of the Makefile runs pytest with."""
    words = ["make", "--dry-run", "--no-print-directory", *(f"{name}={value}" for name, value in settings.items())]
    # Without the settings of the `make` that runs this test, which it hands on through the environment.
    clean = {"PATH": os.environ["PATH"]}
    printed = subprocess.run([*words, target], cwd=ROOT, env=clean, capture_output=True, text=True, check=True).stdout
    return re.findall(r"pytest\b.*? -m (?:'([^']*)'|(\w+))", printed)


def test_make_test_leaves_out_what_is_slow_and_nothing_else() -> None:
    assert selected("test") == [("not slow and not browser", ""), ("", "browser")]


def test_make_fast_leaves_out_thorough_tests_but_not_of_a_selection() -> None:
    assert selected("fast") == [("not slow and not browser and not thorough", "")]
    assert selected("fast", PYTEST_ARGS="-k pgd") == [("not slow and not browser", "")]
