"""The live result of the first page: what is run, its job, and its outcome."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

from robustiqa_core.attacks import AttackStep
from robustiqa_core.images.photo import MAX_SIDE
from robustiqa_core.jobs import JobSnapshot
from robustiqa_core.models.card import ModelCard
from ui.attacks.batch_job import BatchOutcome, RunRecord, batch_point
from ui.attacks.batch_recipe import BatchRecipe
from ui.attacks.job import CurvePoint
from ui.attacks.live import NOUN, batch_records_of, kept_as
from ui.attacks.recipe import PhotoChoice
from ui.jobs.page_job import PageJob
from ui.jobs.progress import Progress
from ui.photos import cache as photo_cache
from ui.photos.photo_set import from_root
from ui.shell import controls, state
from ui.shell.model_names import rival_of
from ui.start import session

SHOWN = ("cat", "mountain_path_out_of_focus")
"""The sample photos of the live result: one on which hardening helps much, and one on which it helps less."""


def start_recipe(cards: Mapping[str, ModelCard]) -> BatchRecipe:
    """Return what a visit shows: two samples and the default attack, on a baseline and its hardened version.

    The first baseline that has a hardened version is taken; without any, the first model alone.

    Args:
        cards: of all models, by stem; at least one.
    """
    baselines = [stem for stem, card in cards.items() if card.variant == "baseline"]
    pairs = ((stem, rival_of(stem, cards)) for stem in baselines)
    alone = next(iter(baselines or cards))
    first, rival = next(((stem, rival) for stem, rival in pairs if rival is not None), (alone, None))
    samples = photo_cache.samples()
    photos = [samples[name] for name in SHOWN if name in samples] or list(samples.values())[:1]
    return BatchRecipe(
        tuple(PhotoChoice("sample", sample.name, from_root(sample.path), MAX_SIDE) for sample in photos),
        tuple((cards[stem].model, cards[stem].variant) for stem in (first, rival) if stem is not None),
        state.DEFAULT_ATTACK,
    )


def start(recipe: BatchRecipe) -> None:
    """Submit the run for this visit."""
    JOB.start(recipe, partial(batch_records_of, recipe, lambda choice: photo_cache.sample_photo(choice.name)))


def settle() -> None:
    """Take note of the end of the run; ask for it again where its result is no longer kept."""
    jobs = session.jobs()
    JOB.settle()
    if jobs.active is None and jobs.shown is not None and JOB.result() is None:
        jobs.shown, jobs.asked = None, True


def progress(snapshot: JobSnapshot, recipe: BatchRecipe) -> Progress:
    """Return the share of the work that is done, and what is going on."""
    record = snapshot.record
    if not isinstance(record, RunRecord):
        return Progress(0.0, "The model looks at the photos")
    steps = recipe.attack.steps
    step = record.record.step if isinstance(record.record, AttackStep) else 0
    points = [point for point in cast(Sequence[CurvePoint], snapshot.trace) if point.run == record.run]
    photo, model = divmod(record.run, len(recipe.models))
    title, name = photo_cache.samples()[recipe.photos[photo].name].title, controls.model_title(recipe.stems[model])
    return Progress(
        (record.run + step / steps) / len(recipe.runs()),
        f"{title}: attacking {name}, step {step} of {steps}. Score {points[0].score:.2f} → {points[-1].best_score:.2f}",
    )


JOB = PageJob(
    noun=NOUN,
    remembered=session.jobs,
    recipe=BatchRecipe,
    outcome=BatchOutcome,
    progress=progress,
    cancelled=lambda snapshot: "Cancelled. Nothing was computed.",
    keep_as=kept_as,
    trace=batch_point,
    queued=NOUN,
)
