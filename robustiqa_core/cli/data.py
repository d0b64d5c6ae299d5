"""Options that name a labelled data set; apart from the others, since reading one imports the training room."""

import argparse
from pathlib import Path

from robustiqa_core.evaluation.tables.rows import Skipped
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.datasets import LabelledPhoto
from robustiqa_core.training.tables import DATASETS, list_table, read_table


def add_data(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the options that name a labelled data set."""
    parser.add_argument(
        "--dataset", required=required, choices=[*DATASETS, "csv"], help="csv: any photos listed in --scores"
    )
    parser.add_argument("--root", required=required, type=Path, help="folder of the data set")
    parser.add_argument("--scores", type=Path, help="CSV of file, mos, split (default: scores.csv in --root)")


def read_data(arguments: argparse.Namespace) -> tuple[tuple[LabelledPhoto, ...], str]:
    """Return the photos of the data set that the options name, and its name for people."""
    if arguments.dataset in DATASETS:
        public = DATASETS[arguments.dataset]
        return public.read(arguments.root), public.title
    table = arguments.scores or arguments.root / "scores.csv"
    return read_table(table, arguments.root), table.stem


def list_data(arguments: argparse.Namespace) -> tuple[tuple[LabelledPhoto, ...], str, tuple[Skipped, ...]]:
    """Return the same as far as it is there, and what a table lists and is not, for commands that only measure."""
    if arguments.dataset in DATASETS:
        return (*read_data(arguments), ())
    table = arguments.scores or arguments.root / "scores.csv"
    listing = list_table(table, arguments.root, dmos=arguments.dmos)
    return listing.photos, table.stem, tuple(Skipped(file, reason) for file, reason in listing.left_out)


def mos_range(arguments: argparse.Namespace) -> ScoreRange | None:
    """Return the nominal range of the data set's MOS; None where it is not known."""
    return DATASETS[arguments.dataset].mos_range if arguments.dataset in DATASETS else None
