"""What the tests of the attack lab with one model share: a run to its end, its outcome, and what the page shows."""

from pathlib import Path

from job_pages import TIMEOUT
from streamlit.testing.v1 import AppTest

from robustiqa_core.samples import list_samples
from ui import cache, state
from ui.attack_job import Outcome
from ui.lab_job import LabOutcome

PAGE = Path(__file__).parents[2] / "pages" / "attack_lab.py"
FIRST, SECOND = list_samples()[:2]


def finish(lab: AppTest) -> AppTest:
    """Run the page, wait for the job that this starts, and let the page take note of its end."""
    before = shown(lab)
    lab.run()
    job = lab.session_state[state.LAB].active or shown(lab)
    assert job not in (None, before), "a job was to be started"
    assert not cache.jobs().wait(job, timeout=TIMEOUT).active
    return lab.run()


def shown(lab: AppTest) -> str | None:
    return lab.session_state[state.LAB].shown if state.LAB in lab.session_state else None


def outcome(lab: AppTest) -> Outcome:
    result = cache.jobs().result(lab.session_state[state.LAB].shown)
    assert isinstance(result, LabOutcome)
    return result.first


def command(lab: AppTest) -> str:
    """Return the command line that the page shows for the run."""
    return next(str(code.value) for code in lab.code if code.value.startswith("robustiqa attack"))


def headline(lab: AppTest) -> str:
    assert not lab.exception
    return str(lab.header[0].value)


def labels(lab: AppTest) -> list[str]:
    return [button.label for button in lab.button]


def lose(job: str) -> None:
    """Drop a job as the end of its visit does."""
    cache.jobs().forget(cache.jobs()._jobs[job].owner)
