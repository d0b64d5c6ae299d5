"""All pages of the app, once: the navigation on top and the cards on the first page are made from this table."""

import runpy
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class AppPage:
    """A page of the app.

    Args:
        title: its name in the navigation.
        icon: beside it.
        file: from the root of the repository.
        sentence: what one does there.
    """

    title: str
    icon: str
    file: str
    sentence: str

    @property
    def url_path(self) -> str:
        """The end of its address, which is the name of its file; empty for the first page."""
        return "" if self is START else Path(self.file).stem


START = AppPage("Start", ":material/home:", "pages/start.py", "An overview, and one result computed at once.")
LAB = AppPage(
    "Attack lab",
    ":material/experiment:",
    "pages/attack_lab.py",
    "Choose a photo and an attack, and watch the score move while the photo hardly changes.",
)
PLACEMENT = AppPage(
    "Block placement",
    ":material/account_tree:",
    "pages/block_placement.py",
    "Insert a protective block into a model, train it here, and see what changes.",
)
IDEAS = AppPage(
    "Ideas",
    ":material/lightbulb:",
    "pages/ideas.py",
    "Three small interactive demonstrations of how attacks and the defence work.",
)
PAGES: tuple[AppPage, ...] = (
    START,
    LAB,
    AppPage(
        "Compare",
        ":material/query_stats:",
        "pages/compare.py",
        "Attack many photos with several models, attacks and strengths. Curves, tables, and the worst cases.",
    ),
    AppPage(
        "Spectra",
        ":material/graphic_eq:",
        "pages/spectra.py",
        "Look inside a change: which frequencies it contains, and how it grows through a model.",
    ),
    PLACEMENT,
    AppPage(
        "Pruning",
        ":material/content_cut:",
        "pages/pruning.py",
        "Remove filters from a model and see how its robustness, accuracy and speed change.",
    ),
    AppPage(
        "Audit",
        ":material/fact_check:",
        "pages/audit.py",
        "Is a model robust, or does it only look so? Checks in plain words, with the figures behind them.",
    ),
    IDEAS,
    AppPage(
        "How it works",
        ":material/menu_book:",
        "pages/how_it_works.py",
        "The models, the words, the limits, and what happens to your photos.",
    ),
)


def listed_pages() -> tuple[AppPage, ...]:
    """Return the pages whose file is there, in the order of the navigation."""
    return tuple(page for page in PAGES if (_ROOT / page.file).is_file())


def navigation() -> list[st.Page]:
    """Return these pages as Streamlit's navigation needs them."""
    return [
        st.Page(
            page.file,
            title=page.title,
            icon=page.icon,
            url_path=page.url_path or None,
            default=page is START,
        )
        for page in listed_pages()
    ]


def through_app() -> None:
    """Run the app round a page that Streamlit opened by itself; each page calls this first.

    Until `app.py` has run once, a server takes the folder `pages/` for Streamlit's older kind of app, in which an
    address runs its page alone, without the app's frame. No public function tells which kind it is.
    """
    if PagesManager.uses_pages_directory:
        runpy.run_path(str(_ROOT / "app.py"))
        st.stop()
