"""`robustiqa score`: the quality of photos."""

import argparse
from pathlib import Path

import torch

from robustiqa_core.checks import MIN_SIDE
from robustiqa_core.cli.options import add_json, add_model, print_json, progress
from robustiqa_core.device import choose_device
from robustiqa_core.images import MAX_SIDE, read_image
from robustiqa_core.kinds import PHOTO_KINDS
from robustiqa_core.own_models import resolve_scorer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help=f"photo files ({PHOTO_KINDS})")
    add_model(parser)
    parser.add_argument("--max-side", type=int, default=MAX_SIDE, help="larger photos are reduced to this many px")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score each photo and print the results."""
    device = choose_device(arguments.device)
    scorer = resolve_scorer(arguments.model, arguments.variant, device=device)
    rows = []
    for path in progress(arguments.images, total=len(arguments.images), label="scoring"):
        photo = read_image(path, max_side=arguments.max_side, min_side=MIN_SIDE)
        with torch.inference_mode():
            score = float(scorer(photo.images.to(device)))
        rows.append(
            {
                "model": arguments.model,
                "variant": arguments.variant,
                "image": str(path),
                "score": score,
                "image_sha256": photo.sha256,
                "width": photo.images.shape[3],
                "height": photo.images.shape[2],
                "notes": list(photo.notes),
                "device": str(device),
            }
        )
    if arguments.json:
        print_json(rows)
        return 0
    for row in rows:
        print(f"{row['score']:.4f}  {row['image']}")
    return 0
