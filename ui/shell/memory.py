"""What stays in memory for good, and need not be looked through for garbage. Knows nothing of Streamlit.

Streamlit collects garbage after every run of a page, and while a job is followed that is several times a second.
Walking through the quarter of a million objects of torch and Streamlit took 0.1 s and more each time, in which no
other thread runs; on a machine with other work to do the job hardly came forward.
"""

import functools
import gc
import importlib


def keep_what_is_here() -> None:
    """Take all objects that are in use now out of the search for garbage; called after something large was loaded."""
    gc.collect()
    gc.freeze()


@functools.cache
def import_table_metrics() -> None:
    """Import what the figures of a table need, once: it brings all of torchvision and torch's compiler with it."""
    importlib.import_module("piq")
    keep_what_is_here()
