"""The lossless compare slider: two photos on top of each other with a divider between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ui.shell.components.assets import component_from, png_address

_mount = component_from(Path(__file__).parent)


@dataclass(frozen=True, slots=True)
class Picture:
    """One photo of the slider.

    Args:
        label: short name, shown on the photo.
        alt: what a screen reader says.
        png: the photo as PNG, shown byte by byte as it is.
    """

    label: str
    alt: str
    png: bytes


def compare_slider(left: Picture, rights: Sequence[Picture], *, size: tuple[int, int], hint: str, key: str) -> None:
    """Draw the slider.

    The divider is moved by mouse, touch or the arrow keys. Zoomed views show the photo's own pixels unsmoothed.

    Args:
        left: photo to the left of the divider.
        rights: photos that can be put to its right; the first one is shown.
        size: (width, height) in pixels, the same for all.
        hint: a sentence below the photo.
        key: name of the widget.
    """
    pictures = [
        {
            "label": picture.label,
            "alt": picture.alt,
            "url": png_address(picture.png, place=f"{key}-{index}"),
            "width": size[0],
            "height": size[1],
        }
        for index, picture in enumerate((left, *rights))
    ]
    _mount(key=key, data={"left": pictures[0], "rights": pictures[1:], "hint": hint})
