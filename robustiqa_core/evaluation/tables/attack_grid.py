"""Attacks x strengths: the columns of a table, and how a reader knows them apart."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from robustiqa_core.attacks import ATTACKS, Attack, parse_attack, spell_attack
from robustiqa_core.attacks.settings import spell_setting
from robustiqa_core.errors import ConfigurationError


def attack_grid(texts: Iterable[str], strengths: Iterable[float] = ()) -> tuple[Attack, ...]:
    """Return each attack in each strength; one that has no `eps` is returned once.

    Args:
        texts: attacks such as `pgd:steps=20`.
        strengths: values of `eps`, as fractions of [0, 1]; none leaves each attack as it is written.

    Raises:
        ConfigurationError: an attack cannot be read, is given twice, or names `eps` although strengths are given.

    Example:
        >>> [attack.eps for attack in attack_grid(["fgsm"], [2 / 255, 4 / 255])] == [2 / 255, 4 / 255]
        True
    """
    attacks: list[Attack] = []
    values = tuple(strengths)
    for text in texts:
        attack = parse_attack(text)
        if not values or not hasattr(attack, "eps"):
            attacks.append(attack)
            continue
        if "eps" in {pair.partition("=")[0] for pair in text.partition(":")[2].split(",")}:
            raise ConfigurationError(f"expected eps once, got it in {text!r} and as a list of strengths; remove one")
        attacks += [parse_attack(_with_strength(text, value)) for value in values]
    spelled = [spell_attack(attack) for attack in attacks]
    if twice := {text for text in spelled if spelled.count(text) > 1}:
        raise ConfigurationError(f"expected different attacks, got {min(twice)} twice; leave one out")
    return tuple(attacks)


def label_attack(name: str, settings: Mapping[str, Any]) -> str:
    """Return the attack with the settings that are not its defaults, without its strength.

    Example:
        >>> label_attack("noise", {"eps": 8 / 255, "norm": "l2", "seed": 0})
        'noise:norm=l2'
    """
    defaults = {field.name: field.default for field in dataclasses.fields(ATTACKS[name])}
    chosen = [
        f"{key}={spell_setting(key, value)}"
        for key, value in settings.items()
        if key != "eps" and value is not None and value != defaults.get(key)
    ]
    return ":".join(filter(None, [name, ",".join(chosen)]))


def _with_strength(text: str, value: float) -> str:
    return f"{text}{',' if ':' in text else ':'}eps={spell_setting('eps', value)}"
