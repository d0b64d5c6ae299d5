"""What decides the numbers of a comparison, its command and its address. Knows nothing of Streamlit."""

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robustiqa_core.attacks import ATTACKS, DIRECTIONS, PGD, Attack
from robustiqa_core.attacks.settings import format_fraction, parse_fraction, parse_setting
from robustiqa_core.checks import check_choice, check_fraction
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.evaluation.tables.attack_grid import attack_grid
from robustiqa_core.files import as_word
from robustiqa_core.own_models import OWN
from ui.photos.photo_set import FOLDER_WORD, PhotoSet

SHARED = ("direction", "steps", "queries")
"""Settings that the page gives to every attack that has them; all others keep their defaults."""


@dataclass(frozen=True, slots=True)
class AttackChoice:
    """Which attacks are compared, in which strengths.

    Args:
        names: keys of ATTACKS.
        strengths: values of eps, as fractions of [0, 1].
        direction: where the scores shall go.
        steps: of attacks that have steps.
        queries: of attacks that ask for scores only.

    Raises:
        ConfigurationError: nothing chosen, an unknown attack, or a value out of its range.
    """

    names: tuple[str, ...] = ("pgd", "noise")
    strengths: tuple[float, ...] = (1 / 255, 4 / 255)
    direction: str = "up"
    steps: int = PGD().steps
    queries: int = 200

    def __post_init__(self) -> None:
        if not self.names or not self.strengths:
            raise ConfigurationError("expected one attack and one strength or more, got none; choose some")
        check_choice("direction", self.direction, [name for name in DIRECTIONS if name != "towards"])
        for name in self.names:
            check_choice("attack", name, ATTACKS)
        for strength in self.strengths:
            check_fraction("a strength", strength)
        self.grid()

    @property
    def texts(self) -> tuple[str, ...]:
        """The attacks as `parse_attack` reads them, without their strength."""
        return tuple(self._text(name) for name in self.names)

    def grid(self) -> tuple[Attack, ...]:
        """Return every attack in every strength."""
        return attack_grid(self.texts, self.strengths)

    def address(self) -> dict[str, str]:
        """Return the query parameters that `read_attacks` reads."""
        return {
            "attacks": ",".join(self.names),
            "eps": ",".join(format_fraction(value) for value in self.strengths),
            **{name: str(getattr(self, name)) for name in SHARED},
        }

    def _text(self, name: str) -> str:
        known = {field.name for field in dataclasses.fields(ATTACKS[name])}
        pairs = ",".join(f"{setting}={getattr(self, setting)}" for setting in SHARED if setting in known)
        return f"{name}:{pairs}" if pairs else name


def read_attacks(parameters: Mapping[str, str]) -> AttackChoice:
    """Return the attacks that an address names; what it leaves out has its default.

    Raises:
        ConfigurationError: a value does not exist or cannot be read.

    Example:
        >>> read_attacks({"attacks": "fgsm", "eps": "4/255"}).texts
        ('fgsm:direction=up',)
    """
    given: dict[str, object] = {}
    if "attacks" in parameters:
        given["names"] = tuple(dict.fromkeys(filter(None, parameters["attacks"].split(","))))
    if "eps" in parameters:
        given["strengths"] = tuple(sorted({parse_fraction(text) for text in parameters["eps"].split(",")}))
    given |= {name: parse_setting(name, parameters[name]) for name in SHARED if name in parameters}
    return AttackChoice(**given)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class CompareRecipe:
    """Everything that decides the rows of a comparison.

    Args:
        photos: which photos.
        models: stems of their cards, such as `linearity-baseline`.
        attacks: which attacks, in which strengths.
        max_side: to how many pixels larger photos are reduced.
        batch_size: photos that are attacked together.
    """

    photos: PhotoSet
    models: tuple[str, ...]
    attacks: AttackChoice
    max_side: int
    batch_size: int = 1

    @property
    def rows(self) -> int:
        """How many photos are attacked, each counted as often as it is."""
        return len(self.photos.names) * len(self.models) * len(self.attacks.grid())

    @property
    def transfer(self) -> bool:
        """Whether each attacked photo is also scored by the other models."""
        return len(self.models) > 1

    def command(self, places: Sequence[str], *, device: str, also: Sequence[str] = ()) -> str:
        """Return the command line that makes the same table.

        Args:
            places: paths of the photos; those of the folder on the server are not named one by one.
            device: where it ran.
            also: more words, such as the scale on which the figures are computed.
        """
        folder = self.photos.source == "folder"
        words = [] if folder else list(map(as_word, places))
        for model in self.models:
            words += ["--model", model.removesuffix(f"-{OWN}")]
        for text in self.attacks.texts:
            words += ["--attack", text]
        words += ["--eps", *(format_fraction(value) for value in self.attacks.strengths)]
        words += ["--limit", str(len(self.photos.names))] if folder else []
        words += ["--transfer"] if self.transfer else []
        words += ["--batch-size", str(self.batch_size), "--max-side", str(self.max_side), "--device", device, *also]
        start = f"robustiqa evaluate {FOLDER_WORD}" if folder else "robustiqa evaluate"
        return f"{start} {shlex.join([*words, '--out', 'table.csv'])}"

    def address(self) -> dict[str, str]:
        """Return the query parameters that open this view; uploads cannot be part of an address and are left out."""
        own = {"max_side": str(self.max_side)}
        return {**self.photos.address(), "models": ",".join(self.models), **self.attacks.address(), **own}

    def key(self) -> str:
        """Return a digest of everything here, under which the rows are kept."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return "compare-" + hashlib.sha256(text.encode()).hexdigest()[:24]
