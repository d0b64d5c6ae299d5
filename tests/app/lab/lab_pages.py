"""What the tests of the attack lab with one model share: a run to its end, its outcome, and what the page shows."""

from pathlib import Path

from job_pages import TIMEOUT
from streamlit.testing.v1 import AppTest

from robustiqa_core.images.samples import list_samples
from ui.attacks.batch_job import BatchOutcome
from ui.attacks.job import Outcome
from ui.jobs import cache as jobs_cache
from ui.lab import session
from ui.shell import cache

PAGE = Path(__file__).parents[3] / "pages" / "attack_lab.py"
FIRST, SECOND = list_samples()[:2]


def finish(lab: AppTest) -> AppTest:
    """Run the page, wait for the job that this starts, and let the page take note of its end."""
    before = shown(lab)
    lab.run()
    job = lab.session_state[session.JOBS].active
    # A run that fails at once may have ended before the page was drawn: then the page has said so.
    if job is None and lab.session_state[session.JOBS].notice is not None:
        return lab
    assert (job or shown(lab)) not in (None, before), "a job was to be started, or a kept result to be shown"
    if job is not None:
        assert not cache.jobs().wait(job, timeout=TIMEOUT).active
    return lab.run()


def shown(lab: AppTest) -> str | None:
    return lab.session_state[session.JOBS].shown if session.JOBS in lab.session_state else None


def outcome(lab: AppTest) -> Outcome:
    result = found(str(lab.session_state[session.JOBS].shown))
    assert isinstance(result, BatchOutcome)
    return result.first


def found(name: str) -> object:
    """Return the result that is kept under a name, or that of a job."""
    kept = jobs_cache.shelf().get(name)
    return cache.jobs().result(name) if kept is None else kept


def command(lab: AppTest) -> str:
    """Return the command line that the page shows for the run."""
    return next(str(code.value) for code in lab.code if code.value.startswith("robustiqa attack"))


def headline(lab: AppTest) -> str:
    assert not lab.exception
    return str(lab.header[0].value)


def labels(lab: AppTest) -> list[str]:
    return [button.label for button in lab.button]


def lose(job: str) -> None:
    """Drop a job as the end of its visit does once nobody came back, and a kept result as the hour does."""
    jobs_cache.shelf.clear()
    queue = cache.jobs()
    with queue._changed:
        if job in queue._jobs:
            queue._drop(queue._jobs[job])
