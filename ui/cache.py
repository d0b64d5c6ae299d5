"""Streamlit's caches around the core's loaders; nothing else.

What is cached for everybody is frozen or never changed. What comes from a visitor is cached for that visit only.
"""

import gc
import os
import uuid
from collections.abc import Mapping

import streamlit as st
import torch

from robustiqa_core.device import choose_device, keep_freed_memory
from robustiqa_core.images import Photo, decode_image, preview_png, read_image
from robustiqa_core.jobs import JobQueue
from robustiqa_core.models.card import ModelCard
from robustiqa_core.own_models import OWN, own_cards, resolve_scorer
from robustiqa_core.samples import SamplePhoto, list_samples
from robustiqa_core.scorer import Scorer
from robustiqa_core.storage import list_cards
from ui.figures import amplified_png

DEVICE_VARIABLE = "ROBUSTIQA_DEVICE"
"""Environment variable that names the device of the app; the best one is taken where it is not set."""


@st.cache_resource(max_entries=1, show_spinner=False)
def device() -> torch.device:
    """Return the device that all jobs of this server run on; the first call also sets the process up for them."""
    keep_freed_memory()
    return choose_device(os.environ.get(DEVICE_VARIABLE, "auto"))


@st.cache_resource(max_entries=1, show_spinner=False)
def jobs() -> JobQueue:
    """Return the queue of that device."""
    return JobQueue()


def _forget(owner: str) -> None:
    jobs().forget(owner)


@st.cache_resource(max_entries=1, show_spinner=False, scope="session", on_release=_forget)
def owner() -> str:
    """Return the name under which this visit submits jobs; when the visit ends, its jobs and results are dropped."""
    return uuid.uuid4().hex


@st.cache_resource(max_entries=1, show_spinner=False)
def cards() -> Mapping[str, ModelCard]:
    """Return the cards of the bundled models and of one's own by file stem, such as `linearity-baseline`."""
    own = own_cards(lambda name: scorer(name, OWN))
    return {card.stem: card for card in (*list_cards(), *own)}


@st.cache_resource(max_entries=4, show_spinner=False)
def scorer(model: str, variant: str) -> Scorer:
    """Return a bundled model, or one of one's own, frozen, on the server's device."""
    loaded = resolve_scorer(model, variant, device=device())
    # Streamlit collects garbage after every run of a page, and while an attack is followed that is several times a
    # second. Walking through the quarter of a million objects of torch and Streamlit took 0.1 s and more each time,
    # in which no other thread runs. What is here now stays, and need not be walked through.
    gc.collect()
    gc.freeze()
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
        InputError: it is no photo that can be decoded.
    """
    return decode_image(_data, name=name, max_side=max_side)


@st.cache_data(max_entries=16, show_spinner=False, scope="session")
def perturbation_png(job: str, gain: int, _clean_png: bytes, _adversarial_png: bytes) -> bytes:
    """Return the amplified perturbation of a finished job as PNG; see `figures.amplified_png`."""
    return amplified_png(_clean_png, _adversarial_png, gain)
