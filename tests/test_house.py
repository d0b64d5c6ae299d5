"""Walls that the import contracts in pyproject.toml cannot check, because they look at packages only."""

import ast
import re
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
