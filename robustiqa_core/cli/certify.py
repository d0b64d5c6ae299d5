"""`robustiqa certify`: bounds of a model's score behind median smoothing that no small perturbation passes."""

import argparse
import math
from pathlib import Path
from typing import Any

import torch

from robustiqa_core.checks import check_count, check_positive
from robustiqa_core.cli.batch import each_photo, finish, gather_photos
from robustiqa_core.cli.options import add_json, add_model, add_overwrite, fraction, print_json, progress
from robustiqa_core.cli.score import add_photo_words, csv_bytes, failures
from robustiqa_core.defences import MedianSmoothing, Smoothed, max_radius
from robustiqa_core.device import choose_device
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.evaluation.tables.rows import Skipped
from robustiqa_core.files import check_output, write_bytes
from robustiqa_core.images.photo import MAX_SIDE, read_image
from robustiqa_core.own_models import resolve_scorer

_DEFAULTS = MedianSmoothing()
_COLUMNS = ("image", "score", "low", "high", "radius", "sigma", "samples", "confidence", "seed", "model", "variant")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_photo_words(parser)
    add_model(parser)
    parser.add_argument(
        "--radius", type=fraction, required=True, help="l2 norm of the perturbation over all values in [0, 1]"
    )
    parser.add_argument(
        "--sigma", type=fraction, default=_DEFAULTS.sigma, help="standard deviation of the noise (default: %(default)s)"
    )
    parser.add_argument("--samples", type=int, default=1000, help="noisy copies of each photo (default: %(default)s)")
    parser.add_argument(
        "--confidence", type=float, default=0.999, help="confidence of each bound (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the noise; not 0, the seed of the scores (default: 1)"
    )
    parser.add_argument("--max-side", type=int, default=MAX_SIDE, help="scale larger photos down to this many px")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="where to save the bounds as a table")
    add_overwrite(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the smoothed score of each photo with its certified bounds."""
    check_positive("--radius", arguments.radius)
    check_count("--samples", arguments.samples)
    check_count("--seed", arguments.seed, low=0, high=2**63 - 1)
    reach = max_radius(arguments.sigma, samples=arguments.samples, confidence=arguments.confidence)
    if arguments.radius > reach:
        raise ConfigurationError(
            f"--radius must be at most {reach:.4g} with --sigma {arguments.sigma:g} and --samples {arguments.samples}, "
            f"got {arguments.radius:g}, for which no bound is finite; lower it, or raise --sigma or --samples"
        )
    if arguments.csv is not None:
        check_output(arguments.csv, option="--csv", endings=[".csv"], overwrite=arguments.overwrite)
    device = choose_device(arguments.device)
    scorer = resolve_scorer(arguments.model, arguments.variant, device=device)
    smoothed = MedianSmoothing(arguments.sigma).wrap(scorer)
    paths, left_out = gather_photos(arguments.images)
    rows: list[dict[str, Any]] = []
    skipped = list(left_out)
    records = each_photo(paths, lambda path: _certified(smoothed, path, arguments, device))
    for record in progress(records, total=len(paths), label="certifying"):
        if isinstance(record, Skipped):
            skipped.append(record)
            continue
        rows.append(record)
        if not arguments.json:
            print(
                f"{record['score']:.4f}  [{_bound(record['low'])}, {_bound(record['high'])}]  {record['image']}",
                flush=True,
            )
    everything = [*rows, *failures(skipped)]
    if arguments.csv is not None and rows:
        write_bytes(arguments.csv, csv_bytes(everything, (*_COLUMNS, "error")))
    if arguments.json and rows:
        print_json(everything)
    elif rows:
        print(
            f"median over normal noise of deviation {arguments.sigma:g}; with confidence {arguments.confidence:g} "
            f"each, no perturbation shorter than {arguments.radius:g} (l2) moves it out of the bounds"
        )
    return finish(len(rows), skipped)


@torch.no_grad()
def _certified(smoothed: Smoothed, path: Path, arguments: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    images = read_image(path, max_side=arguments.max_side).images.to(device)
    options = {name: getattr(arguments, name) for name in ("samples", "confidence", "seed")}
    low, high = smoothed.certify(images, arguments.radius, **options)
    return {
        "image": str(path),
        "score": float(smoothed(images)),
        "low": _finite(float(low)),
        "high": _finite(float(high)),
        "radius": arguments.radius,
        "sigma": arguments.sigma,
        **options,
        "model": arguments.model,
        "variant": arguments.variant,
    }


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None


def _bound(bound: float | None) -> str:
    return "none" if bound is None else f"{bound:.4f}"
