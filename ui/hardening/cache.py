"""What hardening and pruning share on this server: networks, their cached computations, the labelled set."""

import os

import streamlit as st

from robustiqa_core.checkpoints.storage import load_network
from robustiqa_core.device import Precision, fast_training_precision
from robustiqa_core.hardening import HardeningCache
from robustiqa_core.models import QualityModel
from ui.hardening.data import LabelledSet, labelled_set
from ui.hardening.trial_store import TrialStore
from ui.shell import cache


def tuning_precision() -> Precision:
    """Return the precision in which the app tunes models, that of `robustiqa harden --precision auto`."""
    return fast_training_precision(cache.device())


@st.cache_resource(max_entries=1, show_spinner=False)
def trial_store() -> TrialStore:
    """Return the trials that were made on the pages, and their networks."""
    return TrialStore(cache.named_models())


@st.cache_resource(max_entries=1, show_spinner=False)
def computed() -> HardeningCache:
    """Return the cache shared by hardenings; a recipe that was run before answers at once."""
    return HardeningCache()


@st.cache_resource(max_entries=3, show_spinner=False)
def network(model: str, variant: str = "baseline") -> QualityModel:
    """Return a bundled model that can be hardened: not folded, on the server's device; nobody changes it."""
    return load_network(model, variant, device=cache.device())


@st.cache_resource(max_entries=1, show_spinner=False)
def labelled() -> LabelledSet | None:
    """Return the labelled set that the server's environment names, None where it names none."""
    return labelled_set(os.environ)
