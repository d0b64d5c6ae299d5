"""The vocabulary of attack settings: their names, meanings and spelling.

A setting of one name means the same in every attack that has it. The command line, addresses and the app's widgets
are built from it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from robustiqa_core.attacks.objective import DIRECTIONS
from robustiqa_core.attacks.projections import MAX_SEED, NORMS
from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError

Kind = Literal["fraction", "number", "count", "flag", "choice", "name"]

_LEVELS = 255
"""Steps between the darkest and the brightest 8-bit value."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a setting is written and shown.

    Args:
        kind: `fraction` of [0, 1], written as `4/255`; `number`; `count`, a whole number; `flag`, yes or no;
            `choice`, one of `choices`; `name`, any text.
        label: a few words for a person.
        help: a sentence.
        low: smallest sensible value of a number or count; the attack itself decides what it refuses.
        high: largest sensible value.
        choices: of a choice.
    """

    kind: Kind
    label: str
    help: str
    low: float = 0.0
    high: float = 1.0
    choices: tuple[str, ...] = ()


SETTINGS: dict[str, Setting] = {
    "eps": Setting("fraction", "Strength", "How far a value may move: the largest change (linf), or the RMS (l2)."),
    "norm": Setting("choice", "Norm", "How the change is measured.", choices=NORMS),
    "direction": Setting(
        "choice", "Direction", "Raise the score, lower it, move it away or towards a target.", choices=DIRECTIONS
    ),
    "target": Setting(
        "number", "Target score", "Score to reach with direction towards, in the model's unit.", low=-1e6, high=1e6
    ),
    "step_size": Setting("fraction", "Step size", "Length of one step; automatic if not given."),
    "steps": Setting("count", "Steps", "More steps find stronger attacks and take longer.", low=1, high=1_000_000),
    "decay": Setting("number", "Decay", "Share of the earlier gradients kept in each step."),
    "restarts": Setting("count", "Restarts", "Number of starts; they share the steps.", low=1, high=100),
    "queries": Setting("count", "Queries", "Number of score queries; it sees nothing else.", low=2, high=1_000_000),
    "samples": Setting("count", "Samples", "Scores for one estimate of the gradient; even.", low=2, high=10_000),
    "sigma": Setting("fraction", "Probe", "Standard deviation of the noise for the gradient estimate."),
    "cell": Setting("count", "Cell", "Side in pixels of the squares that share one random number.", low=1, high=1024),
    "spacing": Setting(
        "count", "Spacing", "Pixels between two knots of the smooth pattern; no wave is shorter.", low=2, high=256
    ),
    "area": Setting("number", "Area", "Share of the photo that the first squares cover."),
    "max_flow": Setting("number", "Displacement", "Largest displacement of a pixel, in pixels.", low=0.1, high=16.0),
    "smoothness": Setting("number", "Smoothness", "How much neighbours move together; 0 = independently."),
    "min_ssim": Setting("number", "Smallest SSIM", "How similar photo and result stay; 1 allows no change.", low=0.5),
    "perturbation": Setting("name", "Perturbation", "Name of a stored universal perturbation."),
    "random_start": Setting("flag", "Random start", "Start at a random point within the budget, not at the photo."),
    "seed": Setting("count", "Seed", "The same seed gives the same result.", high=MAX_SEED),
}
"""Every setting of every attack, by the name of its field."""


def parse_fraction(text: str) -> float:
    """Return the number written as `4/255` or `0.0157`.

    Raises:
        ConfigurationError: it is not a number.

    Example:
        >>> parse_fraction("4/255") == 4 / 255
        True
    """
    numerator, slash, denominator = text.partition("/")
    try:
        return float(numerator) / float(denominator) if slash else float(text)
    except (ValueError, ZeroDivisionError):
        raise ConfigurationError(f"expected a fraction such as 4/255 or 0.0157, got {text!r}; correct it") from None


def format_fraction(value: float) -> str:
    """Return a fraction of [0, 1] as people write it: in 255ths where that is exact, else in full.

    Example:
        >>> format_fraction(4 / 255), format_fraction(0.5), format_fraction(0.1)
        ('4/255', '127.5/255', '25.5/255')
        >>> format_fraction(1 / 3 / 255)
        '0.00130718954248366'
    """
    levels = f"{value * _LEVELS:g}"
    return f"{levels}/255" if float(levels) / _LEVELS == value else repr(value)


def parse_setting(name: str, text: str, *, place: str | None = None) -> object:
    """Return the value that `text` stands for; the inverse of `spell_setting`.

    Args:
        name: a key of SETTINGS.
        text: as people write it.
        place: what the reader of an error knows the setting as, such as `--step-size`; its name by default.

    Raises:
        ConfigurationError: unknown setting, or a text that is not a value of its kind.

    Example:
        >>> parse_setting("steps", "10"), parse_setting("random_start", "no"), parse_setting("norm", "l2")
        (10, False, 'l2')
        >>> parse_setting("steps", "many", place="--steps")
        Traceback (most recent call last):
        ...
        robustiqa_core.errors.ConfigurationError: --steps must be a whole number such as 10, got 'many'; correct it
    """
    setting = SETTINGS[check_choice("a setting", name, SETTINGS)]
    if setting.kind == "choice":
        return check_choice(place or name, text, setting.choices)
    read, wanted = _READERS[setting.kind]
    try:
        return read(text)
    except (ValueError, KeyError):
        raise ConfigurationError(f"{place or name} must be {wanted}, got {text!r}; correct it") from None


_READERS: dict[Kind, tuple[Callable[[str], object], str]] = {
    "fraction": (parse_fraction, "a fraction such as 4/255 or 0.0157"),
    "number": (float, "a number such as 0.5"),
    "count": (int, "a whole number such as 10"),
    "flag": ({"yes": True, "no": False}.__getitem__, "yes or no"),
    "name": (str, "a text"),
}
"""The parser of each kind but `choice`, and the description of a valid value for errors."""


def spell_setting(name: str, value: object) -> str:
    """Return a setting's value as people write it.

    Example:
        >>> spell_setting("eps", 4 / 255), spell_setting("random_start", True), spell_setting("steps", 10)
        ('4/255', 'yes', '10')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and SETTINGS[name].kind == "fraction":
        return format_fraction(value)
    return str(value)
