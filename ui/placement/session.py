"""What a visit remembers of the page Block placement: its jobs, and the prefix of its keys."""

from robustiqa_core.hardening import HardeningRecipe
from ui.shell.state import PageJobs, page_jobs

PREFIX = "placement_"
"""Of the keys of the page's widgets and jobs."""


def jobs() -> PageJobs[HardeningRecipe]:
    """Return the jobs of the page that tries places for a block."""
    return page_jobs(f"{PREFIX}jobs")


def probe_jobs() -> PageJobs[str]:
    """Return the jobs of that page that measure how a model's stages amplify a change; each runs a model's stem."""
    return page_jobs(f"{PREFIX}probe_jobs")


def ahead_jobs() -> PageJobs[HardeningRecipe]:
    """Return the jobs of that page that compute what every trial needs."""
    return page_jobs(f"{PREFIX}ahead_jobs")
