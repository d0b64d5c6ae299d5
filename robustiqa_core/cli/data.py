"""Options that name a labelled data set; apart from the others, since reading one imports the training room."""

import argparse
from pathlib import Path

from robustiqa_core.errors import ConfigurationError
from robustiqa_core.evaluation.tables.rows import Skipped
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.datasets import LabelledPhoto
from robustiqa_core.training.tables import DATASETS, list_table, read_table


def add_data(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the options that name a labelled data set."""
    parser.add_argument(
        "--dataset", required=required, choices=[*DATASETS, "csv"], help="csv: any photos listed in --scores"
    )
    parser.add_argument("--root", type=Path, help="folder of the data set; demo is in the repository")
    parser.add_argument("--scores", type=Path, help="CSV of file, mos, split (default: scores.csv in --root)")


def read_data(arguments: argparse.Namespace) -> tuple[tuple[LabelledPhoto, ...], str]:
    """Return the photos of the data set that the options name, to learn from, and its name for people.

    Raises:
        ConfigurationError: the set is one for testing only, or its folder is not given.
    """
    name = arguments.dataset
    if name in DATASETS and DATASETS[name].test_only:
        trainable = ", ".join(other for other, public in DATASETS.items() if not public.test_only)
        raise ConfigurationError(
            f"{DATASETS[name].title} is for cross-dataset tests only, not for training or selection, got --dataset "
            f"{name}; train on {trainable} or csv"
        )
    return _read(arguments)


def list_data(arguments: argparse.Namespace) -> tuple[tuple[LabelledPhoto, ...], str, tuple[Skipped, ...]]:
    """Return the same as far as it is there, and what a table lists and is not, for commands that only measure."""
    if arguments.dataset in DATASETS:
        return (*_read(arguments), ())
    table = arguments.scores or _root(arguments) / "scores.csv"
    listing = list_table(table, _root(arguments), dmos=arguments.dmos)
    return listing.photos, table.stem, tuple(Skipped(file, reason) for file, reason in listing.left_out)


def mos_range(arguments: argparse.Namespace) -> ScoreRange | None:
    """Return the nominal range of the data set's MOS; None where it is not known."""
    return DATASETS[arguments.dataset].mos_range if arguments.dataset in DATASETS else None


def dataset_root(arguments: argparse.Namespace) -> Path | None:
    """Return the folder of the data set: as given, or where it is shipped; None where neither is known."""
    public = DATASETS.get(arguments.dataset)
    shipped = None if public is None or public.root is None else public.root()
    given: Path | None = arguments.root
    return given or shipped


def _root(arguments: argparse.Namespace) -> Path:
    root = dataset_root(arguments)
    if root is None:
        raise ConfigurationError("expected the folder of the data set, got none; give it with --root")
    return root


def _read(arguments: argparse.Namespace) -> tuple[tuple[LabelledPhoto, ...], str]:
    if arguments.dataset in DATASETS:
        public = DATASETS[arguments.dataset]
        return public.read(_root(arguments)), public.title
    table = arguments.scores or _root(arguments) / "scores.csv"
    return read_table(table, _root(arguments)), table.stem
