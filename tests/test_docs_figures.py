"""Figures in the documentation name the weights that they were measured on, and these are the bundled ones.

The rule is mechanical. A section (from one heading to the next) of README.md or of a page below docs/ in which a
number with a decimal point or a percentage stands outside code must have a comment

    <!-- weights: linearity-baseline c1f808bc, tres-baseline c334bbd0 -->
    <!-- weights: old linearity-baseline 8eb13ad0 -->      figures of earlier weights: the text names the digest as well
    <!-- weights: none, WHY -->                            no figure here depends on weights

with the first eight digits of the sha256 in each card. Every architecture and variant that the section names must be
among them, unless it says none.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from robustiqa_core.checkpoints.storage import list_cards
from robustiqa_core.models.card import ModelCard

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def pages(docs: Path) -> list[Path]:
    """Return every page below `docs`, on whatever shelf."""
    return sorted(docs.rglob("*.md"))


PAGES = [ROOT / "README.md", *pages(DOCS)]
NAMES = {"Linearity": "linearity", "DBCNN": "dbcnn", "TReS": "tres"}
FIGURE = re.compile(r"\d\.\d|\d\s?%")
COMMENT = re.compile(r"<!-- weights: (.*?) -->", re.DOTALL)
ENTRY = re.compile(r"(old )?([a-z0-9]+-[a-z0-9-]+) ([0-9a-f]{8})")


@dataclass(frozen=True)
class Section:
    """A heading with what stands below it, and the same without code and comments."""

    place: str
    text: str
    prose: str


def sections(name: str, text: str) -> list[Section]:
    """Return the sections of a page; a line that begins with # within a fence is no heading."""
    found: list[list[str]] = [[]]
    prose: list[list[str]] = [[]]
    fence = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fence = not fence
        elif not fence and re.match(r"#{1,6} ", line):
            found.append([])
            prose.append([])
        found[-1].append(line)
        if not fence and not line.lstrip().startswith("```"):
            prose[-1].append(line)
    plain = [COMMENT.sub("", re.sub(r"`[^`]*`", "", "\n".join(lines))) for lines in prose]
    return [
        Section(f"{name}, {lines[0] if lines else 'top'}", "\n".join(lines), told)
        for lines, told in zip(found, plain, strict=True)
    ]


def faults(section: Section, cards: dict[str, ModelCard]) -> list[str]:
    """Return what is wrong with the comments of a section, in words; nothing where all is right."""
    comments = COMMENT.findall(section.text)
    if not comments:
        return ["has figures and no comment <!-- weights: ... -->"] if FIGURE.search(section.prose) else []
    if any(comment.startswith("none") for comment in comments):
        return [] if len(comments) == 1 and re.fullmatch(r"none, \S.+", comments[0], re.DOTALL) else ["says none: why?"]
    entries = [" ".join(part.split()) for comment in comments for part in comment.split(",")]
    wrong = [f"{entry!r} is not `[old ]MODEL-VARIANT 1a2b3c4d`" for entry in entries if not ENTRY.fullmatch(entry)]
    read = [found.groups() for entry in entries if (found := ENTRY.fullmatch(entry))]
    visible = COMMENT.sub("", section.text)
    for old, stem, digest in read:
        current = cards[stem].sha256[:8] if stem in cards else "no such card"
        if old and (current == digest or digest not in visible):
            wrong.append(f"old {stem} {digest} must differ from today's {current} and be named in the text")
        elif not old and current != digest:
            wrong.append(f"{stem} {digest} is stale: today's is {current}; measure anew")
    stems = {stem for _, stem, _ in read}
    for title, architecture in NAMES.items():
        if re.search(rf"\b{title}\b", section.prose) and not any(stem.startswith(architecture) for stem in stems):
            wrong.append(f"names {title}, and no weights of it")
    for variant in dict.fromkeys(card.variant for card in cards.values()):
        if f"`{variant}`" in section.text and not any(stem.endswith(f"-{variant}") for stem in stems):
            wrong.append(f"names `{variant}`, and no weights of it")
    return wrong


@pytest.fixture(scope="module")
def cards() -> dict[str, ModelCard]:
    return {card.stem: card for card in list_cards(ROOT / "checkpoints")}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_figures_name_the_weights_that_are_bundled(page: Path, cards: dict[str, ModelCard]) -> None:
    found = {
        section.place: wrong
        for section in sections(page.name, page.read_text(encoding="utf-8"))
        if (wrong := faults(section, cards))
    }
    assert not found, found


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("No figure of Linearity.", None),
        ("Linearity gains 0.62.", "no comment"),
        ("It keeps 62 % of it.", "no comment"),
        ("A setting `0.5`, and a release.", None),
        ("Linearity gains 0.62.\n<!-- weights: linearity-baseline DIGEST -->", None),
        ("Linearity gains 0.62.\n<!-- weights: linearity-baseline 00000000 -->", "stale"),
        ("Linearity gains 0.62.\n<!-- weights: linearity-unknown DIGEST -->", "stale"),
        ("Linearity and TReS gain 0.62.\n<!-- weights: linearity-baseline DIGEST -->", "names TReS"),
        ("`hardened-at` gains 0.62.\n<!-- weights: linearity-baseline DIGEST -->", "names `hardened-at`"),
        ("Of 8eb13ad0: 0.62.\n<!-- weights: old linearity-baseline 8eb13ad0 -->", None),
        ("It was 0.62.\n<!-- weights: old linearity-baseline 8eb13ad0 -->", "named in the text"),
        ("DIGEST: 0.62.\n<!-- weights: old linearity-baseline DIGEST -->", "must differ"),
        ("Costs 0.62 s.\n<!-- weights: none, times -->", None),
        ("Costs 0.62 s.\n<!-- weights: none -->", "why"),
        ("Gains 0.62.\n<!-- weights: the bundled ones -->", "is not"),
    ],
)
def test_the_rule_finds_figures_without_weights_and_weights_that_are_not_bundled(
    text: str, wrong: str | None, cards: dict[str, ModelCard]
) -> None:
    page = "# A page\n\n" + text.replace("DIGEST", cards["linearity-baseline"].sha256[:8])
    (found,) = (faults(section, cards) for section in sections("page", page)[1:])
    assert (not found) if wrong is None else wrong in " ".join(found), found


def test_pages_are_found_on_every_shelf_and_a_figure_without_weights_there_is_a_fault(
    tmp_path: Path, cards: dict[str, ModelCard]
) -> None:
    assert {page.parent.name for page in pages(DOCS)} == {"docs", "guide", "reference", "notebook"}
    (tmp_path / "shelf" / "deeper").mkdir(parents=True)
    (tmp_path / "shelf" / "deeper" / "page.md").write_text("# A page\n\nLinearity gains 0.62.\n", encoding="utf-8")
    (page,) = pages(tmp_path)
    assert any(faults(section, cards) for section in sections(page.name, page.read_text(encoding="utf-8")))


def test_a_hash_within_a_fence_is_no_heading() -> None:
    page = "# One\n\n```\n# 0.5\n```\n\n## Two\n0.5\n"
    assert [section.place for section in sections("page", page)] == ["page, top", "page, # One", "page, ## Two"]
    assert [bool(FIGURE.search(section.prose)) for section in sections("page", page)] == [False, False, True]
