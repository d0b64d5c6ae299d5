"""What a visit remembers of the page Audit: its jobs, and the keys of its widgets."""

from ui.audit.recipe import AuditRecipe
from ui.shell.state import PageJobs, page_jobs

PREFIX = "audit_"
"""Of the keys of the page's widgets and jobs. The other names stand behind it."""


REFERENCE = "reference"


BLACK_BOX_QUERIES = "black_box_queries"


DIRECTIONS_SEED = "directions_seed"


SIDE = "side"


def jobs() -> PageJobs[AuditRecipe]:
    """Return the jobs of the page that audits a model."""
    return page_jobs(f"{PREFIX}jobs")
