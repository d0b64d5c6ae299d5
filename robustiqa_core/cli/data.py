"""Options that name a labelled data set; apart from the others, since reading one imports the training room."""

import argparse
from pathlib import Path

from robustiqa_core.training.datasets import LabelledPhoto, read_biq2021, read_table


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a labelled data set."""
    parser.add_argument(
        "--dataset", required=True, choices=["biq2021", "csv"], help="csv: any photos listed in --scores"
    )
    parser.add_argument("--root", required=True, type=Path, help="folder of the data set")
    parser.add_argument("--scores", type=Path, help="CSV of file, mos, split (default: scores.csv in --root)")


def read_data(arguments: argparse.Namespace) -> tuple[tuple[LabelledPhoto, ...], str]:
    """Return the photos of the data set that the options name, and its name for people."""
    if arguments.dataset == "biq2021":
        return read_biq2021(arguments.root), "BIQ2021"
    table = arguments.scores or arguments.root / "scores.csv"
    return read_table(table, arguments.root), table.stem
