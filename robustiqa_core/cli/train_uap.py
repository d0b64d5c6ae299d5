"""`robustiqa train-uap`: one perturbation for all photos, trained against one model."""

import argparse
import shlex
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import cast

from robustiqa_core.attacks.settings import format_fraction
from robustiqa_core.attacks.universal import (
    METHODS,
    PerturbationCard,
    TrainedPerturbation,
    UniversalTraining,
    save_perturbation,
    train_perturbation,
)
from robustiqa_core.attacks.universal.cards import check_name
from robustiqa_core.cli.options import add_json, add_model, add_overwrite, fraction, print_json, progress
from robustiqa_core.cli.spectra_options import add_photos, read_photos
from robustiqa_core.device import choose_device
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.evaluation.tables.rows import versions
from robustiqa_core.files import check_output
from robustiqa_core.folders import perturbations_root
from robustiqa_core.images.photo import MAX_SIDE
from robustiqa_core.own_models import resolve_scorer

ENDING = ".safetensors"
_DEFAULTS = UniversalTraining()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_photos(parser, needed=True)
    add_model(parser)
    parser.add_argument("--method", default=_DEFAULTS.method, choices=METHODS, help="default: %(default)s")
    parser.add_argument("--direction", default=_DEFAULTS.direction, choices=["up", "down"], help="default: %(default)s")
    parser.add_argument(
        "--eps", type=fraction, default=_DEFAULTS.eps, help=f"strength (default: {format_fraction(_DEFAULTS.eps)})"
    )
    parser.add_argument(
        "--side", type=int, default=_DEFAULTS.side, help="side of the pattern (default: %(default)s px)"
    )
    parser.add_argument("--epochs", type=int, default=_DEFAULTS.epochs, help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=_DEFAULTS.batch_size, help="default: %(default)s")
    parser.add_argument(
        "--smallest-crop",
        type=float,
        default=_DEFAULTS.smallest_crop,
        metavar="SHARE",
        help="smallest share of each side that a crop keeps; 1 for photos of one size (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=_DEFAULTS.seed, help="default: %(default)s")
    parser.add_argument("--max-side", type=int, default=MAX_SIDE, help="scale larger photos down to this many px")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"a {ENDING} file (default: MODEL-VARIANT-METHOD-DIRECTION in checkpoints/perturbations, where the app "
        "and the attack uap find it)",
    )
    add_overwrite(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train, save and print what the card says."""
    training = UniversalTraining(
        method=arguments.method,
        direction=arguments.direction,
        eps=arguments.eps,
        side=arguments.side,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        smallest_crop=arguments.smallest_crop,
        seed=arguments.seed,
    )
    path = _path(arguments)
    device = choose_device(arguments.device)
    photos = read_photos(arguments)
    scorer = resolve_scorer(arguments.model, arguments.variant, device=device)
    records = train_perturbation(scorer, [photo.images.to(device) for photo in photos], training)
    trained = cast(TrainedPerturbation, deque(progress(records, total=None, label="training"), maxlen=1).pop())
    card = PerturbationCard(
        name=path.stem,
        model=arguments.model,
        variant=arguments.variant,
        method=training.method,
        direction=training.direction,
        eps=training.eps,
        side=training.side,
        photos={photo.sha256: photo.name for photo in photos},
        settings={name: getattr(training, name) for name in ("epochs", "batch_size", "smallest_crop", "seed")},
        gain=round(trained.gain, 4),
        command=_command(training, arguments),
        sha256="",
        versions=versions(),
    )
    written = save_perturbation(trained.perturbation, card, root=path.parent)
    if arguments.json:
        print_json({"path": str(path), **written.to_json()})
        return 0
    print(f"{path}: moves the score by {written.gain:+.3f} of its usual range on the {len(photos)} training photos")
    print(f"use it: robustiqa attack PHOTO --attack uap --perturbation {written.name}")
    return 0


def _path(arguments: argparse.Namespace) -> Path:
    """Return the file to write, refused now where it could not be loaded later."""
    name = "-".join((arguments.model, arguments.variant, arguments.method, arguments.direction))
    path: Path = arguments.out or perturbations_root() / (name + ENDING)
    if path.suffix != ENDING:
        raise ConfigurationError(f"--out must be a {ENDING} file, got {path.name}; change its ending")
    for file in (path, path.with_suffix(".json")):
        check_output(file, overwrite=arguments.overwrite)
    check_name(path.stem)
    return path


def _command(training: UniversalTraining, arguments: argparse.Namespace) -> str:
    """Return the command with all that decides the result; the photos, whose names the card has, are the reader's."""
    words = ["--model", arguments.model, "--variant", arguments.variant]
    for name, value in asdict(training).items():
        words += ["--" + name.replace("_", "-"), format_fraction(value) if name == "eps" else str(value)]
    if arguments.max_side != MAX_SIDE:
        words += ["--max-side", str(arguments.max_side)]
    return f"robustiqa train-uap PHOTOS {shlex.join(words)}"
