"""Work in the background of a page: whatever a feature computes, it starts, ends, fails and is found again alike."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from job_pages import TIMEOUT
from streamlit.testing.v1 import AppTest

from robustiqa_core.errors import InputError
from ui.jobs import cache as jobs_cache
from ui.shell import cache


@dataclass(frozen=True, slots=True)
class Count:
    """A toy recipe: how far to count."""

    most: int
    own: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """The toy's last record."""

    most: int


def count(recipe: Count) -> Iterator[object]:
    """Yield the toy's records; below zero it fails."""
    for number in range(abs(recipe.most)):
        yield number
        if recipe.most < 0:
            raise InputError("expected a number above 0, got less; choose another one")
    yield Counted(recipe.most)


def prepare(recipe: Count) -> Callable[[], Iterator[object]]:
    if recipe.most == 0:
        raise InputError("expected something to count, got nothing; choose another number")
    return lambda: count(recipe)


def page() -> None:
    """Be a page that counts: everything a feature says of its work stands here."""
    from functools import partial

    import streamlit as st
    from test_page_job import Count, Counted, prepare

    from ui.jobs.page_job import RESULT, PageJob
    from ui.jobs.progress import Progress
    from ui.shell.state import page_jobs

    job = PageJob(
        noun="count",
        remembered=lambda: page_jobs("toy"),
        recipe=Count,
        outcome=Counted,
        progress=lambda snapshot, recipe: Progress(0.5, "Counting"),
        keep_as=lambda recipe: None if recipe.own else f"count-{recipe.most}",
        address=lambda recipe: {RESULT: f"count-{recipe.most}"},
    )
    asked = st.session_state.pop("ask", None)
    if asked is not None:
        job.start(asked, partial(prepare, asked))
    job.settle()
    job.restore_named(None)
    job.draw_notice()
    if job.remembered().active is not None:
        job.follow()
        job.draw_away()
    found = job.result()
    if found is not None:
        st.markdown(f"Counted to {found.most}")


@pytest.fixture
def toy() -> AppTest:
    jobs_cache.shelf.clear()
    return AppTest.from_function(page, default_timeout=TIMEOUT)


def ask(toy: AppTest, recipe: Count) -> AppTest:
    """Ask for a count, wait for its end, and let the page take note of it."""
    toy.session_state["ask"] = recipe
    toy.run()
    active = toy.session_state["toy"].active
    if active is not None:
        assert not cache.jobs().wait(active, timeout=TIMEOUT).active
        toy.run()
    assert not toy.exception
    return toy


def test_a_result_is_shown_and_found_again_by_its_address(toy: AppTest) -> None:
    ask(toy, Count(3))
    assert toy.markdown[0].value == "Counted to 3"
    again = AppTest.from_function(page, default_timeout=TIMEOUT)
    again.query_params["result"] = "count-3"
    assert again.run().markdown[0].value == "Counted to 3"


def test_a_visitors_own_result_is_shown_and_not_kept_for_others(toy: AppTest) -> None:
    ask(toy, Count(3, own=True))
    assert toy.markdown[0].value == "Counted to 3"
    assert "result" not in toy.query_params
    assert jobs_cache.shelf().get("count-3") is None


def test_what_an_address_names_is_shown_only_where_it_is_of_the_pages_kind(toy: AppTest) -> None:
    jobs_cache.shelf().put("count-3", "something of another page")
    toy.query_params["result"] = "count-3"
    assert not toy.run().markdown


@pytest.mark.parametrize(
    ("most", "said"),
    [
        (0, "The count could not be started. Expected something to count, got nothing; choose another number."),
        (-1, "The count failed. Expected a number above 0, got less; choose another one."),
    ],
    ids=["refused", "failed"],
)
def test_why_there_is_no_result_is_said_and_the_one_before_stays(toy: AppTest, most: int, said: str) -> None:
    ask(toy, Count(3))
    ask(toy, Count(most))
    assert toy.error[0].value.replace("\\", "") == said
    assert toy.markdown[0].value == "Counted to 3"


def test_a_result_that_is_no_longer_kept_is_missed(toy: AppTest) -> None:
    ask(toy, Count(3))
    jobs_cache.shelf.clear()
    toy.run()
    assert toy.info[0].value == "The result is no longer kept. Run it again."
