"""What a visit remembers of the page Spectra: the jobs of each view, and the keys of its widgets."""

from ui.shell.state import PageJobs, page_jobs
from ui.spectra.recipe import SpectraRecipe

PREFIX = "spectra_"
"""Of the keys of the page's widgets and jobs. The other names stand behind it."""


VIEW = "view"


WAVE_LEVELS = "wave_levels"


GRID = "grid"


NORMS = "norms"


SHOWN_PHOTO = "shown_photo"


def jobs(view: str) -> PageJobs[SpectraRecipe]:
    """Return the jobs of a view of the page of spectra; each view has its own."""
    return page_jobs(f"{PREFIX}{view}_jobs")
