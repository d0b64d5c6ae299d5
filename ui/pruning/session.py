"""What a visit remembers of the page Pruning: its jobs, and the prefix of its keys."""

from ui.pruning.recipe import PruningRecipe
from ui.shell.state import PageJobs, page_jobs

PREFIX = "pruning_"
"""Of the keys of the page's widgets and jobs."""


def jobs() -> PageJobs[PruningRecipe]:
    """Return the jobs of the page that prunes."""
    return page_jobs(f"{PREFIX}jobs")
