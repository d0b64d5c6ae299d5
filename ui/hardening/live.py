"""The job of a hardening on a page: what is submitted, what is drawn while it runs, and its outcome."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import cast

import streamlit as st

from robustiqa_core.errors import RobustIQAError
from robustiqa_core.hardening import Epoch, HardeningRecipe
from robustiqa_core.jobs import JobSnapshot
from robustiqa_core.metrics.correlation import spell_correlation
from ui.hardening import cache as hardening_cache
from ui.hardening.data import DATASET_VARIABLE, ROOT_VARIABLE, LabelledSet, tuning_data
from ui.hardening.figures import epoch_figure
from ui.hardening.job import Found, HardeningJobRecord, HardeningStep, News, Source, Trial, hardening_records, news_of
from ui.hardening.progress import estimate_seconds
from ui.hardening.recipe import address_of, key_of
from ui.jobs import cache as jobs_cache
from ui.jobs import page_job
from ui.jobs.page_job import PageJob
from ui.jobs.progress import STARTING, Progress
from ui.shell import cache
from ui.shell.charts import draw_live_chart
from ui.shell.glossary import WORDS
from ui.shell.markdown import plain, sentence
from ui.shell.state import PageJobs


def baselines() -> list[str]:
    """Return the architectures whose baseline can be hardened."""
    return [card.model for card in cache.cards().values() if card.variant == "baseline"]


def labelled() -> LabelledSet | None:
    """Return the labelled set of the server; None where it has none, or one that cannot be read."""
    try:
        return hardening_cache.labelled()
    except RobustIQAError:
        return None


def draw_way() -> None:
    """Say on which photos a model is tuned here, and with what as their right answers."""
    try:
        known = hardening_cache.labelled()
    except RobustIQAError as error:
        known = None
        st.warning(f"The labelled photos of this server cannot be used. {sentence(error)}")
    if known is None:
        st.caption(
            "Tuned by distillation: on crops of the bundled photos, with the baseline's own scores as answers. "
            f"For human ratings set {DATASET_VARIABLE} and {ROOT_VARIABLE} on the server."
        )
    else:
        st.caption(f"Tuned on {plain(known.title)}, with human ratings (MOS) as answers.")


def source_of(recipe: HardeningRecipe) -> Source:
    """Return what a recipe starts from, loaded.

    Raises:
        RobustIQAError: the model, or its photos, cannot be read.
    """
    known = None if recipe.is_distillation else hardening_cache.labelled()
    card = cache.cards()[f"{recipe.model}-{recipe.start}"]
    return Source(hardening_cache.network(recipe.model), card, tuning_data(recipe, known), hardening_cache.computed())


def expected_seconds(recipe: HardeningRecipe, *, prepared: bool = False) -> float:
    """Return how long a hardening takes here when nothing else runs, and nothing is known but what was prepared."""
    card = cache.cards()[f"{recipe.model}-{recipe.start}"]
    return estimate_seconds(recipe, card, jobs_cache.speed(card.model, card.variant), prepared=prepared)


def hardening_job(remembered: Callable[[], PageJobs[HardeningRecipe]]) -> PageJob[HardeningRecipe, Trial]:
    """Return a hardening as a job of any page.

    Args:
        remembered: returns what this visit remembers of it.
    """
    return PageJob(
        noun="hardening",
        remembered=remembered,
        recipe=HardeningRecipe,
        outcome=Trial,
        progress=_progress,
        beside=_beside,
        cancelled=_cancelled,
        keep_as=trial_key,
        address=address,
        trace=lambda record: news_of(record),
        heartbeat=page_job.AWAY_SECONDS,
    )


def prepare(recipe: HardeningRecipe) -> Callable[[], Iterator[HardeningJobRecord]]:
    """Load what a recipe starts from, and return what gives the records of its hardening."""
    return partial(hardening_records, recipe, source_of(recipe), hardening_cache.trial_store().put)


def restore(job: PageJob[HardeningRecipe, Trial]) -> None:
    """Show the trial that the address names, if it is kept; what others tried is not what a visitor begins with."""
    named = st.query_params.get(page_job.RESULT)
    known = None if named is None else hardening_cache.trial_store().trial(named)
    if named is not None and known is not None:
        jobs_cache.shelf().put(named, known)
    job.restore(named)


def address(recipe: HardeningRecipe) -> dict[str, str]:
    """Return the query parameters that open the trial of a recipe."""
    return {**address_of(recipe), page_job.RESULT: trial_key(recipe)}


def trial_key(recipe: HardeningRecipe) -> str:
    """Return the name under which the trial of a recipe is kept on this server."""
    return key_of(recipe, cache.cards()[f"{recipe.model}-{recipe.start}"].sha256)


def _progress(snapshot: JobSnapshot, recipe: HardeningRecipe) -> Progress:
    step = snapshot.record
    if not isinstance(step, HardeningStep):
        return Progress(0.0, STARTING)
    return Progress(step.share, step.doing, expected_seconds(recipe))


def _beside(snapshot: JobSnapshot, recipe: HardeningRecipe) -> Callable[[], None]:
    """Make the curves of the epochs so far; return what draws them, and what else is known."""
    news = cast(Sequence[News], snapshot.trace)
    epochs = [one for one in news if isinstance(one, Epoch)]
    found = next((one for one in news if isinstance(one, Found)), None)
    figure = epoch_figure(epochs, epochs_in_all=recipe.epochs) if epochs else None

    def draw() -> None:
        if found is not None:
            _draw_found(found)
        if figure is not None:
            done = max(0, len(epochs) - 1)
            alt = f"Loss and agreement with the baseline after {done} of {recipe.epochs} epochs"
            draw_live_chart(figure, key="live_epochs", alt=alt)

    return draw


def _draw_found(found: Found) -> None:
    """Draw what is known before the attack has ended."""
    example = found.example
    people = "1 = the same order" if found.mos is None else f"with people {found.mos:.3f}"
    grid = st.grid(2, min_column_width=150, gap="small")
    for label, value, change, text in (
        ("Agreement", spell_correlation(found.agreement), people, WORDS["Agreement"]),
        ("Score of a sample", f"{example.after:.3f}", f"baseline {example.before:.3f}", f"Of {plain(example.title)}."),
    ):
        with grid:
            st.metric(label, value, change, delta_color="off", delta_arrow="off", help=text, border=True)
    st.caption("The model is finished. What an attack does to it follows.")


def _cancelled(snapshot: JobSnapshot) -> str:
    done = max(0, sum(isinstance(one, Epoch) for one in snapshot.trace) - 1)
    return f"Cancelled after {done} epoch{'' if done == 1 else 's'}." if done else "Cancelled before the first epoch."
