"""Named attacks, for visitors who do not want to choose settings. Knows nothing of Streamlit."""

from collections.abc import Mapping
from dataclasses import asdict

from robustiqa_core.attacks import APGD, PGD, Attack, Square, StAdv, make_attack
from robustiqa_core.evaluation.report import attack_name

PRESETS: dict[str, Attack] = {
    "Invisible": PGD(2 / 255, steps=10),
    "Usual": PGD(4 / 255, steps=10),
    "Strong": APGD(8 / 255, steps=40),
    "No gradients": Square(4 / 255),
    "Bend": StAdv(1.0),
}
HELP: dict[str, str] = {
    "Invisible": "PGD, 2/255, 10 steps: the change is all but invisible.",
    "Usual": "PGD, 4/255, 10 steps.",
    "Strong": "APGD, 8/255, 40 steps: the strongest gradient attack. It takes a while.",
    "No gradients": "Square, 4/255: makes 1000 score queries and needs nothing else from the model.",
    "Bend": "stAdv, 1 px: moves the pixels instead of changing their colours.",
}
_WHERE = ("direction", "target")
"""A preset sets how an attack works, not its goal: these stay as the visitor chose them."""


def preset_with(name: str, where: Mapping[str, object]) -> Attack:
    """Return a preset with the goal that the visitor chose.

    Args:
        name: key of `PRESETS`.
        where: direction and target; other settings are ignored.

    Example:
        >>> preset_with("Usual", {"direction": "down"}).direction
        'down'
    """
    preset = PRESETS[name]
    chosen = {key: where[key] for key in _WHERE if key in where and hasattr(preset, key)}
    return make_attack(attack_name(preset), {**asdict(preset), **chosen})


def preset_of(attack: Attack | None) -> str | None:
    """Return the name of the preset that an attack matches, whatever its goal; None if it matches none."""
    if attack is None:
        return None
    where = asdict(attack)
    return next((name for name in PRESETS if preset_with(name, where) == attack), None)
