"""What decides the numbers of a run, and how an address in the browser spells it. Knows nothing of Streamlit."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from robustiqa_core.attacks import ATTACKS, Attack, make_attack
from robustiqa_core.attacks.settings import parse_setting, spell_setting
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.evaluation.report import attack_command, attack_name
from robustiqa_core.images.photo import MAX_SIDE

Source = Literal["sample", "upload"]


@dataclass(frozen=True, slots=True)
class PhotoChoice:
    """Which photo is attacked, and at what size.

    Args:
        source: a bundled `sample`, or the visitor's own `upload`.
        name: the sample's name, or the upload's file name.
        place: path of the sample from the repository's root, or the upload's file name; for the command line.
        max_side: longest side in pixels at which it is worked on.
        digest: sha256 of the uploaded file; empty for a sample.
    """

    source: Source
    name: str
    place: str
    max_side: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the numbers of a run.

    Args:
        model: architecture.
        variant: `baseline` or a hardened version.
        photo: what is attacked.
        attack: how.
    """

    model: str
    variant: str
    photo: PhotoChoice
    attack: Attack

    def command(self, *, device: str) -> str:
        """Return the command line that gives the same numbers."""
        return attack_command(
            self.attack,
            image=self.photo.place,
            model=self.model,
            variant=self.variant,
            max_side=self.photo.max_side if self.photo.max_side < MAX_SIDE else None,
            device=device,
        )

    def address(self) -> dict[str, str]:
        """Return the query parameters that open this view; an upload cannot be part of an address and is left out."""
        photo = {"photo": self.photo.name} if self.photo.source == "sample" else {}
        return {**photo, "model": self.model, "variant": self.variant, **attack_address(self.attack)}


def digest_of(kind: str, *parts: object) -> str:
    """Return the key under which the result of a recipe is kept.

    Args:
        kind: of the result, which the key begins with.
        parts: all that decides its numbers, as JSON takes it.

    Example:
        >>> digest_of("lab", [1]) == digest_of("lab", (1,)) != digest_of("lab", [2])
        True
    """
    text = json.dumps(parts, sort_keys=True)
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


_MOST_DIGITS = 15


def read_count(parameters: Mapping[str, str], name: str, default: int, *, low: int = 0, high: int) -> int:
    """Return a whole number of an address.

    Args:
        parameters: of the address.
        name: of the number.
        default: where the address does not name it.
        low: smallest value.
        high: largest value.

    Raises:
        ConfigurationError: it is no whole number from `low` to `high`.
    """
    text = parameters.get(name, str(default))
    # Python refuses to read thousands of digits, with an error of its own.
    if not text.isdecimal() or len(text) > _MOST_DIGITS or not low <= int(text) <= high:
        raise ConfigurationError(f"{name} must be a whole number from {low} to {high}, got {text[:40]!r}; change it")
    return int(text)


def attack_address(attack: Attack) -> dict[str, str]:
    """Return the query parameters that `read_attack` reads.

    Example:
        >>> attack_address(make_attack("noise", {"eps": 8 / 255}))
        {'attack': 'noise', 'eps': '8/255', 'norm': 'linf', 'seed': '0'}
    """
    values = {field.name: getattr(attack, field.name) for field in dataclasses.fields(attack)}
    settings = {name: spell_setting(name, value) for name, value in values.items() if value is not None}
    return {"attack": attack_name(attack), **settings}


def read_attack(parameters: Mapping[str, str], default: Attack) -> Attack:
    """Return the attack that an address describes.

    Parameters that are not settings of that attack are ignored: they may belong to the photo or the model.

    Args:
        parameters: of the address.
        default: the attack where the address names none; what the address sets of it is changed.

    Raises:
        ConfigurationError: the attack or one of its values does not exist.

    Example:
        >>> read_attack({"attack": "noise", "eps": "8/255", "photo": "cat"}, make_attack("fgsm", {}))
        Noise(eps=0.03137254901960784, norm='linf', seed=0)
    """
    name = parameters.get("attack", attack_name(default))
    if name not in ATTACKS:
        raise ConfigurationError(f"attack must be one of {', '.join(ATTACKS)}, got {name!r}; choose one of these")
    kinds = {field.name: field.type for field in dataclasses.fields(ATTACKS[name])}
    given = {key: parse_setting(key, value) for key, value in parameters.items() if key in kinds}
    return make_attack(name, given) if "attack" in parameters else dataclasses.replace(default, **given)
