"""`robustiqa evaluate-order`: does the order of photos survive when each is attacked against its rank?"""

import argparse
import shlex
from dataclasses import asdict
from pathlib import Path

from robustiqa_core.attacks.settings import format_fraction
from robustiqa_core.cli.batch import finish, gather_photos
from robustiqa_core.cli.data import add_data, list_data
from robustiqa_core.cli.options import add_device, add_json, add_overwrite, fraction, plain_number, print_json, progress
from robustiqa_core.csv_tables.mos import match_mos, read_mos
from robustiqa_core.device import choose_device
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.evaluation.order import (
    STRENGTHS,
    OrderPlan,
    OrderRow,
    RankedPhoto,
    measure_order,
    order_report,
    spread_evenly,
)
from robustiqa_core.evaluation.order.report import rows_csv
from robustiqa_core.evaluation.tables.journal import RowJournal, journal_path
from robustiqa_core.evaluation.tables.models import named_model
from robustiqa_core.evaluation.tables.rows import Skipped
from robustiqa_core.files import as_word, check_output, write_bytes
from robustiqa_core.training.baseline import with_validation
from robustiqa_core.training.datasets import SPLITS, select

_PLAN = OrderPlan()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="photos or folders, in place of --dataset")
    parser.add_argument("--mos", type=Path, metavar="TABLE", help="CSV of file, mos; without it clean scores rank")
    parser.add_argument("--dmos", action="store_true", help="the human scores are DMOS: smaller is better")
    parser.add_argument("--model", default="linearity-baseline", metavar="MODEL-VARIANT", help="default: %(default)s")
    add_data(parser, required=False)
    parser.add_argument("--split", default="test", choices=SPLITS, help="of the data set (default: %(default)s)")
    parser.add_argument("--photos", type=int, default=100, help="spread evenly over MOS (default: %(default)s)")
    parser.add_argument("--eps", nargs="+", type=fraction, default=list(STRENGTHS), help="default: 1/2 to 8 of 255")
    parser.add_argument("--gradients", type=int, default=_PLAN.gradients, help="on each photo (default: %(default)s)")
    parser.add_argument(
        "--doublings", type=int, default=_PLAN.doublings, help="of these while gains grow (default: %(default)s)"
    )
    parser.add_argument("--both", action="store_true", help="attack each photo both ways; twice the time")
    parser.add_argument("--apart", type=float, default=0.0, help="least difference in MOS of a pair that counts")
    parser.add_argument("--batch-size", type=int, default=_PLAN.batch_size, help="default: %(default)s")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap draws (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the attack")
    parser.add_argument(
        "--out", type=Path, required=True, help="CSV of all photos to write; its journal is gone on from"
    )
    add_device(parser)
    add_overwrite(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Attack the photos, write the table and print what is left of their order."""
    journal = journal_path(arguments.out)
    check_output(arguments.out, endings=[".csv"], overwrite=arguments.overwrite or journal.is_file())
    plan = OrderPlan(
        strengths=tuple(sorted(arguments.eps)),
        gradients=arguments.gradients,
        doublings=arguments.doublings,
        both=arguments.both,
        seed=arguments.seed,
        batch_size=arguments.batch_size,
    )
    found, data, left_out = _photos(arguments)
    photos = spread_evenly(found, arguments.photos)
    model = named_model(arguments.model, device=choose_device(arguments.device))
    rows: list[OrderRow] = []
    skipped = list(left_out)
    with RowJournal(journal, plan.settings(model.sha256), OrderRow.from_json) as written:
        records = measure_order(photos, model.scorer, plan, known=dict(written.rows))
        for record in progress(records, total=None, label="attacking against the rank"):
            if isinstance(record, Skipped):
                skipped.append(record)
                continue
            written.append(record)
            rows.append(record)
    write_bytes(arguments.out, rows_csv(rows))
    report = order_report(
        rows,
        model=model.stem,
        data=data,
        own=model.scorer.score_range,
        apart=arguments.apart,
        command=_command(arguments),
        resamples=arguments.resamples,
    )
    if arguments.json:
        print_json({**report.to_json(), "skipped": [asdict(record) for record in skipped]})
    else:
        print("\n".join(report.lines))
        print(f"each photo in {arguments.out}; these figures again: {report.command}")
    return finish(report.strengths[0].figures.photos, skipped)


def _photos(arguments: argparse.Namespace) -> tuple[list[RankedPhoto], str, tuple[Skipped, ...]]:
    """Return the photos that the options name, what they are, and what is left out."""
    if arguments.images:
        if arguments.dataset is not None:
            raise ConfigurationError("expected photos or --dataset, got both; give one of them")
        paths, left_out = gather_photos(arguments.images)
        if arguments.mos is None:
            return [RankedPhoto(path) for path in paths], "ranked by their clean scores", left_out
        match = match_mos(arguments.mos, read_mos(arguments.mos, dmos=arguments.dmos), paths)
        ranked = [RankedPhoto(path, match.scores[path]) for path in paths if path in match.scores]
        return ranked, arguments.mos.stem, left_out
    if arguments.dataset is None:
        raise ConfigurationError("expected photos, or --dataset NAME and --root FOLDER; give one of them")
    labelled, name, left_out = list_data(arguments)
    if arguments.split == "validation":
        labelled = with_validation(labelled, 0)
    chosen = select(labelled, arguments.split)
    return [RankedPhoto(one.path, one.mos) for one in chosen], f"{name}, {arguments.split} split", left_out


def _command(arguments: argparse.Namespace) -> str:
    """Return the command that gives the same figures; the folder of a data set is left to the reader."""
    words = ["robustiqa", "evaluate-order", *map(as_word, arguments.images), "--model", arguments.model]
    for name in ("mos", "dataset", "scores"):
        if (value := getattr(arguments, name)) is not None:
            words += [f"--{name}", as_word(str(value))]
    words += ["--dmos"] if arguments.dmos else []
    words += ["--split", arguments.split] if arguments.dataset else []
    words += ["--photos", str(arguments.photos), "--eps", *map(format_fraction, sorted(arguments.eps))]
    words += ["--gradients", str(arguments.gradients), "--doublings", str(arguments.doublings)]
    words += ["--both"] if arguments.both else []
    words += ["--apart", plain_number(arguments.apart), "--batch-size", str(arguments.batch_size)]
    words += ["--resamples", str(arguments.resamples), "--seed", str(arguments.seed)]
    words += ["--device", str(choose_device(arguments.device)), "--out", as_word(arguments.out.name)]
    shipped = arguments.dataset in (None, "demo")
    return shlex.join(words) + ("" if shipped else " --root FOLDER")
