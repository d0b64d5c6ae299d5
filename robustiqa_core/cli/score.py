"""`robustiqa score`: the quality of photos."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from robustiqa_core.checks import MIN_SIDE
from robustiqa_core.cli.batch import each_photo, finish, gather_photos, one_line
from robustiqa_core.cli.options import add_json, add_model, add_overwrite, print_json, progress
from robustiqa_core.device import choose_device
from robustiqa_core.evaluation.tables.rows import Skipped
from robustiqa_core.files import check_output, encode_text, write_bytes
from robustiqa_core.images.photo import MAX_SIDE, Photo, read_image
from robustiqa_core.own_models import resolve_scorer
from robustiqa_core.scorer import Scorer

_COLUMNS = ("image", "score", "model", "variant", "width", "height", "image_sha256", "notes", "device", "error")


@dataclass(frozen=True, slots=True)
class Scored:
    """A photo and its score."""

    path: Path
    photo: Photo
    score: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_photo_words(parser)
    add_model(parser)
    parser.add_argument("--max-side", type=int, default=MAX_SIDE, help="scale larger photos down to this many px")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="where to save the scores as a table")
    add_overwrite(parser)
    add_json(parser)


def add_photo_words(parser: argparse.ArgumentParser) -> None:
    """Add the photos; what cannot be used of them is left out by name."""
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="photo files, folders of photos, or the word samples; exit status 1 if any is left out",
    )


def run(arguments: argparse.Namespace) -> int:
    """Score each photo and print the results; one that cannot be read does not cost the others theirs."""
    if arguments.csv is not None:
        check_output(arguments.csv, option="--csv", endings=[".csv"], overwrite=arguments.overwrite)
    device = choose_device(arguments.device)
    scorer = resolve_scorer(arguments.model, arguments.variant, device=device)
    paths, left_out = gather_photos(arguments.images)
    records = each_photo(paths, lambda path: _score(scorer, path, arguments.max_side, device))
    rows: list[dict[str, Any]] = []
    skipped = list(left_out)
    for record in progress(records, total=len(paths), label="scoring"):
        if isinstance(record, Skipped):
            skipped.append(record)
            continue
        rows.append(_row(record, arguments, device))
        if not arguments.json:
            print(f"{record.score:.4f}  {record.path}", flush=True)
            for note in record.photo.notes:
                print(f"{record.path}: {note}", file=sys.stderr)
    everything = [*rows, *failures(skipped)]
    if arguments.csv is not None and rows:
        write_bytes(arguments.csv, csv_bytes(everything, _COLUMNS))
    if arguments.json and rows:
        print_json(everything)
    return finish(len(rows), skipped)


def failures(skipped: Sequence[Skipped]) -> list[dict[str, Any]]:
    """Return a row for each photo that was left out: its name, no score, and why."""
    return [{"image": record.image, "score": None, "error": one_line(record)} for record in skipped]


def csv_bytes(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """Return rows as CSV with these columns; lists are joined, and what a row lacks is empty."""
    # Imported here: a score on the screen does not need it.
    import pandas as pd

    cells = [
        {name: "; ".join(value) if isinstance(value, list) else value for name, value in row.items()} for row in rows
    ]
    # As pandas types them, so that the whole numbers of a column with gaps stay whole.
    frame = pd.DataFrame(cells, columns=list(columns)).convert_dtypes()
    return encode_text(frame.to_csv(index=False, lineterminator="\n"))


@torch.inference_mode()
def _score(scorer: Scorer, path: Path, max_side: int, device: torch.device) -> Scored:
    photo = read_image(path, max_side=max_side, min_side=MIN_SIDE)
    return Scored(path, photo, float(scorer(photo.images.to(device))))


def _row(scored: Scored, arguments: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    width, height = scored.photo.size
    return {
        "model": arguments.model,
        "variant": arguments.variant,
        "image": str(scored.path),
        "score": scored.score,
        "image_sha256": scored.photo.sha256,
        "width": width,
        "height": height,
        "notes": list(scored.photo.notes),
        "device": str(device),
    }
