"""`robustiqa train-scnn`: DBCNN's distortion branch, from clean photos."""

import argparse
from dataclasses import asdict
from pathlib import Path

from robustiqa_core.cli.loop_options import LOOP_OPTIONS, add_loop, loop_settings, report, spell_command
from robustiqa_core.cli.options import add_device, add_json, add_overwrite, print_json
from robustiqa_core.files import check_output, check_output_folder
from robustiqa_core.training import ranks
from robustiqa_core.training.distortions import list_photos
from robustiqa_core.training.scnn import SCNNSettings, save_scnn, train_scnn

_DEFAULTS = SCNNSettings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--photos", required=True, type=Path, help="folder of clean photos, including subfolders")
    add_loop(parser, _DEFAULTS)
    parser.add_argument(
        "--versions", type=int, default=_DEFAULTS.versions, help="distorted crops of each photo per epoch"
    )
    parser.add_argument(
        "--resize",
        type=int,
        default=_DEFAULTS.resize,
        help="shorter side of the distorted photo (default: %(default)s)",
    )
    parser.add_argument("--crop", type=int, default=_DEFAULTS.crop, help="side of the random crop")
    parser.add_argument("--rate", type=float, default=_DEFAULTS.rate, help="learning rate")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/scnn"), help="state to resume from")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/scnn/scnn.safetensors"),
        help="file for the weights; a JSON file is written next to it",
    )
    add_overwrite(parser)
    add_device(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train and save; one of several processes, where torchrun started them."""
    with ranks.joined():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    check_output_folder(arguments.run_dir, option="--run-dir")
    check_output(arguments.out, endings=[".safetensors"], overwrite=arguments.overwrite)
    check_output(arguments.out.with_suffix(".json"), overwrite=arguments.overwrite)
    device = ranks.choose_device(arguments.device)
    settings = SCNNSettings(
        **loop_settings(arguments, device),
        versions=arguments.versions,
        resize=arguments.resize,
        crop=arguments.crop,
        rate=arguments.rate,
    )
    options = (*LOOP_OPTIONS, "versions", "resize", "crop", "rate")
    records = train_scnn(
        list_photos(arguments.photos),
        settings,
        command=spell_command("train-scnn", arguments, options) + " --photos FOLDER",
        device=device,
        run_dir=arguments.run_dir,
        stop_after=arguments.stop_after,
        workers=arguments.workers,
    )
    for network, card in report(records, settings, "accuracy"):
        written = save_scnn(network, card, arguments.out)
        if arguments.json:
            print_json(asdict(written))
        else:
            print(f"{arguments.out}: accuracy {written.accuracy:.4f} among {len(written.classes)} distortions")
    return 0
