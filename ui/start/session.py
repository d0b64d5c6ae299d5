"""What a visit remembers of the first page's jobs."""

from ui.attacks.batch_recipe import BatchRecipe
from ui.shell.state import PageJobs, page_jobs

JOBS = "start_jobs"


def jobs() -> PageJobs[BatchRecipe]:
    """Return the jobs of the first page; a new visit asks for a run, so that it shows a result at once."""
    return page_jobs(JOBS, asked=True)
