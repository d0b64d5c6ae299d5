"""The attack lab while it works: announced, waiting, running, cancelled, failed, cut off, for two visits at once."""

from collections.abc import Callable

import pytest
import torch
from job_pages import TIMEOUT
from lab_pages import PAGE, finish, headline, labels, lose, outcome
from streamlit.testing.v1 import AppTest
from tiny_scorer import Gate, TinyScorer

from robustiqa_core.errors import NumericalError
from robustiqa_core.jobs import OUT_OF_MEMORY
from ui.lab import live, session
from ui.shell import cache, state

pytestmark = pytest.mark.thorough


def test_a_running_attack_shows_its_progress_and_the_curve_so_far(lab: AppTest, gate: Gate) -> None:
    lab.run()
    assert gate.waiting.wait(TIMEOUT)
    lab.run()
    assert not lab.exception
    assert "Cancel" in labels(lab)
    points = cache.jobs().snapshot(lab.session_state[session.JOBS].active).trace
    first, newest = points[0], points[-1]
    assert newest.step in (2, 3), "the gate stops the attack in the middle"
    assert lab.get("progress")[0].text.startswith(
        f"Step {newest.step} of 10. Score {first.score:.3f} → {newest.best_score:.3f}"
    )
    assert len(lab.image) == 2, "the photo and the curve so far"
    assert not lab.header, "there is no result yet"


def test_cancel_takes_effect_within_a_step_and_says_so(lab: AppTest, gate: Gate) -> None:
    lab.run()
    assert gate.waiting.wait(TIMEOUT)
    lab.run()
    job = lab.session_state[session.JOBS].active
    before = cache.jobs().snapshot(job)
    lab.button(key=state.CANCEL).click().run()
    gate.open()
    assert lab.info[0].value == f"Cancelled after step {before.trace[-1].step}."
    assert "Cancel" not in labels(lab)
    assert cache.jobs().snapshot(job).records == before.records, "not one more"


def test_the_previous_result_stays_after_a_cancelled_run(lab: AppTest, use: Callable[[TinyScorer], None]) -> None:
    finish(lab)
    before = headline(lab)
    stop = Gate(calls=3)
    use(TinyScorer(before_call=stop))
    lab.select_slider(key=state.PRESET).set_value(8.0).run()
    lab.button(key=state.RUN).click().run()
    assert stop.waiting.wait(TIMEOUT)
    lab.button(key=state.CANCEL).click().run()
    stop.open()
    assert headline(lab) == before
    assert lab.info[0].value.startswith("Cancelled")


def test_waiting_behind_others_is_shown_with_the_place_in_the_queue(lab: AppTest, gate: Gate) -> None:
    lab.run()
    assert gate.waiting.wait(TIMEOUT)
    other = AppTest.from_file(PAGE, default_timeout=TIMEOUT)
    other.query_params["attack"], other.query_params["direction"] = "pgd", "down"
    other.run()
    assert other.get("progress")[0].text == "Waiting: one attack is ahead of yours."
    gate.open()
    finish_again = [visit.session_state[session.JOBS].active for visit in (lab, other)]
    for job in finish_again:
        assert cache.jobs().wait(job, timeout=TIMEOUT).state == "done"
    assert "rose" in headline(lab.run())
    assert "fell" in headline(other.run())


def test_two_visits_with_different_settings_do_not_disturb_each_other(lab: AppTest) -> None:
    other = AppTest.from_file(PAGE, default_timeout=TIMEOUT)
    other.query_params["direction"] = "down"
    other.query_params["attack"] = "pgd"
    lab.run()
    finish(other)
    lab.run()
    assert "rose" in headline(lab)
    assert "fell" in headline(other)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NumericalError("a score is not finite; look for a root of 0"), "A score is not finite"),
        (torch.OutOfMemoryError("CUDA out of memory"), OUT_OF_MEMORY),
        (ZeroDivisionError("a bug"), "unexpected error"),
    ],
    ids=["numerical", "memory", "bug"],
)
def test_a_failed_attack_is_explained(
    lab: AppTest, use: Callable[[TinyScorer], None], error: Exception, text: str
) -> None:
    def fail() -> None:
        raise error

    use(TinyScorer(before_call=fail))
    finish(lab)
    assert not lab.exception
    message = lab.error[0].value.replace("\\", "")
    assert message.startswith("The attack failed.")
    assert text in message
    assert state.RUN in [button.key for button in lab.button]


def test_a_lost_connection_during_a_run_ends_in_a_sentence(lab: AppTest, gate: Gate) -> None:
    lab.run()
    assert gate.waiting.wait(TIMEOUT)
    lose(lab.session_state[session.JOBS].active)
    lab.run()
    assert not lab.exception
    assert "connection was lost" in lab.info[0].value
    assert "Cancel" not in labels(lab)


def test_a_run_that_takes_long_is_announced_before_it_starts(lab: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(lab)
    assert not lab.warning
    monkeypatch.setattr(
        live, "LONG_SECONDS", 2 * live.estimate_seconds(outcome(lab).report, done=10, steps=10, pixels=0)
    )
    lab.select_slider(key=state.STEPS).set_value(20).run()
    assert not lab.warning
    lab.select_slider(key=state.STEPS).set_value(50).run()
    assert "may take up to" in lab.warning[0].value
