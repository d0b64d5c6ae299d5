"""Attacks on the score of a photo, and the one runner.

Adding an attack is one file with a frozen dataclass (see `Attack`) and one line in `ATTACKS`.
"""

import dataclasses
from collections.abc import Callable, Mapping

from robustiqa_core.attacks.fgsm import FGSM
from robustiqa_core.attacks.noise import Noise
from robustiqa_core.attacks.objective import DIRECTIONS, Direction
from robustiqa_core.attacks.pgd import PGD
from robustiqa_core.attacks.projections import NORMS, Norm
from robustiqa_core.attacks.records import AttackResult, AttackStep, Trial
from robustiqa_core.attacks.run import Attack, complete, run
from robustiqa_core.checks import check_choice

ATTACKS: dict[str, type[Attack]] = {
    "fgsm": FGSM,
    "pgd": PGD,
    "noise": Noise,
}


def make_attack(name: str, settings: Mapping[str, object]) -> Attack:
    """Return the attack called `name` with these settings, such as `dataclasses.asdict` gives or JSON holds.

    Args:
        name: a key of ATTACKS.
        settings: values by field name; what is left out keeps its default.

    Raises:
        ConfigurationError: unknown name or setting (the valid ones are listed), or a value out of its range.

    Example:
        >>> make_attack("noise", {"eps": 8 / 255, "seed": 1})
        Noise(eps=0.03137254901960784, norm='linf', seed=1)
    """
    make: Callable[..., Attack] = ATTACKS[check_choice("attack", name, ATTACKS)]
    fields = [field.name for field in dataclasses.fields(ATTACKS[name])]
    for setting in settings:
        check_choice(f"a setting of {name}", setting, fields)
    return make(**settings)


__all__ = [
    "ATTACKS",
    "DIRECTIONS",
    "FGSM",
    "NORMS",
    "PGD",
    "Attack",
    "AttackResult",
    "AttackStep",
    "Direction",
    "Noise",
    "Norm",
    "Trial",
    "complete",
    "make_attack",
    "run",
]
