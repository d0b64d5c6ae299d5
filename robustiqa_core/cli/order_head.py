"""`robustiqa order-head`: refit a baseline's last layer so that scores fall when photos get worse."""

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

from robustiqa_core.checkpoints.storage import BASELINE, check_new_checkpoint, load_card, load_network, save_checkpoint
from robustiqa_core.cli.data import add_data, read_data
from robustiqa_core.cli.evaluate_mos import evaluation_command
from robustiqa_core.cli.loop_options import spell_command
from robustiqa_core.cli.options import add_device, add_json, add_overwrite, print_json
from robustiqa_core.device import choose_device, fast_training_precision
from robustiqa_core.files import check_output_folder
from robustiqa_core.metrics.correlation import spell_agreement, spell_correlation
from robustiqa_core.models import ARCHITECTURES
from robustiqa_core.models.card import ModelCard, Training
from robustiqa_core.training.baseline import map_scores, measure_both_ways, round_to_half, with_validation
from robustiqa_core.training.datasets import select
from robustiqa_core.training.ordered_head import OrderedHeadSettings, OrderRecord, fit_ordered_head
from robustiqa_core.training.score_range import measured_source

_DEFAULTS = OrderedHeadSettings()
_OPTIONS = ("weight", "margin", "softness", "penalty", "photos", "series", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--model", default="linearity", choices=ARCHITECTURES, help="architecture whose baseline is refitted"
    )
    add_data(parser)
    parser.add_argument(
        "--weight",
        type=float,
        default=_DEFAULTS.weight,
        help="weight of the ranking loss relative to the MOS loss (default: %(default)s)",
    )
    parser.add_argument(
        "--margin",
        type=float,
        default=_DEFAULTS.margin,
        help="margin between two levels, as a share of the MOS scale (default: %(default)s)",
    )
    parser.add_argument(
        "--softness", type=float, default=_DEFAULTS.softness, help="softness of that margin (default: %(default)s)"
    )
    parser.add_argument(
        "--penalty",
        type=float,
        default=_DEFAULTS.penalty,
        help="penalty on the change of the weights (default: %(default)s)",
    )
    parser.add_argument("--photos", type=int, default=_DEFAULTS.photos, help="labelled photos (default: %(default)s)")
    parser.add_argument("--series", type=int, default=_DEFAULTS.series, help="photos to degrade (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=_DEFAULTS.seed, help="seed of the draw and the degradations")
    parser.add_argument("--run-dir", type=Path, help="where to keep the features (default: runs/MODEL-order)")
    parser.add_argument("--out", type=Path, default=Path("checkpoints"), help="folder of the checkpoint")
    add_overwrite(parser)
    add_device(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Refit, map to the MOS scale, measure and save."""
    settings = OrderedHeadSettings(**{name: getattr(arguments, name) for name in _OPTIONS})
    run_dir = arguments.run_dir or Path("runs", f"{arguments.model}-order")
    check_output_folder(run_dir, option="--run-dir")
    check_new_checkpoint(arguments.model, BASELINE, root=arguments.out, overwrite=arguments.overwrite)
    device = choose_device(arguments.device)
    photos, title = read_data(arguments)
    known = with_validation(photos, settings.seed)
    learning, validation, test = (select(known, split) for split in ("train", "validation", "test"))
    start = load_card(arguments.model)
    network = load_network(arguments.model, device=device)
    records = fit_ordered_head(
        network,
        learning,
        validation,
        settings,
        run_dir=run_dir,
        precision=fast_training_precision(device),
    )
    for record in records:
        _report(record)
    round_to_half(network)
    ranged = map_scores(network, learning, settings.seed)
    training = _training(start, settings, record, spell_command("order-head", arguments, _words()))
    evaluation = evaluation_command(arguments.model, "baseline", arguments.dataset, "test")
    card = replace(
        start,
        score_range=network.score_range,
        range_source=measured_source(ranged, title=training.dataset, seed=settings.seed, command=training.command),
        training=training,
        measurements=measure_both_ways(network, test, dataset=title, command=evaluation),
    )
    written = save_checkpoint(network, card, root=arguments.out, overwrite=arguments.overwrite)
    if arguments.json:
        print_json(written.to_json())
    else:
        whole = written.measurements[0]
        print(f"{written.stem}: {spell_agreement(whole.srocc, whole.plcc)} on {whole.photos} photos")
    return 0


def _words() -> tuple[str, ...]:
    return ("model", "dataset", *_OPTIONS)


def _training(start: ModelCard, settings: OrderedHeadSettings, record: OrderRecord, command: str) -> Training:
    """Return what a card says of a training that this command has ended."""
    before = start.training
    figures = {"ordered": record.ordered or (), "validation_srocc": record.validation_srocc or ()}
    ordering = {
        "start_sha256": start.sha256,
        **asdict(settings),
        "seconds": round(record.seconds),
        **{name: [None if one is None else round(one, 4) for one in pair] for name, pair in figures.items()},
    }
    return replace(
        before,
        command=f"{before.command} && {command} --root FOLDER",
        seconds=before.seconds + round(record.seconds),
        settings={**before.settings, "ordered_head": ordering},
    )


def _report(record: OrderRecord) -> None:
    if record.ordered is not None and record.validation_srocc is not None:
        before, after = (spell_correlation(value, 4) for value in record.validation_srocc)
        print(
            f"neighbouring levels in order: {record.ordered[0]:.1%} before, {record.ordered[1]:.1%} after; "
            f"validation SROCC {before} before, {after} after",
            file=sys.stderr,
            flush=True,
        )
    elif sys.stderr.isatty():
        print(f"features of {record.photos} of {record.total} photos", file=sys.stderr, flush=True)
