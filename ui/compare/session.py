"""What a visit remembers of the page Compare: its jobs, and the keys of its widgets."""

from ui.attacks.recipe import Recipe
from ui.compare.recipe import CompareRecipe
from ui.shell.state import PageJobs, page_jobs

PREFIX = "compare_"
"""Of the keys of the page's widgets and jobs. The other names stand behind it."""


QUERIES = "queries"


ATTACKS_CHOSEN = "attacks"


STRENGTHS = "strengths"


CONVENTION = "convention"


FIXED_LOW = "fixed_low"


FIXED_HIGH = "fixed_high"


FIGURE = "figure"


SCATTER = "scatter"


PAIR = "pair"


def jobs() -> PageJobs[CompareRecipe]:
    """Return the jobs of the page that compares models."""
    return page_jobs(f"{PREFIX}jobs")


def pair_jobs() -> PageJobs[Recipe]:
    """Return the jobs of that page that show one of its photos again."""
    return page_jobs(f"{PREFIX}pair_jobs")
