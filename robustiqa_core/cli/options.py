"""Options and output that several commands share."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


def fraction(text: str) -> float:
    """Return the number written as `4/255` or `0.0157`; for argparse.

    Example:
        >>> fraction("4/255") == 4 / 255
        True
    """
    numerator, slash, denominator = text.partition("/")
    try:
        return float(numerator) / float(denominator) if slash else float(text)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"expected a fraction such as 4/255 or 0.0157, got {text!r}") from None


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add --model, --variant and --device."""
    parser.add_argument("--model", default="linearity", help="architecture (default: %(default)s)")
    parser.add_argument("--variant", default="baseline", help="baseline or a hardened version (default: %(default)s)")
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device."""
    parser.add_argument("--device", default="auto", help="auto, cpu, mps, cuda or cuda:N (default: %(default)s)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def print_json(value: Any) -> None:
    """Print one JSON document to standard output."""
    json.dump(value, sys.stdout, indent=2, allow_nan=False, ensure_ascii=False)
    print()


def progress(records: Iterable[T], *, total: int | None, label: str) -> Iterator[T]:
    """Yield `records`, drawing a bar on standard error where that is a terminal."""
    yield from tqdm(records, total=total, desc=label, file=sys.stderr, disable=not sys.stderr.isatty(), leave=False)
