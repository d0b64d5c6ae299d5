"""`robustiqa train`: a baseline from photos with human scores."""

import argparse
import shlex
import sys
from pathlib import Path

from robustiqa_core.cli.data import add_data, read_data
from robustiqa_core.cli.evaluate_mos import evaluation_command
from robustiqa_core.cli.options import add_device, add_json, print_json, progress
from robustiqa_core.device import choose_device, fast_training_precision
from robustiqa_core.models import ARCHITECTURES
from robustiqa_core.models.backbones import BACKBONES
from robustiqa_core.storage import save_checkpoint
from robustiqa_core.training.baseline import BaselinePlan, train_baseline
from robustiqa_core.training.loop import TrainingRecord, TrainingSettings

_DEFAULTS = TrainingSettings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--model", default="linearity", choices=ARCHITECTURES, help="architecture")
    parser.add_argument("--backbone", default="efficientnet_lite0", choices=BACKBONES, help="default: %(default)s")
    add_data(parser)
    parser.add_argument(
        "--short-side", type=int, default=384, help="size the network works at (default: %(default)s px)"
    )
    parser.add_argument("--epochs", type=int, default=_DEFAULTS.epochs, help="default: %(default)s")
    parser.add_argument("--stop-after", type=int, help="epoch to end with, on the schedule of all of them")
    parser.add_argument("--batch-size", type=int, default=_DEFAULTS.batch_size, help="default: %(default)s")
    parser.add_argument("--resize", type=int, default=_DEFAULTS.resize, help="shorter side before the crop")
    parser.add_argument("--crop", type=int, default=_DEFAULTS.crop, help="side of the random crop")
    parser.add_argument("--trunk-rate", type=float, default=_DEFAULTS.trunk_rate, help="learning rate of the trunk")
    parser.add_argument("--head-rate", type=float, default=_DEFAULTS.head_rate, help="learning rate of the new layers")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes that decode photos")
    parser.add_argument("--run-dir", type=Path, help="state to resume from (default: runs/MODEL-baseline)")
    parser.add_argument("--out", type=Path, default=Path("checkpoints"), help="folder of the checkpoint")
    add_device(parser)
    add_json(parser)


def _command(arguments: argparse.Namespace) -> str:
    """Return the command with everything that decides the result; the data's place is left to the reader."""
    words = ["robustiqa", "train"]
    for name in (
        *("model", "backbone", "dataset", "short_side", "epochs", "stop_after", "batch_size", "resize", "crop"),
        *("trunk_rate", "head_rate", "precision", "seed"),
    ):
        if getattr(arguments, name) is not None:
            words += ["--" + name.replace("_", "-"), str(getattr(arguments, name))]
    return shlex.join(words) + " --root FOLDER"


def run(arguments: argparse.Namespace) -> int:
    """Train, measure and save."""
    device = choose_device(arguments.device)
    if arguments.precision == "auto":
        arguments.precision = fast_training_precision(device)
    settings = TrainingSettings(
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        resize=arguments.resize,
        crop=arguments.crop,
        trunk_rate=arguments.trunk_rate,
        head_rate=arguments.head_rate,
        precision=arguments.precision,
        seed=arguments.seed,
    )
    photos, name = read_data(arguments)
    scale = ", 0 to 1" if arguments.dataset == "biq2021" else ""
    plan = BaselinePlan(
        model=arguments.model,
        settings={"backbone": arguments.backbone, "short_side": arguments.short_side},
        training=settings,
        dataset=name,
        score_unit=f"predicted MOS of {name}{scale}, larger is better",
        licence="MIT",
        command=_command(arguments),
        evaluation_command=evaluation_command(arguments.model, "baseline", arguments.dataset, "test"),
    )
    records = train_baseline(
        photos,
        plan,
        stop_after=arguments.stop_after,
        run_dir=arguments.run_dir or Path("runs", f"{arguments.model}-baseline"),
        device=device,
        workers=arguments.workers,
    )
    for record in progress(records, total=None, label="training"):
        if not isinstance(record, TrainingRecord):
            network, card = record
        elif record.validation_srocc is not None:
            print(
                f"epoch {record.epoch}/{settings.epochs}: loss {record.loss:.4f}, "
                f"validation SROCC {record.validation_srocc:.4f}",
                file=sys.stderr,
                flush=True,
            )
    written = save_checkpoint(network, card, root=arguments.out)
    if arguments.json:
        print_json(written.to_json())
    else:
        figures = written.measurements[0]
        print(f"{written.stem}: SROCC {figures.srocc:.4f}, PLCC {figures.plcc:.4f} on {figures.photos} photos")
    return 0
