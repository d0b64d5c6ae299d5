"""`robustiqa import-checkpoint`: a published checkpoint becomes a safetensors with a card, ready for the app."""

import argparse
import hashlib
import shlex
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch

from robustiqa_core.checkpoints.storage import check_new_checkpoint, check_variant, save_checkpoint
from robustiqa_core.cli.options import add_json, add_overwrite, print_json, progress
from robustiqa_core.files import as_word
from robustiqa_core.folders import checkpoints_root
from robustiqa_core.images.photo import read_image
from robustiqa_core.images.samples import list_samples
from robustiqa_core.models.card import ModelCard, RangeSource, Training
from robustiqa_core.models.importers import IMPORTERS
from robustiqa_core.models.published import read_checkpoint
from robustiqa_core.scorer import ScoreRange

RESIZING = {
    "linearity": "the authors squash every photo to 498 x 664 px",
    "dbcnn": "the authors take photos as they are",
    "tres": "the authors scale KonIQ-10k to a shorter side of 384 px, FLIVE to 512, and take others as they are",
}
"""What the published code does with the size of a photo."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "checkpoint",
        type=Path,
        metavar="FILE",
        help="PyTorch checkpoint as published by its authors, or as saved by pyiqa, Lightning or torch.compile",
    )
    parser.add_argument("--architecture", required=True, choices=IMPORTERS)
    parser.add_argument("--variant", default="published", help="name of the imported model (default: %(default)s)")
    parser.add_argument(
        "--short-side",
        type=int,
        help="working size: larger photos are scaled down, keeping their aspect ratio; smaller ones are not enlarged "
        "(default: the authors')",
    )
    parser.add_argument("--k", type=float, default=1.0, help="factor on the score; -1 if smaller was better")
    parser.add_argument("--b", type=float, default=0.0, help="offset added after the factor")
    parser.add_argument("--unit", default="score of the published model", help="unit of the score, for the card")
    parser.add_argument("--licence", default="as its authors state", help="licence of the weights, for the card")
    parser.add_argument("--out", type=Path, help="folder of the checkpoint (default: where the app looks)")
    add_overwrite(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Import the checkpoint, measure its score range on the sample photos and save it with its card."""
    root = arguments.out or checkpoints_root()
    check_variant(arguments.variant)
    check_new_checkpoint(arguments.architecture, arguments.variant, root=root, overwrite=arguments.overwrite)
    sides = {} if arguments.short_side is None else {"short_side": arguments.short_side}
    importer = IMPORTERS[arguments.architecture]
    network = importer(read_checkpoint(arguments.checkpoint), k=arguments.k, b=arguments.b, **sides)
    photos = list_samples()
    scores = []
    for photo in progress(photos, total=len(photos), label="measuring the score range"):
        with torch.inference_mode():
            scores.append(network(read_image(photo.path).images).item())
    command = _command(arguments)
    digest = hashlib.sha256(arguments.checkpoint.read_bytes()).hexdigest()
    card = ModelCard(
        model=arguments.architecture,
        variant=arguments.variant,
        settings=asdict(network.settings),
        score_range=ScoreRange(min(scores), max(scores)),
        score_unit=f"{arguments.unit}, larger is better; its range is that of the {len(photos)} sample photos",
        training=Training(
            dataset="that of its authors",
            photos=0,
            start=f"{arguments.checkpoint.name}, sha256 {digest}",
            command=command,
            seconds=0.0,
            settings={"k": arguments.k, "b": arguments.b},
        ),
        measurements=(),
        sha256="",
        licence=arguments.licence,
        limits="Imported from a published checkpoint; its agreement with people has not been measured here. "
        f"{_resizing(arguments.architecture, network.settings.short_side)}.",
        versions={"torch": version("torch")},
        range_source=RangeSource("measured", len(photos), "the sample photos", command),
    )
    # Not every network that was trained elsewhere fits into half precision.
    written = save_checkpoint(network, card, root=root, dtype=torch.float32, overwrite=arguments.overwrite)
    if arguments.json:
        print_json(written.to_json())
    else:
        print(f"saved {written.stem}, scores of the sample photos {min(scores):.4g} to {max(scores):.4g}")
        print(_resizing(arguments.architecture, network.settings.short_side))
    return 0


def _resizing(architecture: str, short_side: int) -> str:
    """Return how photos are resized, and how the authors do it, by which scores differ."""
    return (
        f"Photos are reduced to a shorter side of {short_side} px with their aspect kept, and never enlarged; "
        f"{RESIZING[architecture]}, so that scores can differ from theirs"
    )


def _command(arguments: argparse.Namespace) -> str:
    """Return the command that imports the same, with the options that decide the scores."""
    words = ["robustiqa", "import-checkpoint", as_word(arguments.checkpoint.name)]
    words += ["--architecture", arguments.architecture, "--variant", arguments.variant]
    if arguments.short_side is not None:
        words += ["--short-side", str(arguments.short_side)]
    return shlex.join([*words, f"--k={arguments.k:g}", f"--b={arguments.b:g}"])
