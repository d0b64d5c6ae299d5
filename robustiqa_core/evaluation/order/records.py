"""One attacked photo of a worst-case order."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from robustiqa_core.errors import InputError


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One photo under the attack `worst` of one strength, in one direction.

    Args:
        image: its path.
        mos: its human score; None where there is none.
        direction: 1 where it was pushed up, -1 where down.
        eps: strength, as a fraction of [0, 1].
        gradients: that the attack computed.
        clean: score of the photo.
        halfway: best score of the attack when half of its gradients were computed.
        attacked: best score of the attack, of pixels that are not rounded: half a level has no place in a file.
        rounded: score of the same after rounding to 8 bits.
        seconds: share of the time of its batch.
    """

    image: str
    mos: float | None
    direction: int
    eps: float
    gradients: int
    clean: float
    halfway: float
    attacked: float
    rounded: float
    seconds: float

    @property
    def key(self) -> str:
        """What tells the row from all others of a measurement."""
        return row_key(self.image, self.direction, self.eps, self.gradients)

    def to_json(self) -> dict[str, Any]:
        """Return the row as a JSON object, which `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], place: str) -> "OrderRow":
        """Return the row from a JSON object; raise InputError that names `place` where it does not fit."""
        try:
            return cls(**value)
        except TypeError as error:
            raise InputError(f"expected an attacked photo in {place}, got another row ({error}); start anew") from error


def row_key(image: str, direction: int, eps: float, gradients: int) -> str:
    """Return the key of a row."""
    return f"{image} {direction:+d} {eps!r} {gradients}"
