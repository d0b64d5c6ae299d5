"""A sentence for screen readers: that a run has ended is seen by others, but heard by nobody."""

from pathlib import Path

from ui.shell.components.assets import component_from

_mount = component_from(Path(__file__).parent)


def live_region(said: str, *, key: str) -> None:
    """Draw the region; a text that differs from the one before is read out.

    Args:
        said: a sentence or two, ready to be read; nothing while there is nothing to say.
        key: name of the widget.
    """
    _mount(key=key, data={"said": said})
