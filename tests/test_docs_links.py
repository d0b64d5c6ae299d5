"""README, CONTRIBUTING and the three shelves of docs/: links resolve, every page is listed, tables fit on a screen."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SHELVES = ("guide", "reference", "notebook")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
LONGEST_ROW = 160


def prose(text: str) -> str:
    """Return a page without its fenced blocks and inline code."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE))


def anchors(text: str) -> set[str]:
    """Return the anchors of a page: its headings as GitHub spells them, and those written as HTML."""
    without_fences = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#{1,6} (.+)$", without_fences, flags=re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in plain}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


def broken(page: Path, text: str) -> list[str]:
    """Return the relative links of a page that lead nowhere."""
    wrong = []
    for link in LINK.findall(prose(text)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if path and not target.exists():
            wrong.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(text if target == page else target.read_text(encoding="utf-8")):
            wrong.append(f"{link}: no such heading")
    return wrong


def long_rows(text: str) -> list[str]:
    """Return the rows of tables that are longer than fits on a screen."""
    return [line for line in text.splitlines() if line.lstrip().startswith("|") and len(line) > LONGEST_ROW]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere_and_every_table_fits(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not broken(page, text)
    assert not long_rows(text)


def test_every_page_stands_on_a_shelf_and_in_the_index() -> None:
    pages = sorted(path.relative_to(DOCS) for path in DOCS.rglob("*.md"))
    assert {path.parts[0] for path in pages} == {"README.md", *SHELVES}
    listed = set(LINK.findall((DOCS / "README.md").read_text(encoding="utf-8")))
    assert not {str(path) for path in pages} - listed - {"README.md"}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[a](missing.md)", "no such file"),
        ("[a](#gone)", "no such heading"),
        ("[a](README.md#gone)", "no such heading"),
        ("# Here it is\n[a](#here-it-is)", None),
        ("# A `code` heading, twice\n[a](#a-code-heading-twice)", None),
        ("[a](README.md#robustiqa)", None),
        ("```\n[a](missing.md)\n```", None),
        ("[a](https://example.org/missing.md)", None),
    ],
)
def test_a_link_that_leads_nowhere_is_found(text: str, wrong: str | None) -> None:
    found = broken(ROOT / "PAGE.md", text)
    assert (not found) if wrong is None else wrong in " ".join(found)


def test_a_row_that_is_too_long_is_found() -> None:
    assert long_rows("|" + "x" * LONGEST_ROW) and not long_rows("|" + "x" * (LONGEST_ROW - 1))
