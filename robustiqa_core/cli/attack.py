"""`robustiqa attack`: one photo, one model, one attack."""

import argparse
import sys
from collections import deque
from pathlib import Path
from typing import cast

from robustiqa_core.attacks import AttackResult
from robustiqa_core.attacks import run as run_attack
from robustiqa_core.checks import MIN_SIDE
from robustiqa_core.cli.options import add_attack, add_json, add_model, add_overwrite, print_json, progress, read_attack
from robustiqa_core.device import choose_device
from robustiqa_core.evaluation.report import attack_command, attack_report, unchanged_note
from robustiqa_core.files import check_output, check_output_folder, write_bytes, write_json
from robustiqa_core.images.kinds import PHOTO_KINDS
from robustiqa_core.images.photo import MAX_SIDE, encode_png, read_image
from robustiqa_core.own_models import OWN, find_own_model, resolve_scorer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("image", type=Path, metavar="IMAGE", help=f"photo file ({PHOTO_KINDS})")
    add_model(parser)
    add_attack(parser)
    parser.add_argument("--max-side", type=int, default=MAX_SIDE, help="scale larger photos down to this many px")
    parser.add_argument("--out", type=Path, help="folder for the adversarial PNG and the JSON of the run")
    add_overwrite(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Attack the photo, save what --out asks for and print the figures."""
    attack = read_attack(arguments)
    path = _output(arguments)
    device = choose_device(arguments.device)
    photo = read_image(arguments.image, max_side=arguments.max_side, min_side=MIN_SIDE)
    scorer = resolve_scorer(arguments.model, arguments.variant, device=device)
    records = run_attack(attack, scorer, photo.images.to(device))
    bar = progress(records, total=attack.steps + 2, label=arguments.attack)
    result = cast(AttackResult, deque(bar, maxlen=1).pop())
    figures = attack_report(
        result,
        attack,
        model=arguments.model,
        variant=arguments.variant,
        image=str(arguments.image),
        image_sha256=photo.sha256,
        command=attack_command(
            attack,
            image=str(arguments.image),
            model=arguments.model,
            variant=arguments.variant,
            max_side=arguments.max_side if arguments.max_side != MAX_SIDE else None,
            device=str(device),
        ),
    )
    unchanged = unchanged_note(figures)
    notes = [*photo.notes, *([] if unchanged is None else [unchanged])]
    report = {**figures.to_json(), "notes": notes, "adversarial_path": None}
    if path is not None:
        report["adversarial_path"] = str(path)
        write_bytes(path, encode_png(result.rounded))
        write_json(path.with_suffix(".json"), report)
    if arguments.json:
        print_json(report)
        return 0
    for note in notes:
        print(note, file=sys.stderr)
    print(f"score   {report['clean_score']:.4f} -> {report['adversarial_score']:.4f}")
    print(f"as PNG  {report['rounded_score']:.4f}")
    print(f"l_inf   {report['linf'] * 255:.2f}/255, l_2 {report['l2']:.3f}, SSIM {report['ssim']:.4f}")
    if report["adversarial_path"]:
        print(f"saved   {report['adversarial_path']}")
    return 0


def _output(arguments: argparse.Namespace) -> Path | None:
    """Return the place of the adversarial PNG, refused now where it or the JSON beside it cannot be written."""
    if arguments.out is None:
        return None
    own = find_own_model(arguments.model)
    model = f"{arguments.model}-{arguments.variant}" if own is None else f"{own.name}-{OWN}"
    path: Path = check_output_folder(arguments.out) / f"{arguments.image.stem}-{arguments.attack}-{model}.png"
    for file in (path, path.with_suffix(".json")):
        check_output(file, overwrite=arguments.overwrite)
    return path
