"""The card of a stored perturbation: its model, training settings and training photos."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from robustiqa_core.errors import ConfigurationError, InputError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_name(name: str) -> str:
    """Return a valid name of a stored perturbation; raise ConfigurationError for a path or any other text."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"perturbation must be a name of letters, digits, '.', '_' and '-', got {name!r}; "
            "give the name of the file without folder and ending"
        )
    return name


@dataclass(frozen=True, slots=True)
class PerturbationCard:
    """The card of a universal perturbation; a JSON file beside its values.

    Args:
        name: of both files, without ending.
        model: architecture that it was trained against.
        variant: `baseline` or a hardened version.
        method: `plain`, `cumulative` or `generative`.
        direction: `up` or `down`.
        eps: its largest value, as a fraction of [0, 1].
        side: height and width in pixels of the pattern, which repeats.
        photos: names of the training photos by the sha256 of their pixels; an attack on one of these proves little.
        settings: all other settings of the training, by name.
        gain: mean change of the score on the training photos, as a share of the model's score range; signed.
        command: the command that repeats it.
        sha256: of the safetensors file.
        versions: of the packages that it was made with.

    Raises:
        ConfigurationError: the name is not valid.
    """

    name: str
    model: str
    variant: str
    method: str
    direction: str
    eps: float
    side: int
    photos: Mapping[str, str]
    settings: Mapping[str, Any]
    gain: float
    command: str
    sha256: str
    versions: Mapping[str, str]

    def __post_init__(self) -> None:
        check_name(self.name)

    def to_json(self) -> dict[str, Any]:
        """Return the card as a JSON object, which `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, place: str) -> "PerturbationCard":
        """Return the card from a JSON object.

        Args:
            value: as `to_json` makes it.
            place: where it came from, for the error.

        Raises:
            InputError: a key is missing or unknown.
        """
        try:
            return cls(**value)
        except TypeError as error:
            raise InputError(
                f"expected the card of a perturbation in {place}, got one that does not match ({error}); restore it"
            ) from error
