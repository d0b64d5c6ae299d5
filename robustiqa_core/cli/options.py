"""Options and output that several commands share."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from robustiqa_core.attacks import ATTACKS, Attack, make_attack
from robustiqa_core.attacks.settings import SETTINGS, parse_fraction, parse_setting
from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.evaluation.tables.photos import find_photos
from robustiqa_core.models import ARCHITECTURES
from robustiqa_core.own_models import find_own_model

T = TypeVar("T")


def fraction(text: str) -> float:
    """Return the number written as `4/255` or `0.0157`; for argparse."""
    try:
        return parse_fraction(text)
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def plain_number(value: float) -> str:
    """Return a number in full without an exponent, which would be taken for an option where it is negative.

    Example:
        >>> plain_number(-1e-05)
        '-0.00001'
    """
    return format(Decimal(repr(value)), "f")


def add_attack(parser: argparse.ArgumentParser) -> None:
    """Add --attack and an option for each setting; one that is not given is left to the attack's own default."""
    parser.add_argument("--attack", default="pgd", choices=ATTACKS, help="default: %(default)s")
    for name, setting in SETTINGS.items():
        option = "--" + name.replace("_", "-")
        if setting.kind == "flag":
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=None, help=setting.help)
        else:
            parser.add_argument(option, help=f"{setting.help} ({', '.join(setting.choices) or setting.kind})")


def read_attack(arguments: argparse.Namespace) -> Attack:
    """Return the attack that the options of `add_attack` describe.

    Raises:
        ConfigurationError: a value cannot be read or is out of its range, or the attack lacks the setting.
    """
    given = {name: value for name in SETTINGS if (value := getattr(arguments, name)) is not None}
    return make_attack(arguments.attack, {name: _value(name, text) for name, text in given.items()})


def _value(name: str, text: str | bool) -> object:
    """Return what was given for a setting; a switch has its value already."""
    return parse_setting(name, text, place="--" + name.replace("_", "-")) if isinstance(text, str) else text


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add --model, --variant and --device."""
    parser.add_argument(
        "--model",
        default="linearity",
        help="architecture, name in ROBUSTIQA_MODELS, module:callable, or a .pt2 or TorchScript file "
        "(default: %(default)s)",
    )
    parser.add_argument("--variant", default="baseline", help="baseline or a hardened version (default: %(default)s)")
    add_device(parser)


def check_architecture(model: str, task: str) -> str:
    """Return the name of an architecture, or raise: the layers of a model of the user's own are not known here.

    Args:
        model: as --model gave it.
        task: what is only possible with known layers, for the error.
    """
    if find_own_model(model) is not None:
        raise ConfigurationError(
            f"{task} needs one of the built-in architectures ({', '.join(ARCHITECTURES)}), got {model}, a model of "
            "your own, which can be scored, attacked, compared and audited; docs/guide/adding_a_model.md explains how "
            "to make it an architecture"
        )
    return check_choice("--model", model, ARCHITECTURES)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device."""
    parser.add_argument("--device", default="auto", help="auto, cpu, mps, cuda or cuda:N (default: %(default)s)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Add --overwrite."""
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")


def photos_named(words: Sequence[str], *, limit: int | None = None, names: str | None = None) -> tuple[Path, ...]:
    """Return the photos that words of the command line name; what is left out of folders goes to standard error.

    Raises:
        InputError: a word is neither file nor folder, or a folder has no photo.
    """
    found = find_photos(words, limit=limit, names=names)
    for file in found.left_out:
        print(file, file=sys.stderr)
    return found.paths


def add_names(parser: argparse.ArgumentParser) -> None:
    """Add --names."""
    parser.add_argument(
        "--names",
        metavar="LIST",
        help="use the photos of a list, in its order: a text file with one file name per line, or a list of "
        "this repository, such as nips2017_200",
    )


def print_json(value: Any) -> None:
    """Print one JSON document to standard output."""
    json.dump(value, sys.stdout, indent=2, allow_nan=False, ensure_ascii=False)
    print()


def progress(records: Iterable[T], *, total: int | None, label: str) -> Iterator[T]:
    """Yield `records`, drawing a bar on standard error where that is a terminal."""
    yield from tqdm(records, total=total, desc=label, file=sys.stderr, disable=not sys.stderr.isatty(), leave=False)
