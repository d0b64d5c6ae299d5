"""Streamlit's caches around the core's loaders; nothing else.

What is cached for everybody is frozen or never changed. What comes from a visitor is cached for that visit only.
"""

import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st
import torch

from robustiqa_core.blocks import BlockSettings, new_block, preview, with_build_time
from robustiqa_core.checkpoints.storage import load_network, usable_cards
from robustiqa_core.checks import MIN_SIDE
from robustiqa_core.device import Precision, choose_device, fast_training_precision, keep_freed_memory
from robustiqa_core.errors import InputError, RobustIQAError
from robustiqa_core.evaluation.tables.summary import Summary
from robustiqa_core.hardening import HardeningCache, TuningData
from robustiqa_core.images.photo import Photo, decode_image, preview_png, read_image
from robustiqa_core.images.samples import SamplePhoto, list_samples
from robustiqa_core.jobs import JobQueue
from robustiqa_core.metrics.scale import Convention
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard, UnusableModel
from robustiqa_core.own_models import OWN, own_cards, resolve_scorer
from robustiqa_core.pruning import PruningPlan, PruningSettings, plan_from
from robustiqa_core.scorer import Scorer, ScoreRange
from ui.compare.job import CompareOutcome
from ui.compare.summary import summary_of
from ui.hardening.data import LabelledSet, labelled_set
from ui.hardening.kept_models import KeptModels
from ui.jobs.estimate import Speed, measure_speed
from ui.jobs.results import Shelf
from ui.pruning.plan import importance_of
from ui.shell.figures import amplified_png
from ui.shell.memory import keep_what_is_here

DEVICE_VARIABLE = "ROBUSTIQA_DEVICE"
"""Environment variable that names the device of the app; the best one is taken where it is not set."""


@st.cache_resource(max_entries=1, show_spinner=False)
def device() -> torch.device:
    """Return the device that all jobs of this server run on; the first call also sets the process up for them."""
    keep_freed_memory()
    return choose_device(os.environ.get(DEVICE_VARIABLE, "auto"))


def tuning_precision() -> Precision:
    """Return in what the app's models are tuned, as `robustiqa harden --precision auto` does on that device."""
    return fast_training_precision(device())


@st.cache_resource(max_entries=1, show_spinner=False)
def jobs() -> JobQueue:
    """Return the queue of that device; a result holds about 1 MB, so that 40 of them are little beside the models."""
    return JobQueue(keep=40)


def _forget(owner: str) -> None:
    jobs().forget(owner)


@st.cache_resource(max_entries=1, show_spinner=False, scope="session", on_release=_forget)
def owner() -> str:
    """Return the name under which this visit submits jobs; when the visit ends, its jobs and results are dropped."""
    return uuid.uuid4().hex


def cards() -> Mapping[str, ModelCard]:
    """Return the cards of all models by file stem, such as `linearity-baseline`: bundled, one's own, kept on a page."""
    return {**listed_models()[0], **kept_models().cards()}


def unusable_models() -> tuple[UnusableModel, ...]:
    """Return the models that are listed, bundled or one's own, and cannot be used."""
    return listed_models()[1]


@st.cache_resource(max_entries=1, show_spinner="Loading the models")
def listed_models() -> tuple[Mapping[str, ModelCard], tuple[UnusableModel, ...]]:
    """Return the cards of the bundled models and of one's own by file stem, and those that cannot be used.

    Each of one's own is loaded and checked here, so that none that fails stands in a list of models.
    """
    bundled, broken = usable_cards()
    own, refused = own_cards(lambda name: scorer(name, OWN))
    return {card.stem: card for card in (*bundled, *own)}, (*broken, *refused)


def weights(stem: str) -> str:
    """Return the digest of a model's weights, for the key of a result: a name may be given to another model later."""
    card = cards().get(stem)
    return "" if card is None else card.sha256


def scorer(model: str, variant: str) -> Scorer:
    """Return a bundled model, one of one's own or one that was kept on a page, frozen, on the server's device."""
    return kept_models().scorer(f"{model}-{variant}") or loaded_scorer(model, variant)


@st.cache_resource(max_entries=1, show_spinner=False)
def kept_models() -> KeptModels:
    """Return the hardened models that were made on the pages."""
    return KeptModels()


@st.cache_resource(max_entries=1, show_spinner=False)
def hardening_cache() -> HardeningCache:
    """Return what was computed for one hardening and serves the next; a recipe that was seen before answers at once."""
    return HardeningCache()


@st.cache_resource(max_entries=3, show_spinner=False)
def network(model: str, variant: str = "baseline") -> QualityModel:
    """Return a bundled model that can be hardened: not folded, on the server's device; nobody changes it."""
    return load_network(model, variant, device=device())


@st.cache_resource(max_entries=16, show_spinner="Asking every filter how important it is")
def filter_importance(model: str, variant: str, criterion: str, _data: TuningData) -> dict[str, torch.Tensor]:
    """Return the importance of every filter of a bundled model, by layer.

    Args:
        model: architecture.
        variant: of the model.
        criterion: that judges the filters.
        _data: crops that a criterion looks at; those of the page Pruning, always the same.
    """
    return importance_of(network(model, variant), criterion, data=_data, cache=hardening_cache())


@st.cache_resource(max_entries=256, show_spinner=False)
def pruning_plan(
    model: str, variant: str, settings: PruningSettings, _importance: Mapping[str, torch.Tensor]
) -> PruningPlan:
    """Return which filters of a bundled model go.

    Args:
        model: architecture.
        variant: of the model.
        settings: criterion, ratio and scope.
        _importance: from `filter_importance`, for these settings.
    """
    return plan_from(network(model, variant), settings, _importance)


@st.cache_data(max_entries=256, show_spinner=False)
def build_seconds(settings: BlockSettings, channels: int, side: int) -> float:
    """Return how long this server takes to build the kernel of a block on maps of so many channels and places."""
    block = new_block(settings, channels).to(device())
    return with_build_time(preview(settings, channels, side, side), block, side, side).build_seconds or 0.0


@st.cache_resource(max_entries=1, show_spinner=False)
def labelled() -> LabelledSet | None:
    """Return the labelled set that the server's environment names, None where it names none."""
    return labelled_set(os.environ)


@st.cache_resource(max_entries=4, show_spinner=False)
def loaded_scorer(model: str, variant: str) -> Scorer:
    """Return a bundled model, or one of one's own, frozen, on the server's device."""
    loaded = resolve_scorer(model, variant, device=device())
    keep_what_is_here()
    return loaded


@st.cache_resource(max_entries=1, show_spinner=False)
def samples() -> Mapping[str, SamplePhoto]:
    """Return the bundled photos by name."""
    return {sample.name: sample for sample in list_samples()}


@st.cache_resource(max_entries=64, show_spinner=False)
def sample_photo(name: str) -> Photo:
    """Return a bundled photo, decoded."""
    return read_image(samples()[name].path)


@st.cache_resource(max_entries=64, show_spinner=False)
def thumbnail(name: str) -> bytes:
    """Return a small PNG of a bundled photo."""
    return preview_png(sample_photo(name).images, 144)


@st.cache_resource(max_entries=4, show_spinner=False, scope="session")
def uploaded_photo(digest: str, name: str, max_side: int, _data: bytes) -> Photo:
    """Return a visitor's photo, decoded at most once for each size.

    Args:
        digest: sha256 of the file, which stands for `_data` in the cache's key.
        name: of the file.
        max_side: longest side in pixels that is kept.
        _data: the file.

    Raises:
        InputError: it is no photo that can be decoded, or too small for the models.
    """
    return decode_image(_data, name=name, max_side=max_side, min_side=MIN_SIDE)


@st.cache_data(max_entries=16, show_spinner=False, scope="session")
def perturbation_png(job: str, gain: int, _clean_png: bytes, _adversarial_png: bytes) -> bytes:
    """Return the amplified perturbation of a finished job as PNG; see `figures.amplified_png`."""
    return amplified_png(_clean_png, _adversarial_png, gain)


@st.cache_resource(max_entries=1, show_spinner=False)
def shelf() -> Shelf:
    """Return the finished results that a reload of a page finds again."""
    return Shelf()


@st.cache_resource(max_entries=8, ttl=600, show_spinner=False)
def speed(model: str, variant: str) -> Speed:
    """Return how fast a model is; measured anew after a while, since other work on the machine slows it down."""
    try:
        return measure_speed(scorer(model, variant), device())
    except RobustIQAError:
        # A model of one's own that fails by now: that will be said when it is run.
        return Speed(0.0, 0.0)


@st.cache_resource(max_entries=16, show_spinner=False, scope="session")
def compare_summary(
    result: str, convention: Convention, baseline: str | None, fixed: ScoreRange | None, _outcome: CompareOutcome
) -> Summary:
    """Return what a comparison says under a convention; see `compare_summary.summary_of`.

    Args:
        result: id of the comparison, which stands for `_outcome` in the cache's key.
        convention: of the scale.
        baseline: model that all others are compared with; None for that of each architecture.
        fixed: the nominal scale, for the convention `fixed`.
        _outcome: the comparison.
    """
    ranges = {stem: card.score_range for stem, card in cards().items()}
    return summary_of(_outcome.rows, convention, baseline=baseline, ranges=ranges, fixed=fixed)


@st.cache_data(max_entries=64, show_spinner=False, scope="session")
def prepared_upload(digest: str, purpose: str, _photo: Path, _prepare: Callable[[Path], bytes]) -> tuple[bytes, str]:
    """Return a visitor's photo as the PNG that a page works on, or nothing and why it cannot be used.

    Args:
        digest: sha256 of the file, which stands for `_photo` in the cache's key.
        purpose: what it is prepared for, which stands for `_prepare`.
        _photo: the file.
        _prepare: decodes, checks and reduces it.
    """
    try:
        return _prepare(_photo), ""
    except InputError as error:
        # The core begins with the file's name, which is not part of the key: the same file may come under another one.
        return b"", str(error).removeprefix(f"{_photo.name}: ")
