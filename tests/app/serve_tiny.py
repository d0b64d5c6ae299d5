"""The real app with the tiny scorer, each of whose calls takes a while: `python serve_tiny.py SECONDS [option ...]`.

For journeys in which a run must last long enough to be watched and cancelled. Run in the repository's root, with it
on PYTHONPATH.
"""

import sys
import time

from streamlit.web import cli
from tiny_scorer import CARD, TinyScorer

from ui.shell import cache
from ui.shell.memory import keep_what_is_here


def main() -> None:
    """Patch the loaders and start the app as `streamlit run app.py` does."""
    seconds = float(sys.argv[1])
    cache.cards = lambda: {CARD.stem: CARD}
    cache.scorer = lambda model, variant: TinyScorer(before_call=lambda: time.sleep(seconds))
    # As the loader of the real models does.
    keep_what_is_here()
    sys.argv = ["streamlit", "run", "app.py", *sys.argv[2:]]
    cli.main()


if __name__ == "__main__":
    main()
