"""A reload of the attack lab: the job goes on, the result is there, and a photo of one's own is never replaced."""

from collections.abc import Callable

import pytest
from job_pages import TIMEOUT, png
from lab_pages import PAGE, finish, headline, outcome, shown
from streamlit.testing.v1 import AppTest
from tiny_scorer import Gate, TinyScorer

from robustiqa_core import jobs
from ui.jobs import page_job
from ui.lab import session
from ui.shell import cache, state

pytestmark = pytest.mark.thorough


def reload(lab: AppTest) -> AppTest:
    """Return the page as it is when its address is loaded anew: another visit, which the address alone tells where."""
    again = AppTest.from_file(PAGE, default_timeout=TIMEOUT)
    for key, values in lab.query_params.items():
        again.query_params[key] = values[0] if isinstance(values, list) else values
    return again


def upload(lab: AppTest, name: str = "mine.png") -> None:
    lab.file_uploader[0].upload(name, png(), "image/png")
    lab.run()
    lab.button(key=state.RUN).click()


def test_a_reload_during_a_run_goes_on_with_that_run(lab: AppTest, use: Callable[[TinyScorer], None]) -> None:
    finish(lab)
    stop = Gate(calls=5)
    use(TinyScorer(before_call=stop))
    lab.button(key="next_1").click().run()
    assert stop.waiting.wait(TIMEOUT)
    job = lab.session_state[session.JOBS].active
    recipe = lab.session_state[session.JOBS].recipes[job]
    again = reload(lab.run()).run()
    assert again.session_state[session.JOBS].active == job, "the same job, not another one"
    stop.open()
    assert cache.jobs().wait(job, timeout=TIMEOUT).state == "done"
    again.run()
    assert outcome(again).recipe == recipe.runs()[0]
    assert headline(lab.run()) == headline(again)


def test_a_finished_run_is_not_computed_again_by_a_reload_nor_by_its_address(
    lab: AppTest, use: Callable[[TinyScorer], None]
) -> None:
    finish(lab)
    lab.select_slider(key=state.PRESET).set_value(8.0)
    lab.button(key=state.RUN).click()
    finish(lab)
    calls: list[None] = []
    use(TinyScorer(before_call=lambda: calls.append(None)))
    again = reload(lab).run()
    assert not calls, "nothing is computed"
    assert again.session_state[session.JOBS].active is None
    assert (headline(again), shown(again)) == (headline(lab), shown(lab))
    assert outcome(again).adversarial_png == outcome(lab).adversarial_png


def test_run_pressed_on_what_is_shown_computes_it_anew(lab: AppTest) -> None:
    finish(lab)
    lab.button(key=state.RUN).click().run()
    job = lab.session_state[session.JOBS].active
    assert job is not None
    assert cache.jobs().wait(job, timeout=TIMEOUT).state == "done"


def test_a_result_is_kept_by_the_weights_of_its_models(lab: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(lab)
    monkeypatch.setattr(cache, "weights", lambda stem: "of another model with the same name")
    again = reload(lab).run()
    assert again.session_state[session.JOBS].active is not None


def test_a_reload_finds_the_result_of_ones_own_photo_for_a_while(lab: AppTest) -> None:
    finish(lab)
    upload(lab)
    finish(lab)
    again = reload(lab).run()
    assert not again.exception
    assert again.session_state[session.JOBS].active is None
    assert outcome(again).recipe.photo.name == "mine.png"
    assert headline(again) == headline(lab)
    assert again.button(key=state.RUN).disabled, "the photo itself is not in the controls any more"
    assert any("Your own photo is no longer in memory" in caption.value for caption in again.caption)


def test_an_own_photo_that_is_gone_is_called_that_and_nothing_else_is_run(lab: AppTest) -> None:
    finish(lab)
    upload(lab)
    finish(lab)
    again = reload(lab)
    again.query_params["job"] = "f" * 32
    again.run()
    assert not again.exception
    assert (again.session_state[session.JOBS].active, shown(again)) == (None, None)
    assert "Nothing else was run in their place" in again.info[0].value
    assert not again.header


@pytest.mark.parametrize("own", ["3", "1"])
def test_an_address_of_own_photos_opens_the_controls_for_them(lab: AppTest, own: str) -> None:
    lab.query_params["own"] = own
    lab.run()
    assert not lab.exception
    assert lab.session_state[session.JOBS].active is None
    assert lab.toggle(key=session.SEVERAL).value == (own == "3")


def test_what_is_shared_of_an_own_photo_opens_the_same_settings_on_a_sample(lab: AppTest) -> None:
    finish(lab)
    upload(lab)
    finish(lab)
    texts = [part.value for part in lab.markdown]
    assert "This address opens the same settings on a sample photo:" in texts
    shared = next(code.value for code in lab.code if "attack=pgd" in code.value)
    assert "own=" not in shared
    assert "job=" not in shared
    assert "mine" not in shared


def test_a_lab_run_outlives_a_look_at_another_page(lab: AppTest, gate: Gate) -> None:
    lab.run()
    assert gate.waiting.wait(TIMEOUT)
    job = lab.session_state[session.JOBS].active
    assert cache.jobs()._jobs[job].heartbeat == page_job.AWAY_SECONDS


def test_one_visitor_who_cancels_does_not_end_the_run_of_another(
    lab: AppTest, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A browser asks for the job several times a second; here only a run of the page does, which may take its time.
    monkeypatch.setattr(jobs, "SHARED", TIMEOUT)

    def visit(page: AppTest, owner: str) -> AppTest:
        # All pages of a test are of one session, and would be one visitor.
        monkeypatch.setattr(cache, "owner", lambda: owner)
        return page.run()

    visit(lab, "one")
    assert gate.waiting.wait(TIMEOUT)
    other = visit(AppTest.from_file(PAGE, default_timeout=TIMEOUT), "another")
    job = lab.session_state[session.JOBS].active
    assert other.session_state[session.JOBS].active == job
    visit(lab, "one")
    visit(other, "another")
    visit(lab.button(key=state.CANCEL).click(), "one")
    assert lab.session_state[session.JOBS].active is None
    assert lab.info[0].value.startswith("Cancelled")
    gate.open()
    assert cache.jobs().wait(job, timeout=TIMEOUT).state == "done"
    assert headline(visit(other, "another"))


def test_a_very_small_photo_is_accepted_with_a_hint(lab: AppTest) -> None:
    finish(lab)
    lab.file_uploader[0].upload("tiny.png", png((80, 80)), "image/png")
    lab.run()
    assert not lab.exception
    assert "very small (80 × 80 px)" in lab.warning[0].value
