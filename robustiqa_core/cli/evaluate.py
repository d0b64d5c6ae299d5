"""`robustiqa evaluate`: photos x models x attacks x strengths, one table."""

import argparse
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from robustiqa_core.attacks.settings import format_fraction
from robustiqa_core.auditing.comparison import comparison_json
from robustiqa_core.checkpoints.storage import list_cards
from robustiqa_core.checks import check_choice, check_count
from robustiqa_core.cli.batch import finish
from robustiqa_core.cli.figures import mos_notes, print_summaries
from robustiqa_core.cli.options import (
    add_device,
    add_json,
    add_names,
    add_overwrite,
    fraction,
    plain_number,
    print_json,
    progress,
)
from robustiqa_core.csv_tables.mos import MosEntry, MosMatch, match_mos, read_mos
from robustiqa_core.device import choose_device
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.evaluation.tables.attack_grid import attack_grid
from robustiqa_core.evaluation.tables.evaluate import evaluate
from robustiqa_core.evaluation.tables.journal import Journal, journal_path
from robustiqa_core.evaluation.tables.models import BASELINE, named_model, table_reference
from robustiqa_core.evaluation.tables.output import ENDINGS, write_table
from robustiqa_core.evaluation.tables.photos import find_photos
from robustiqa_core.evaluation.tables.plan import TablePlan, in_order
from robustiqa_core.evaluation.tables.rows import Skipped, TableRow
from robustiqa_core.evaluation.tables.summary import Summary, summarise_rows
from robustiqa_core.files import as_word, check_output
from robustiqa_core.images.photo import MAX_SIDE
from robustiqa_core.metrics.scale import CONVENTIONS
from robustiqa_core.models.card import unmeasured_ranges
from robustiqa_core.scorer import ScoreRange


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="photo files, folders of photos, or the word samples"
    )
    parser.add_argument(
        "--model",
        action="append",
        metavar="MODEL-VARIANT",
        help="bundled, or a model of your own; may be repeated (default: linearity-baseline)",
    )
    parser.add_argument(
        "--attack", action="append", metavar="NAME:SETTING=VALUE,...", help="such as pgd:steps=20; may be repeated"
    )
    parser.add_argument("--eps", nargs="+", type=fraction, default=[], help="strengths, such as 2/255 4/255")
    parser.add_argument("--out", type=Path, required=True, help="table to write: .parquet, .csv or .json")
    parser.add_argument("--limit", type=int, help="take the first photos only")
    add_names(parser)
    parser.add_argument("--transfer", action="store_true", help="score each adversarial image by all other models too")
    parser.add_argument("--mos", type=Path, help="CSV of file, mos: human scores, for the agreement under attack")
    parser.add_argument("--dmos", action="store_true", help="the human scores are DMOS: smaller is better")
    parser.add_argument("--batch-size", type=int, default=8, help="photos attacked together (default: %(default)s)")
    parser.add_argument("--max-side", type=int, default=MAX_SIDE, help="larger photos are reduced to this many px")
    parser.add_argument("--convention", default="own", choices=CONVENTIONS, help="scale (default: %(default)s)")
    parser.add_argument(
        "--fixed-range",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="nominal scale for --convention fixed, such as 0 1 for the bundled models",
    )
    parser.add_argument("--baseline", metavar="MODEL", help="to compare with (default: that of each architecture)")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap draws (default: %(default)s)")
    add_device(parser)
    add_overwrite(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compute the rows that are not there yet, write the table and print its figures."""
    _check_early(arguments)
    found = find_photos(arguments.images, limit=arguments.limit, names=arguments.names)
    mos = None if arguments.mos is None else match_mos(arguments.mos, _entries(arguments), found.paths)
    plan = _plan(arguments, choose_device(arguments.device), mos)
    rows, failed = _complete(found.paths, plan, journal_path(arguments.out))
    skipped = [*(Skipped(str(file.path), file.reason) for file in found.left_out), *failed]
    if not rows:
        raise InputError(f"expected a photo that can be attacked, got none ({failed[0].reason}); name other photos")
    write_table(arguments.out, rows, skipped)
    summary = _summarise(rows, plan, arguments)
    notes = [*(() if mos is None else mos.notes), *mos_notes(summary)]
    for note in notes:
        print(note, file=sys.stderr)
    unmeasured = unmeasured_ranges(list_cards(), [model.stem for model in plan.models])
    if arguments.json:
        print_json(
            {
                "out": str(arguments.out),
                "rows": len(rows),
                "skipped": [asdict(record) for record in skipped],
                "notes": notes,
                "command": _command(arguments, plan.device, figures=True),
                "unmeasured_ranges": unmeasured,
                **summary.to_json(),
                **comparison_json(rows, summary, {card.stem: card for card in list_cards()}),
            }
        )
    else:
        print_summaries([summary], format_fraction)
        for stem, words in unmeasured.items():
            print(f"own range of {stem}: {words}")
        print(
            f"\n{len(rows)} rows in {arguments.out}; the same command goes on from {journal_path(arguments.out).name}"
        )
        print(f"figures: {_command(arguments, plan.device, figures=True)}")
    return finish(len(rows), skipped)


def _check_early(arguments: argparse.Namespace) -> None:
    """Refuse what would fail only after hours of work."""
    journal = journal_path(arguments.out)
    # What a table of the same command goes on from is no loss: the journal refuses other settings.
    overwrite = arguments.overwrite or journal.is_file()
    check_output(arguments.out, endings=ENDINGS, overwrite=overwrite)
    check_output(journal, overwrite=True)
    check_count("resamples", arguments.resamples)
    if arguments.baseline is not None:
        check_choice("--baseline", arguments.baseline, _names(arguments))
    if _fixed(arguments) is None and arguments.convention == "fixed":
        raise ConfigurationError(
            "--convention fixed needs the nominal scale of the scores, got none; give --fixed-range LOW HIGH"
        )


def _complete(paths: tuple[Path, ...], plan: TablePlan, journal: Path) -> tuple[list[TableRow], list[Skipped]]:
    """Return all rows, sorted, and what is missing; each new row goes to the journal first."""
    rows: list[TableRow] = []
    skipped: list[Skipped] = []
    with Journal(journal, plan.settings()) as written:
        records = evaluate(paths, plan, known=dict(written.rows))
        total = len(paths) * len(plan.models) * len(plan.attacks)
        for record in progress(records, total=total, label="evaluating"):
            if isinstance(record, Skipped):
                skipped.append(record)
            else:
                written.append(record)
                rows.append(record)
    return in_order(rows, paths, plan), skipped


def _entries(arguments: argparse.Namespace) -> tuple[MosEntry, ...]:
    return read_mos(arguments.mos, dmos=arguments.dmos)


def _plan(arguments: argparse.Namespace, device: torch.device, mos: MosMatch | None) -> TablePlan:
    attacks = attack_grid(arguments.attack or ["pgd"], arguments.eps)
    return TablePlan(
        models=tuple(named_model(name, device=device) for name in _names(arguments)),
        attacks=attacks,
        device=device,
        batch_size=arguments.batch_size,
        max_side=arguments.max_side,
        transfer=arguments.transfer,
        mos={} if mos is None else {str(path): score for path, score in mos.scores.items()},
        command=_command(arguments, device),
    )


def _command(arguments: argparse.Namespace, device: torch.device, *, figures: bool = False) -> str:
    """Return the command that makes the same table and, with `figures`, prints the same figures."""
    words = ["robustiqa", "evaluate", *map(as_word, arguments.images)]
    for name in _names(arguments):
        words += ["--model", name]
    for attack in arguments.attack or ["pgd"]:
        words += ["--attack", attack]
    if arguments.eps:
        words += ["--eps", *(format_fraction(value) for value in arguments.eps)]
    for name in ("names", "limit", "mos"):
        if (value := getattr(arguments, name)) is not None:
            words += [f"--{name}", as_word(str(value))]
    words += ["--transfer"] if arguments.transfer else []
    words += ["--dmos"] if arguments.dmos else []
    words += ["--batch-size", str(arguments.batch_size), "--max-side", str(arguments.max_side)]
    words += ["--device", str(device), "--out", as_word(str(arguments.out))]
    if figures:
        words += ["--convention", arguments.convention, "--resamples", str(arguments.resamples)]
        words += [] if arguments.baseline is None else ["--baseline", arguments.baseline]
        words += [] if arguments.fixed_range is None else ["--fixed-range", *map(plain_number, arguments.fixed_range)]
    return shlex.join(words)


def _summarise(rows: list[TableRow], plan: TablePlan, arguments: argparse.Namespace) -> Summary:
    stems = dict(zip(_names(arguments), [model.stem for model in plan.models], strict=True))
    baseline = None if arguments.baseline is None else stems[arguments.baseline]
    reference = table_reference(plan, baseline=baseline, fixed=_fixed(arguments))
    return summarise_rows(rows, reference, arguments.convention, resamples=arguments.resamples)


def _names(arguments: argparse.Namespace) -> list[str]:
    return list(arguments.model or [f"linearity-{BASELINE}"])


def _fixed(arguments: argparse.Namespace) -> ScoreRange | None:
    return None if arguments.fixed_range is None else ScoreRange(*arguments.fixed_range)
