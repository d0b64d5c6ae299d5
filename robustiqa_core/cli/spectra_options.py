"""What the commands of the spectra share: models side by side, photos, NaN in JSON."""

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from robustiqa_core.checks import MIN_SIDE
from robustiqa_core.cli.options import add_json, add_model, add_names, add_overwrite, photos_named
from robustiqa_core.device import choose_device
from robustiqa_core.evaluation.tables.photos import SAMPLES
from robustiqa_core.files import as_word, check_output
from robustiqa_core.images.photo import MAX_SIDE, Photo, read_image
from robustiqa_core.own_models import OWN, find_own_model, resolve_scorer
from robustiqa_core.scorer import Scorer


@dataclass(frozen=True, slots=True, eq=False)
class NamedScorer:
    """A model of the command line: its architecture, its variant, and what they stand for."""

    model: str
    variant: str
    scorer: Scorer

    @property
    def label(self) -> str:
        """Name for people."""
        return self.model if self.variant == OWN else f"{self.model} {self.variant}"


def add_photos(parser: argparse.ArgumentParser, *, needed: bool) -> None:
    """Add IMAGE ... and --limit."""
    parser.add_argument(
        "images",
        nargs="+" if needed else "*",
        metavar="IMAGE",
        help=f"photo files, folders of photos, or the word {SAMPLES}",
    )
    parser.add_argument("--limit", type=int, help="use only the first LIMIT photos")
    add_names(parser)


def add_spectra(parser: argparse.ArgumentParser) -> None:
    """Add --model and its kin, --compare, --max-side, --json, --png and --overwrite."""
    add_model(parser)
    parser.add_argument(
        "--compare",
        action="append",
        default=[],
        metavar="MODEL-VARIANT",
        help="another model to compare with; may be repeated",
    )
    parser.add_argument("--max-side", type=int, default=MAX_SIDE, help="scale larger photos down to this many px")
    add_json(parser)
    parser.add_argument("--png", type=Path, metavar="FILE", help="where to save a figure")
    add_overwrite(parser)


def check_figure(arguments: argparse.Namespace) -> None:
    """Raise ConfigurationError if --png was given and the figure cannot be written there."""
    if arguments.png is not None:
        check_output(arguments.png, option="--png", endings=[".png"], overwrite=arguments.overwrite)


def read_models(arguments: argparse.Namespace, device: torch.device) -> list[NamedScorer]:
    """Return the models that --model, --variant and --compare name, each once."""
    names = [(arguments.model, arguments.variant)]
    for stem in arguments.compare:
        model, _, variant = stem.partition("-")
        names.append((stem, OWN) if find_own_model(stem) else (model, variant or "baseline"))
    return [
        NamedScorer(model, variant, resolve_scorer(model, variant, device=device))
        for model, variant in dict.fromkeys(names)
    ]


def read_photos(arguments: argparse.Namespace) -> list[Photo]:
    """Return the photos that the command line names."""
    paths = photos_named(arguments.images, limit=arguments.limit, names=arguments.names)
    return [read_image(path, max_side=arguments.max_side, min_side=MIN_SIDE) for path in paths]


def photo_words(arguments: argparse.Namespace) -> list[str]:
    """Return the words of a command line that name the photos."""
    words = list(map(as_word, arguments.images))
    for name in ("names", "limit"):
        if (value := getattr(arguments, name)) is not None:
            words += [f"--{name}", as_word(str(value))]
    return words


def model_words(arguments: argparse.Namespace) -> list[str]:
    """Return the words of a command line that name the models."""
    compared = [word for stem in arguments.compare for word in ("--compare", stem)]
    return ["--model", arguments.model, "--variant", arguments.variant, *compared]


def output_words(arguments: argparse.Namespace) -> list[str]:
    """Return the words of a command line for the device, the size of the photos and the figure, if they were given."""
    words = ["--device", str(choose_device(arguments.device))]
    words += ["--max-side", str(arguments.max_side)] if arguments.max_side != MAX_SIDE else []
    return words if arguments.png is None else [*words, "--png", as_word(arguments.png.name)]


def shown_photos(photos: Sequence[Photo]) -> str:
    """Return which photos a figure is of, in a few words."""
    return photos[0].name if len(photos) == 1 else f"{len(photos)} photos, {photos[0].name} to {photos[-1].name}"


def without_nan(value: Any) -> Any:
    """Return a JSON value with None for each number that is not finite, since JSON has none.

    Example:
        >>> without_nan({"share": float("nan"), "rest": (1, 0.5)})
        {'share': None, 'rest': [1, 0.5]}
    """
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
