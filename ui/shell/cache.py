"""Streamlit's caches around the core's loaders; nothing else.

What is cached for everybody is frozen or never changed. What comes from a visitor is cached for that visit only.
"""

import hashlib
import os
import uuid
from collections.abc import Mapping

import streamlit as st
import torch

from robustiqa_core.checkpoints.storage import usable_cards
from robustiqa_core.device import choose_device, keep_freed_memory
from robustiqa_core.errors import InputError, RobustIQAError
from robustiqa_core.hardening import check_hardened_card
from robustiqa_core.jobs import JobQueue
from robustiqa_core.models.card import ModelCard, UnusableModel
from robustiqa_core.own_models import OWN, find_own_model, own_cards, resolve_scorer, source_stamp
from robustiqa_core.scorer import Scorer
from ui.shell.figures import amplified_png
from ui.shell.memory import keep_what_is_here
from ui.shell.named_models import NamedModels

DEVICE_VARIABLE = "ROBUSTIQA_DEVICE"
"""Environment variable that names the device of the app; the best one is taken where it is not set."""


@st.cache_resource(max_entries=1, show_spinner=False)
def device() -> torch.device:
    """Return the device that all jobs of this server run on; the first call also sets the process up for them."""
    keep_freed_memory()
    return choose_device(os.environ.get(DEVICE_VARIABLE, "auto"))


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
    return {**listed_models()[0], **named_models().cards()}


def unusable_models() -> tuple[UnusableModel, ...]:
    """Return the models that are listed, bundled or one's own, and cannot be used."""
    return listed_models()[1]


@st.cache_resource(max_entries=1, show_spinner="Loading the models")
def listed_models() -> tuple[Mapping[str, ModelCard], tuple[UnusableModel, ...]]:
    """Return the cards of the bundled models and of one's own by file stem, and those that cannot be used.

    Own models are loaded and checked here, so that no list offers one that fails.
    """
    read, unread = usable_cards()
    bundled, broken = [], list(unread)
    for card in read:
        try:
            bundled.append(check_hardened_card(card))
        except InputError as error:
            broken.append(UnusableModel(card.stem, str(error)))
    own, refused = own_cards(lambda name: scorer(name, OWN))
    return {card.stem: card for card in (*bundled, *own)}, (*broken, *refused)


def weights(stem: str) -> str:
    """Return the digest of a model's weights, for the key of a result: a name may be given to another model later."""
    card = cards().get(stem)
    if card is None:
        return ""
    stamp = own_stamp(card.model, card.variant)
    # The files of a model of one's own may have changed since the list was made.
    return (
        hashlib.sha256(f"{card.sha256} {stamp}".encode(errors="surrogateescape")).hexdigest() if stamp else card.sha256
    )


def scorer(model: str, variant: str) -> Scorer:
    """Return a bundled model, one of one's own or one that was kept on a page, frozen, on the server's device."""
    return named_models().scorer(f"{model}-{variant}") or loaded_scorer(model, variant, own_stamp(model, variant))


def own_stamp(model: str, variant: str) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when the files of a model of one's own do; nothing for others."""
    if variant != OWN:
        return ()
    try:
        own = find_own_model(model)
    except RobustIQAError:
        # A list that can no longer be read does not change what was read before.
        return _own_stamps().get(model, ())
    if own is None:
        return ()
    known = _own_stamps()[model] = source_stamp(own)
    return known


@st.cache_resource(max_entries=1, show_spinner=False)
def _own_stamps() -> dict[str, tuple[tuple[str, int, int], ...]]:
    """Return the newest stamp of each model of one's own."""
    return {}


@st.cache_resource(max_entries=1, show_spinner=False)
def named_models() -> NamedModels:
    """Return the models that were kept under a name on a page."""
    return NamedModels()


@st.cache_resource(max_entries=4, show_spinner=False)
def loaded_scorer(model: str, variant: str, stamp: tuple[tuple[str, int, int], ...] = ()) -> Scorer:
    """Return a bundled model, or one of one's own, frozen, on the server's device.

    Args:
        model: its name.
        variant: `own` for one of one's own.
        stamp: of its files, which are read again when it is another one.
    """
    loaded = resolve_scorer(model, variant, device=device())
    keep_what_is_here()
    return loaded


@st.cache_data(max_entries=16, show_spinner=False, scope="session")
def perturbation_png(job: str, gain: int, _clean_png: bytes, _adversarial_png: bytes) -> bytes:
    """Return the amplified perturbation of a finished job as PNG; see `figures.amplified_png`."""
    return amplified_png(_clean_png, _adversarial_png, gain)
