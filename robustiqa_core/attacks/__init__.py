"""Attacks on the score of a photo, and the one runner.

Adding an attack is one file with a frozen dataclass (see `Attack`) and one line in `ATTACKS`.
"""

import dataclasses
from collections.abc import Callable, Mapping

from robustiqa_core.attacks.apgd import APGD
from robustiqa_core.attacks.colour import Colour
from robustiqa_core.attacks.fgsm import FGSM
from robustiqa_core.attacks.low_frequency import LowFrequency
from robustiqa_core.attacks.mi_fgsm import MIFGSM
from robustiqa_core.attacks.nes import NES
from robustiqa_core.attacks.noise import Noise
from robustiqa_core.attacks.objective import DIRECTIONS, Direction, Goal
from robustiqa_core.attacks.perceptual import Perceptual
from robustiqa_core.attacks.pgd import PGD
from robustiqa_core.attacks.projections import NORMS, Norm
from robustiqa_core.attacks.records import AttackResult, AttackStep, Trial
from robustiqa_core.attacks.run import Attack, complete, run
from robustiqa_core.attacks.settings import SETTINGS, Setting, parse_setting, spell_setting
from robustiqa_core.attacks.square import Square
from robustiqa_core.attacks.stadv import StAdv
from robustiqa_core.attacks.texture import TextureAware
from robustiqa_core.attacks.uap import UAP
from robustiqa_core.attacks.worst import Worst
from robustiqa_core.checks import check_choice

ATTACKS: dict[str, type[Attack]] = {
    "fgsm": FGSM,
    "mi_fgsm": MIFGSM,
    "pgd": PGD,
    "apgd": APGD,
    "square": Square,
    "nes": NES,
    "stadv": StAdv,
    "perceptual": Perceptual,
    "texture": TextureAware,
    "colour": Colour,
    "low_frequency": LowFrequency,
    "worst": Worst,
    "uap": UAP,
    "noise": Noise,
}


def make_attack(name: str, settings: Mapping[str, object]) -> Attack:
    """Return the attack called `name` with these settings, such as `dataclasses.asdict` gives or JSON holds.

    Args:
        name: a key of ATTACKS.
        settings: values by field name; omitted settings keep their default.

    Raises:
        ConfigurationError: unknown name or setting (the valid ones are listed), or a value out of its range.

    Example:
        >>> make_attack("noise", {"eps": 8 / 255, "seed": 1})
        Noise(eps=0.03137254901960784, norm='linf', seed=1)
    """
    make: Callable[..., Attack] = ATTACKS[check_choice("attack", name, ATTACKS)]
    for setting in settings:
        _check_setting(name, setting)
    return make(**settings)


def parse_attack(text: str) -> Attack:
    """Return the attack that a text such as `pgd:steps=20,norm=l2` describes.

    Raises:
        ConfigurationError: unknown attack or setting, or a value that cannot be read or is out of its range.

    Example:
        >>> parse_attack("noise:eps=8/255,seed=1")
        Noise(eps=0.03137254901960784, norm='linf', seed=1)
    """
    name, _, rest = text.partition(":")
    check_choice("attack", name, ATTACKS)
    pairs = (part.partition("=") for part in rest.split(",") if part)
    given = {
        key: parse_setting(_check_setting(name, key), value, place=f"{key} in {text!r}") for key, _, value in pairs
    }
    return make_attack(name, given)


def spell_attack(attack: Attack) -> str:
    """Return the text that `parse_attack` reads, with every setting that has a value."""
    name = next(name for name, kind in ATTACKS.items() if type(attack) is kind)
    values = ((field.name, getattr(attack, field.name)) for field in dataclasses.fields(attack))
    return f"{name}:" + ",".join(f"{key}={spell_setting(key, value)}" for key, value in values if value is not None)


def _check_setting(name: str, setting: str) -> str:
    """Return `setting` if the attack called `name` has it; else raise with those that it has."""
    return check_choice(f"a setting of {name}", setting, [field.name for field in dataclasses.fields(ATTACKS[name])])


__all__ = [
    "APGD",
    "ATTACKS",
    "DIRECTIONS",
    "FGSM",
    "MIFGSM",
    "NES",
    "NORMS",
    "PGD",
    "SETTINGS",
    "UAP",
    "Attack",
    "AttackResult",
    "AttackStep",
    "Colour",
    "Direction",
    "Goal",
    "LowFrequency",
    "Noise",
    "Norm",
    "Perceptual",
    "Setting",
    "Square",
    "StAdv",
    "TextureAware",
    "Trial",
    "Worst",
    "complete",
    "make_attack",
    "parse_attack",
    "run",
    "spell_attack",
]
