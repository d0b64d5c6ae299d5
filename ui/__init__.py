"""The only importer of Streamlit besides the pages: caches, state, controls, live view, figures, components."""

import os

# Torch's threads wait for each other many times in every call of a model, and by default they do so in a busy loop.
# Where something else wants the cores, which the page itself does while a run is followed, a waiting thread then keeps
# the one that it waits for from running: a row of a comparison took half a minute instead of half a second. To sleep
# at once is no better: the small steps of a tuning are over before a thread has woken up (a hardening of TReS took a
# fifth longer). So they wait busily for some ten microseconds, and then sleep. Read by OpenMP when torch is imported,
# which is why it stands here; values set beforehand are kept.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
