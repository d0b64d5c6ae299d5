"""Options and output that all commands that train share."""

import argparse
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import torch

from robustiqa_core.cli.options import progress
from robustiqa_core.device import fast_training_precision
from robustiqa_core.training import ranks
from robustiqa_core.training.state import LoopSettings
from robustiqa_core.training.steps import TrainingRecord

T = TypeVar("T")

LOOP_OPTIONS = ("epochs", "stop_after", "batch_size", "patience", "precision", "seed")
"""Names of the options of `add_loop` that decide the result."""


def add_loop(parser: argparse.ArgumentParser, defaults: LoopSettings) -> None:
    """Add the options of `LoopSettings` that people change, and --workers."""
    parser.add_argument("--epochs", type=int, default=defaults.epochs, help="default: %(default)s")
    parser.add_argument("--stop-after", type=int, help="stop after this epoch, on the schedule of --epochs")
    parser.add_argument(
        "--batch-size", type=int, default=defaults.batch_size, help="total over all processes (default: %(default)s)"
    )
    parser.add_argument(
        "--patience", type=int, help="stop after this many epochs without improvement in validation (default: never)"
    )
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="decoding processes for each training process")


def loop_settings(arguments: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Return the fields of `LoopSettings` that the options of `add_loop` give; --precision auto is decided."""
    if arguments.precision == "auto":
        arguments.precision = fast_training_precision(device)
    return {
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "patience": arguments.patience or 0,
        "precision": arguments.precision,
        "seed": arguments.seed,
    }


def spell_command(name: str, arguments: argparse.Namespace, options: Sequence[str]) -> str:
    """Return the command with those of the options that were given, for the shell.

    Args:
        name: of the command.
        arguments: as parsed.
        options: names as in `arguments`; a switch is spelt without a value.

    Example:
        >>> spell_command("train", argparse.Namespace(head_epochs=1, balanced=True, patience=None), \
["head_epochs", "balanced", "patience"])
        'robustiqa train --head-epochs 1 --balanced'
    """
    words = ["robustiqa", name]
    if ranks.count() > 1:
        words = ["torchrun", "--nproc-per-node", str(ranks.count()), "-m", "robustiqa_core", name]
    for option in options:
        value = getattr(arguments, option)
        if value is None or value is False:
            continue
        words.append("--" + option.replace("_", "-"))
        if value is not True:
            # A word of its own would be taken for an option, such as -1e-05.
            words = [*words[:-1], f"{words[-1]}={value}"] if str(value).startswith("-") else [*words, str(value)]
    return shlex.join(words)


def report(records: Iterable[TrainingRecord | T], settings: LoopSettings, figure: str) -> Iterator[T]:
    """Yield what is no record; draw the records' progress on standard error, with a line an epoch.

    Args:
        records: of a training.
        settings: its settings.
        figure: name of its validation figure.
    """
    for record in progress(records, total=None, label="training") if ranks.is_first() else records:
        if not isinstance(record, TrainingRecord):
            yield record
        elif record.figure is not None and ranks.is_first():
            print(
                f"epoch {record.epoch}/{settings.epochs}: loss {record.loss:.4f}, "
                f"validation {figure} {record.figure:.4f}",
                file=sys.stderr,
                flush=True,
            )
