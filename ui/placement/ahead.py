"""The work shared by all trials of a model, done while the visitor still chooses: crops, baseline scores, an attack.

It yields to any other job on the server.
"""

from collections.abc import Callable, Iterator
from functools import partial

from robustiqa_core.hardening import HardeningRecipe, prepare
from robustiqa_core.jobs import JobSnapshot
from ui.hardening import live
from ui.hardening.job import Source
from ui.hardening.progress import ATTACKED, ShareDone, phases_of
from ui.jobs import cache as jobs_cache
from ui.jobs.page_job import PageJob
from ui.jobs.progress import Progress
from ui.placement import session
from ui.shell import cache


def is_ready(recipe: HardeningRecipe) -> bool:
    """Return whether this work is done for a recipe."""
    return jobs_cache.shelf().get(_key(recipe)) is not None


def keep_ready(recipe: HardeningRecipe) -> None:
    """Do it for a recipe unless it is done; after a failure not again in this visit.

    A failure here repeats when the model is hardened, and is reported there.
    """
    jobs = session.ahead_jobs()
    JOB.settle()
    if jobs.notice is not None and jobs.notice.kind == "error":
        return
    wanted = _key(recipe)
    running = None if jobs.active is None else _key(jobs.recipes[jobs.active])
    if wanted != running and not is_ready(recipe):
        JOB.start(recipe, partial(_prepare, recipe))


def follow() -> None:
    """Draw how far it is, until it has ended."""
    if session.ahead_jobs().active is not None:
        JOB.follow()


def _prepare(recipe: HardeningRecipe) -> Callable[[], Iterator[float]]:
    source = live.source_of(recipe)
    done = partial(jobs_cache.shelf().put, _key(recipe), True)
    return partial(preparation_records, recipe, source, lambda: cache.jobs().waiting > 0, done)


def preparation_records(
    recipe: HardeningRecipe, source: Source, is_wanted: Callable[[], bool], done: Callable[[], object]
) -> Iterator[float]:
    """Yield the share that is computed; end early where something else is waiting.

    Args:
        recipe: any that will follow.
        source: what it starts from.
        is_wanted: returns whether somebody else waits for the machine.
        done: called when everything is there.
    """
    share = ShareDone(tuple(phase for phase in phases_of(recipe, source.card) if phase.ahead))
    count = min(ATTACKED, source.data.validation_count)
    yield 0.0
    for record in prepare(recipe, source.baseline, source.card, source.data, cache=source.cache, attacked_crops=count):
        yield share.after(record)
        if is_wanted():
            return
    done()


def _progress(snapshot: JobSnapshot, recipe: HardeningRecipe) -> Progress:
    share = snapshot.record if isinstance(snapshot.record, float) else 0.0
    return Progress(share, f"Preparing crops and baseline scores, which every trial needs: {100 * share:.0f} %")


def _key(recipe: HardeningRecipe) -> str:
    facts = (recipe.model, recipe.data, recipe.crops, recipe.validation_crops, recipe.resize, recipe.crop)
    return "-".join(map(str, ("ahead", *facts, recipe.seed, recipe.precision)))


JOB = PageJob(
    noun="preparation",
    remembered=session.ahead_jobs,
    recipe=HardeningRecipe,
    outcome=float,
    progress=_progress,
    asked_for=False,
)
