"""The photo picker: a grid of thumbnails of which one, or several, are chosen."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from ui.shell.components.assets import component_from, png_address

_mount = component_from(Path(__file__).parent)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One photo of the grid.

    Args:
        name: what `on_pick` is called with.
        title: what the photo shows, for screen readers and as a tooltip.
        png: small square or oblong PNG.
    """

    name: str
    title: str
    png: bytes


def photo_picker(
    photos: Sequence[Thumbnail],
    *,
    selected: Collection[str],
    legend: str,
    on_pick: Callable[[str], None],
    key: str,
    several: bool = False,
) -> None:
    """Draw the grid and call `on_pick` with a photo's name when the visitor chooses one.

    Args:
        photos: in the order in which they are shown.
        selected: names of the chosen photos.
        legend: label of the whole group.
        on_pick: called before the page is drawn again.
        key: name of the widget.
        several: whether more than one can be chosen; `on_pick` is then called for one that is given up, too.
    """

    def picked() -> None:
        name = st.session_state[key].picked
        if name in {photo.name for photo in photos}:
            on_pick(name)

    _mount(
        key=key,
        on_picked_change=picked,
        data={
            "legend": legend,
            "selected": list(selected),
            "several": several,
            "photos": [
                {"name": photo.name, "title": photo.title, "url": png_address(photo.png, place=f"{key}-{photo.name}")}
                for photo in photos
            ],
        },
    )
