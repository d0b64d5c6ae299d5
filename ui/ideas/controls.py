"""The sliders of the page of ideas: their bounds, and what an address may say. The address follows them by itself."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True, slots=True)
class Knob:
    """A slider.

    Args:
        label: what it moves.
        low: smallest value.
        high: largest value.
        start: first value.
        step: between two values.
        format: of the value, as Streamlit writes formats.
    """

    label: str
    low: float
    high: float
    start: float
    step: float
    format: str = "%.2f"


KNOBS: dict[str, Knob] = {
    "slope": Knob("Steepest slope (Lipschitz constant)", 0.0, 4.0, 2.0, 0.1, "%.1f"),
    "eps": Knob("How far the input may move (eps)", 0.0, 0.6, 0.2, 0.02),
    "input": Knob("Where we are (input)", -1.8, 1.8, 0.2, 0.1, "%.1f"),
    "angle": Knob("Angle of the turn, in degrees", -170.0, 170.0, 40.0, 5.0, "%d°"),
    "stretch": Knob("How much the general matrix stretches", 0.2, 2.4, 2.0, 0.1, "× %.1f"),
    "change": Knob("Direction of the change, in degrees", 0.0, 180.0, 30.0, 5.0, "%d°"),
    "levels": Knob("Strength eps, in steps of 255", 0.0, 16.0, 4.0, 1.0, "%d/255"),
}
"""By the name of the query parameter, which is the key of the widget as well."""
DIRECTIONS = {"up": "Up", "down": "Down", "away": "Away, whichever is farther"}
DIRECTION = "push"
SIDE = "side"


def knob(name: str) -> float:
    """Draw a slider and return its value."""
    one = KNOBS[name]
    value = st.slider(
        one.label, one.low, one.high, one.start, one.step, format=one.format, key=name, bind="query-params"
    )
    return float(value)


def complaints(parameters: Mapping[str, str], sides: tuple[int, ...]) -> tuple[str, ...]:
    """Return a sentence for each value of an address that no slider has.

    Args:
        parameters: of the address; those that belong to no slider are left alone.
        sides: of the pictures that can be chosen.

    Example:
        >>> complaints({"slope": "9", "other": "1"}, (2, 4))
        ('slope must be a number from 0 to 4, got 9.',)
    """
    found = []
    for name, one in KNOBS.items():
        text = parameters.get(name)
        if text is not None and not _within(text, one.low, one.high):
            found.append(f"{name} must be a number from {one.low:g} to {one.high:g}, got {text}.")
    for name, choices in ((SIDE, tuple(map(str, sides))), (DIRECTION, tuple(DIRECTIONS))):
        text = parameters.get(name)
        if text is not None and text not in choices:
            found.append(f"{name} must be one of {', '.join(choices)}, got {text}.")
    return tuple(found)


def _within(text: str, low: float, high: float) -> bool:
    try:
        return low <= float(text) <= high
    except ValueError:
        return False
