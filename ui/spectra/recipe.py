"""What decides the numbers of the page of spectra, its commands and its address. Knows nothing of Streamlit."""

import dataclasses
import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from robustiqa_core.attacks import PGD, Attack
from robustiqa_core.attacks.settings import format_fraction, parse_fraction
from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.evaluation.report import attack_words
from robustiqa_core.files import as_word
from robustiqa_core.own_models import OWN
from robustiqa_core.spectra import NORMS, Norms, SensitivitySettings
from ui.attacks.recipe import attack_address, read_attack
from ui.photos.photo_set import PhotoSet

View = Literal["perturbation", "sensitivity", "layers"]
VIEWS: tuple[View, ...] = ("perturbation", "sensitivity", "layers")
GRIDS = (5, 11, 15, 21)
"""Frequencies on an axis that the page measures."""
DEFAULT_WAVES = SensitivitySettings(grid=11)


@dataclass(frozen=True, slots=True)
class Perturbation:
    """Where does the energy of an attack's change lie?

    Args:
        attack: that changes the photos.
    """

    attack: Attack
    view: ClassVar[View] = "perturbation"
    command: ClassVar[str] = "spectrum"

    def words(self) -> list[str]:
        """Return the options of the command."""
        return attack_words(self.attack)

    def address(self) -> dict[str, str]:
        """Return the query parameters."""
        return attack_address(self.attack)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Which waves move the score?

    Args:
        waves: their size and number.
    """

    waves: SensitivitySettings
    view: ClassVar[View] = "sensitivity"
    command: ClassVar[str] = "sensitivity"

    def words(self) -> list[str]:
        """Return the options of the command."""
        return ["--eps", format_fraction(self.waves.eps), "--grid", str(self.waves.grid)]

    def address(self) -> dict[str, str]:
        """Return the query parameters."""
        return {"wave": format_fraction(self.waves.eps), "grid": str(self.waves.grid)}


@dataclass(frozen=True, slots=True)
class Layers:
    """How does a change grow through the layers?

    Args:
        attack: that makes the change.
        norms: which largest singular values are computed.
    """

    attack: Attack
    norms: Norms
    view: ClassVar[View] = "layers"
    command: ClassVar[str] = "amplification"

    def words(self) -> list[str]:
        """Return the options of the command."""
        return [*attack_words(self.attack), "--norms", self.norms]

    def address(self) -> dict[str, str]:
        """Return the query parameters."""
        return {**attack_address(self.attack), "norms": self.norms}


Question = Perturbation | Sensitivity | Layers


@dataclass(frozen=True, slots=True)
class SpectraRecipe:
    """Everything that decides the numbers of a view.

    Args:
        photos: which photos.
        models: stems of their cards, such as `linearity-baseline`.
        max_side: to how many pixels larger photos are reduced.
        question: what is measured.
    """

    photos: PhotoSet
    models: tuple[str, ...]
    max_side: int
    question: Question

    def command(self, places: Sequence[str], *, device: str) -> str:
        """Return the command line that gives the same numbers.

        Args:
            places: paths of the photos.
            device: where it ran.
        """
        words = [
            "robustiqa",
            self.question.command,
            *map(as_word, places),
            *_model_words(self.models),
            *self.question.words(),
        ]
        return shlex.join([*words, "--max-side", str(self.max_side), "--device", device])

    def address(self) -> dict[str, str]:
        """Return the query parameters that open this view; uploads cannot be part of an address and are left out."""
        own = {"models": ",".join(self.models), "max_side": str(self.max_side)}
        return {"view": self.question.view, **self.photos.address(), **own, **self.question.address()}

    def key(self, weights: Sequence[str]) -> str:
        """Return a digest of everything here, under which a result is kept.

        Args:
            weights: digest of each of `models`: a name may be given to another model later.
        """
        text = json.dumps([self.address(), dataclasses.asdict(self.photos), list(weights)], sort_keys=True)
        return f"{self.question.view}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


@dataclass(frozen=True, slots=True)
class Choices:
    """What an address says about the three views; what it leaves out has its default.

    Args:
        view: that is open.
        attack: of two of the views.
        waves: of the sensitivity.
        norms: of the layers.
    """

    view: View = "perturbation"
    attack: Attack = dataclasses.field(default_factory=PGD)
    waves: SensitivitySettings = DEFAULT_WAVES
    norms: Norms = "stage"


def read_choices(parameters: Mapping[str, str]) -> Choices:
    """Return what an address says about the views.

    Raises:
        ConfigurationError: a value does not exist or cannot be read.

    Example:
        >>> read_choices({"view": "sensitivity", "grid": "15"}).waves.grid
        15
    """
    grid = parameters.get("grid", str(DEFAULT_WAVES.grid))
    if grid not in map(str, GRIDS):
        raise ConfigurationError(f"grid must be one of {', '.join(map(str, GRIDS))} here, got {grid!r}; change it")
    eps = parse_fraction(parameters["wave"]) if "wave" in parameters else DEFAULT_WAVES.eps
    return Choices(
        check_choice("view", parameters.get("view", "perturbation"), VIEWS),  # type: ignore[arg-type]
        read_attack(parameters, PGD()),
        SensitivitySettings(eps, grid=int(grid)),
        check_choice("norms", parameters.get("norms", "stage"), NORMS[:2]),  # type: ignore[arg-type]
    )


def _model_words(stems: Sequence[str]) -> list[str]:
    """Return the words of a command line that name the models: the first one, and those beside it."""
    words = ["--model", *_split(stems[0])]
    for stem in stems[1:]:
        words += ["--compare", stem.removesuffix(f"-{OWN}")]
    return words


def _split(stem: str) -> list[str]:
    """Return the model of a stem, and its variant as an option where it has one."""
    if stem.endswith(f"-{OWN}"):
        return [stem.removesuffix(f"-{OWN}")]
    model, _, variant = stem.partition("-")
    return [model, "--variant", variant]
