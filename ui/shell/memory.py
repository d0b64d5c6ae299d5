"""Permanent objects, excluded from garbage collection. Knows nothing of Streamlit.

Streamlit collects garbage after every run of a page, and while a job is followed that is several times a second.
Walking the quarter of a million objects of torch and Streamlit took 0.1 s or more each time, during which no other
thread runs; on a busy machine the job hardly progressed.
"""

import functools
import gc
import importlib


def keep_what_is_here() -> None:
    """Exclude all current objects from garbage collection; called after something large was loaded."""
    gc.collect()
    gc.freeze()


@functools.cache
def import_table_metrics() -> None:
    """Import what the figures of a table need, once: it pulls in all of torchvision and torch's compiler."""
    importlib.import_module("piq")
    keep_what_is_here()
