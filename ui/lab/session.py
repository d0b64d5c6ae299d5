"""What a visit remembers of the attack lab's jobs, and the keys of its widgets."""

from ui.attacks.batch_recipe import BatchRecipe
from ui.lab.sweep_job import SweepRecipe
from ui.shell.state import PageJobs, page_jobs

JOBS = "attack_lab"


NAMED_ATTACK = "named_attack"


SEVERAL = "several"


OPENED = "opened"


LAB_SET = "lab_"
"""Prefix of the keys of the attack lab's set of photos."""


def jobs() -> PageJobs[BatchRecipe]:
    """Return the attack lab's jobs; a new visit asks for a run, so that it shows a result at once."""
    return page_jobs(JOBS, asked=True)


def sweep_jobs() -> PageJobs[SweepRecipe]:
    """Return the attack lab's jobs that run an attack in every strength."""
    return page_jobs(f"{LAB_SET}sweep_jobs")
