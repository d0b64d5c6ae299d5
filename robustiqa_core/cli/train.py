"""`robustiqa train`: a baseline from photos with human scores."""

import argparse
import hashlib
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import torch

from robustiqa_core.checkpoints.storage import BASELINE, check_new_checkpoint, load_card, load_network, save_checkpoint
from robustiqa_core.cli.data import add_data, mos_range, read_data
from robustiqa_core.cli.evaluate_mos import evaluation_command
from robustiqa_core.cli.loop_options import LOOP_OPTIONS, add_loop, loop_settings, report, spell_command
from robustiqa_core.cli.options import add_device, add_json, add_overwrite, print_json
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.files import as_word, check_output_folder
from robustiqa_core.metrics.correlation import spell_agreement
from robustiqa_core.models import ARCHITECTURES, QualityModel
from robustiqa_core.models.backbones import BACKBONES
from robustiqa_core.models.card import ModelCard
from robustiqa_core.training import ranks
from robustiqa_core.training.baseline import BaselinePlan, new_network, train_baseline
from robustiqa_core.training.loop import TrainingSettings
from robustiqa_core.training.ridge import RidgeRecord
from robustiqa_core.training.scnn import load_scnn
from robustiqa_core.training.steps import TrainingRecord

Trained: TypeAlias = tuple[QualityModel, ModelCard]

_DEFAULTS = TrainingSettings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--model", default="linearity", choices=ARCHITECTURES, help="architecture")
    parser.add_argument("--backbone", default="efficientnet_lite0", choices=BACKBONES, help="default: %(default)s")
    parser.add_argument(
        "--trunk-from", choices=ARCHITECTURES, help="start from the trunk of this model's baseline (default: ImageNet)"
    )
    parser.add_argument("--scnn", type=Path, help="S-CNN weights for DBCNN: from train-scnn, or the published scnn.pkl")
    add_data(parser)
    parser.add_argument(
        "--short-side", type=int, default=384, help="working size of the network (default: %(default)s px)"
    )
    add_loop(parser, _DEFAULTS)
    parser.add_argument(
        "--head-epochs", type=int, default=_DEFAULTS.head_epochs, help="first epochs that train only the new layers"
    )
    parser.add_argument(
        "--ridge-head",
        action="store_true",
        help="solve DBCNN's linear layer in closed form first; --epochs 0 stops there",
    )
    parser.add_argument("--balanced", action="store_true", help="sample poor, middling and good photos equally often")
    parser.add_argument("--resize", type=int, default=_DEFAULTS.resize, help="shorter side before the crop")
    parser.add_argument("--crop", type=int, default=_DEFAULTS.crop, help="side of the random crop")
    parser.add_argument("--trunk-rate", type=float, default=_DEFAULTS.trunk_rate, help="learning rate of the trunk")
    parser.add_argument("--head-rate", type=float, default=_DEFAULTS.head_rate, help="learning rate of the new layers")
    parser.add_argument("--run-dir", type=Path, help="state to resume from (default: runs/MODEL-baseline)")
    parser.add_argument("--out", type=Path, default=Path("checkpoints"), help="folder of the checkpoint")
    add_overwrite(parser)
    add_device(parser)
    add_json(parser)


def _command(arguments: argparse.Namespace) -> str:
    """Return the command with everything that decides the result; the data's place is left to the reader."""
    options = (
        "model",
        "backbone",
        "trunk_from",
        "dataset",
        "short_side",
        *LOOP_OPTIONS,
        "head_epochs",
        "ridge_head",
        "balanced",
    )
    command = spell_command("train", arguments, (*options, "resize", "crop", "trunk_rate", "head_rate"))
    scnn = "" if arguments.scnn is None else f" --scnn {shlex.quote(as_word(arguments.scnn.name))}"
    return f"{command}{scnn} --root FOLDER"


def _start(arguments: argparse.Namespace, device: torch.device) -> tuple[QualityModel, str]:
    """Return the network to train and in words what it starts from."""
    settings = {"backbone": arguments.backbone, "short_side": arguments.short_side}
    trunk, scnn = None, None
    start = f"ImageNet weights of {arguments.backbone}"
    if arguments.trunk_from is not None:
        card = load_card(arguments.trunk_from)
        known = load_network(arguments.trunk_from, device=torch.device("cpu"))
        if known.settings.backbone != arguments.backbone:
            raise ConfigurationError(
                f"expected a baseline with the trunk {arguments.backbone}, got {card.stem} with the trunk "
                f"{known.settings.backbone}; give --backbone {known.settings.backbone}"
            )
        trunk = known.features.state_dict()
        start = f"trunk of {card.stem}, sha256 {card.sha256}"
    if arguments.scnn is not None:
        scnn = load_scnn(arguments.scnn).features.state_dict()
        start += f"; S-CNN of {arguments.scnn.name}, sha256 {hashlib.sha256(arguments.scnn.read_bytes()).hexdigest()}"
    network = new_network(arguments.model, settings, seed=arguments.seed, device=device, trunk=trunk, scnn=scnn)
    return network, start


def _without_ridge(records: Iterable[RidgeRecord | TrainingRecord | Trained]) -> Iterator[TrainingRecord | Trained]:
    """Yield what is no record of the closed-form stage; tell how that goes on standard error."""
    for record in records:
        if not isinstance(record, RidgeRecord):
            yield record
        elif record.validation_srocc is not None:
            print(
                f"linear layer solved, penalty {record.penalty:g}: validation SROCC {record.validation_srocc:.4f}",
                file=sys.stderr,
                flush=True,
            )
        elif sys.stderr.isatty():
            print(f"features of {record.photos} of {record.total} photos", file=sys.stderr, flush=True)


def run(arguments: argparse.Namespace) -> int:
    """Train, measure and save; one of several processes, where torchrun started them."""
    with ranks.joined():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    run_dir = arguments.run_dir or Path("runs", f"{arguments.model}-{BASELINE}")
    check_output_folder(run_dir, option="--run-dir")
    check_new_checkpoint(arguments.model, BASELINE, root=arguments.out, overwrite=arguments.overwrite)
    device = ranks.choose_device(arguments.device)
    settings = TrainingSettings(
        **loop_settings(arguments, device),
        resize=arguments.resize,
        crop=arguments.crop,
        trunk_rate=arguments.trunk_rate,
        head_rate=arguments.head_rate,
        head_epochs=arguments.head_epochs,
        balanced=arguments.balanced,
    )
    network, start = _start(arguments, device)
    photos, name = read_data(arguments)
    scale = mos_range(arguments)
    unit = f"predicted MOS of {name}" + ("" if scale is None else f", {scale.low:g} to {scale.high:g}")
    plan = BaselinePlan(
        model=arguments.model,
        training=settings,
        dataset=name,
        score_unit=f"{unit}, larger is better",
        licence="MIT",
        command=_command(arguments),
        evaluation_command=evaluation_command(arguments.model, "baseline", arguments.dataset, "test"),
        start=start,
        mos_range=scale,
        ridge_head=arguments.ridge_head,
    )
    records = train_baseline(
        network,
        photos,
        plan,
        stop_after=arguments.stop_after,
        run_dir=run_dir,
        workers=arguments.workers,
    )
    for trained, card in report(_without_ridge(records), settings, "SROCC"):
        written = save_checkpoint(trained, card, root=arguments.out, overwrite=arguments.overwrite)
        if arguments.json:
            print_json(written.to_json())
            continue
        whole, masked = written.measurements
        print(
            f"{written.stem}: {spell_agreement(whole.srocc, whole.plcc)} on {whole.photos} photos; "
            f"with the lower left corner masked {spell_agreement(masked.srocc, masked.plcc)}; "
            f"ended after epoch {written.training.settings['stopped_after_epoch']}"
        )
    return 0
