"""The live result of the first page: what is run, its job, and its outcome."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import cast

from robustiqa_core.attacks import AttackStep
from robustiqa_core.images.photo import MAX_SIDE
from robustiqa_core.jobs import JobSnapshot
from robustiqa_core.models.card import ModelCard
from ui.attacks.batch_job import BatchOutcome, RunRecord, batch_point, batch_records
from ui.attacks.batch_recipe import BatchRecipe
from ui.attacks.job import CurvePoint
from ui.attacks.live import kept_as
from ui.attacks.recipe import PhotoChoice
from ui.jobs import page_job
from ui.photos.photo_set import from_root
from ui.shell import cache, controls, state
from ui.shell.model_names import rival_of
from ui.start import session

NOUN = "attack"
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
    samples = cache.samples()
    photos = [samples[name] for name in SHOWN if name in samples] or list(samples.values())[:1]
    return BatchRecipe(
        tuple(PhotoChoice("sample", sample.name, from_root(sample.path), MAX_SIDE) for sample in photos),
        tuple((cards[stem].model, cards[stem].variant) for stem in (first, rival) if stem is not None),
        state.DEFAULT_ATTACK,
    )


def start(recipe: BatchRecipe) -> None:
    """Submit the run for this visit."""

    def prepare() -> Callable[[], Iterator[RunRecord | BatchOutcome]]:
        scorers = [cache.scorer(model, variant) for model, variant in recipe.models]
        photos = [cache.sample_photo(choice.name) for choice in recipe.photos]
        return partial(batch_records, recipe, scorers, photos, cache.device())

    page_job.start(session.jobs(), recipe, prepare, noun=NOUN, trace=batch_point, keep_as=kept_as(recipe))


def settle() -> None:
    """Take note of the end of the run; ask for it again where its result is no longer kept."""
    jobs = session.jobs()
    cancelled = "Cancelled. Nothing was computed."
    page_job.settle(jobs, noun=NOUN, cancelled=lambda snapshot: cancelled, keep_as=kept_as)
    if jobs.active is None and jobs.shown is not None and outcome() is None:
        jobs.shown, jobs.asked = None, True


def outcome() -> BatchOutcome | None:
    """Return the finished run; None while there is none."""
    return cast(BatchOutcome | None, page_job.shown_result(session.jobs()))


def follow() -> None:
    """Draw the progress of the run until it has ended."""
    page_job.follow(session.jobs(), draw)


def draw(snapshot: JobSnapshot) -> None:
    """Draw how far the run is."""
    recipe = session.jobs().recipes[snapshot.id]
    share, text = progress(snapshot, recipe)
    page_job.draw_progress(snapshot, share, text + page_job.time_left(snapshot, share))


def progress(snapshot: JobSnapshot, recipe: BatchRecipe) -> tuple[float, str]:
    """Return the share of the work that is done, and what is going on."""
    if snapshot.state == "queued":
        return 0.0, page_job.waiting_text(snapshot, NOUN)
    record = snapshot.record
    if not isinstance(record, RunRecord):
        return 0.0, "The model looks at the photos"
    steps = recipe.attack.steps
    step = record.record.step if isinstance(record.record, AttackStep) else 0
    points = [point for point in cast(Sequence[CurvePoint], snapshot.trace) if point.run == record.run]
    photo, model = divmod(record.run, len(recipe.models))
    title, name = cache.samples()[recipe.photos[photo].name].title, controls.model_title(recipe.stems[model])
    text = f"{title}: attacking {name}, step {step} of {steps}. "
    return (
        (record.run + step / steps) / (len(recipe.models) * len(recipe.photos)),
        f"{text}Score {points[0].score:.2f} → {points[-1].best_score:.2f}",
    )
