"""`robustiqa amplification`: how an attack's perturbation grows through a model's layers, beside noise of its size."""

import argparse
import shlex
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from robustiqa_core.attacks import Attack, AttackResult
from robustiqa_core.attacks import run as run_attack
from robustiqa_core.cli.options import add_attack, print_json, progress, read_attack
from robustiqa_core.cli.spectra_options import (
    NamedScorer,
    add_photos,
    add_spectra,
    check_figure,
    model_words,
    output_words,
    photo_words,
    read_models,
    read_photos,
    shown_photos,
    without_nan,
)
from robustiqa_core.device import choose_device
from robustiqa_core.evaluation.report import attack_name, attack_words
from robustiqa_core.files import write_bytes
from robustiqa_core.images.photo import Photo
from robustiqa_core.spectra import NORMS, Growth, Norms, PointSummary, follow_change, summarise
from robustiqa_core.spectra.probes import measuring_points

_CELL = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_photos(parser, needed=True)
    parser.add_argument(
        "--norms",
        default="stage",
        choices=NORMS,
        help="largest singular values: none, of each stage, or all, with those from the input, which takes minutes a "
        "photo (default: %(default)s)",
    )
    add_attack(parser)
    add_spectra(parser)


def run(arguments: argparse.Namespace) -> int:
    """Attack each photo, follow the perturbation and noise of its size, print means over the photos."""
    check_figure(arguments)
    attack = read_attack(arguments)
    device = choose_device(arguments.device)
    photos = read_photos(arguments)
    models = read_models(arguments, device)
    growths = [list(_follow(model, attack, photos, arguments.norms, device)) for model in models]
    command = _command(arguments, attack)
    if arguments.png is not None:
        _save_figure(arguments.png, models, growths, photos, command)
    if arguments.json:
        print_json(without_nan(_report(models, growths, attack, photos, command)))
        return 0
    for model, found in zip(models, growths, strict=True):
        print(f"{model.label}, mean over {len(photos)} photo{'s' if len(photos) > 1 else ''}")
        _print_table(summarise(found))
    return 0


def _command(arguments: argparse.Namespace, attack: Attack) -> str:
    """Return the command that gives the same figures."""
    words = ["robustiqa", "amplification", *photo_words(arguments), *model_words(arguments), *attack_words(attack)]
    return shlex.join([*words, "--norms", arguments.norms, *output_words(arguments)])


def _follow(
    model: NamedScorer, attack: Attack, photos: Sequence[Photo], norms: Norms, device: torch.device
) -> Iterator[Growth]:
    """Yield what is measured of each photo, which may be of different sizes."""
    network = cast(nn.Module, model.scorer)
    for index, photo in enumerate(photos):
        images = photo.images.to(device)
        steps = progress(run_attack(attack, model.scorer, images), total=attack.steps + 2, label=photo.name)
        adversarial = cast(AttackResult, deque(steps, maxlen=1).pop()).adversarial
        records = follow_change(
            network,
            images,
            adversarial,
            kind=attack_name(attack),
            score_range=model.scorer.score_range,
            norms=norms,
            seed=getattr(attack, "seed", 0),
        )
        for growth in progress(records, total=len(measuring_points(network)) + 2, label=f"{photo.name}, layers"):
            yield replace(growth, photo=index)


def _report(
    models: Sequence[NamedScorer],
    growths: Sequence[Sequence[Growth]],
    attack: Attack,
    photos: Sequence[Photo],
    command: str,
) -> dict[str, Any]:
    """Return everything as one JSON object."""
    return {
        "attack": attack_name(attack),
        "settings": asdict(attack),
        "images": [photo.name for photo in photos],
        "runs": [
            {
                "model": model.model,
                "variant": model.variant,
                "points": [asdict(summary) for summary in summarise(found)],
                "photos": [asdict(growth) for growth in found],
            }
            for model, found in zip(models, growths, strict=True)
        ],
        "command": command,
    }


def _print_table(points: Sequence[PointSummary]) -> None:
    """Print means: growth since the input, growth within the stage, each with its bound, and the paper's ratio."""
    kinds = list(points[0].relative)
    width = _CELL * (len(kinds) + 1)
    print(f"{'':<20}{'since the input':>{width}}{'within the stage':>{width}}{'paper':>{_CELL}}")
    heads = [*kinds, "at most", *kinds, "at most", "ratio"]
    print(f"{'':<20}" + "".join(f"{head:>{_CELL}}" for head in heads))
    for point in points:
        spreads = [*(point.relative[kind] for kind in kinds), point.input_bound]
        spreads += [*(point.stage.get(kind) for kind in kinds), point.stage_norm, point.dimension_ratio]
        cells = ["" if spread is None else f"{spread.mean:.2f}" for spread in spreads]
        print(f"{point.point:<20}" + "".join(f"{cell:>{_CELL}}" for cell in cells))


def _save_figure(
    path: Path,
    models: Sequence[NamedScorer],
    growths: Sequence[Sequence[Growth]],
    photos: Sequence[Photo],
    command: str,
) -> None:
    # Imported here, since matplotlib takes a moment, and only this needs it.
    from robustiqa_core.plots.amplification import AmplificationPanel, amplification_png

    panels = [AmplificationPanel(model.label, summarise(found)) for model, found in zip(models, growths, strict=True)]
    note = (
        f"{shown_photos(photos)}; mean, with the range over the photos; noise has the attack's root mean square; "
        "the change of the score is taken as a share of its usual range"
    )
    title = "How a perturbation grows through the layers"
    write_bytes(path, amplification_png(panels, title=title, note=note, command=command))
