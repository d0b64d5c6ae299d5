"""Who made a photo, and under which licence it may be shown."""

from robustiqa_core.images.samples import SamplePhoto
from ui.shell.markdown import plain


def credit_line(sample: SamplePhoto) -> str:
    """Return the credit of a sample photo as markdown, with a link to its licence."""
    licence = f"[{sample.licence}]({sample.licence_url})"
    made = f"{plain(sample.changes)}. From: {plain(sample.source)}."
    return f"“{plain(sample.title)}” by {plain(sample.author)}, {licence}; {made}"
