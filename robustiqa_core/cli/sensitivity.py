"""`robustiqa sensitivity`: how much waves of one strength but different frequency move a model's score.

Photos of different sizes are cut to their middles.
"""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from robustiqa_core.attacks.settings import format_fraction
from robustiqa_core.cli.options import fraction, print_json, progress
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
from robustiqa_core.files import write_bytes
from robustiqa_core.images.photo import Photo
from robustiqa_core.spectra import BANDS, SensitivityMap, SensitivitySettings, assemble, band_means, measure_sensitivity
from robustiqa_core.spectra.probes import middles

_DEFAULTS = SensitivitySettings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_photos(parser, needed=True)
    parser.add_argument(
        "--eps", type=fraction, default=_DEFAULTS.eps, help="root mean square of each wave (default: 4/255)"
    )
    parser.add_argument(
        "--grid", type=int, default=_DEFAULTS.grid, help="frequencies along each axis, odd (default: %(default)s)"
    )
    parser.add_argument(
        "--batch-size", type=int, default=_DEFAULTS.batch_size, help="images scored together (default: %(default)s)"
    )
    add_spectra(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure the map of each model, print the means by band and save the figure that --png asks for."""
    check_figure(arguments)
    settings = SensitivitySettings(arguments.eps, grid=arguments.grid, batch_size=arguments.batch_size)
    device = choose_device(arguments.device)
    photos = read_photos(arguments)
    images = middles([photo.images for photo in photos]).to(device)
    models = read_models(arguments, device)
    maps = [_measure(model, images, settings) for model in models]
    command = _command(arguments, settings)
    if arguments.png is not None:
        _save_figure(arguments.png, models, maps, settings, photos, command)
    if arguments.json:
        print_json(without_nan(_report(models, maps, settings, photos, images, command)))
        return 0
    print("mean change of the score in % of its usual range, by waves of one strength")
    print("".join(f"{band.name:>8}" for band in BANDS) + f"{'all':>8}")
    for model, found in zip(models, maps, strict=True):
        means = [*band_means(found).values(), float(found.changes.mean())]
        print("".join(f"{100 * mean:8.2f}" for mean in means) + f"  {model.label}")
    return 0


def _measure(model: NamedScorer, images: torch.Tensor, settings: SensitivitySettings) -> SensitivityMap:
    records = measure_sensitivity(model.scorer, images, settings)
    found = list(progress(records, total=settings.frequencies, label=model.label))
    return assemble(found, grid=settings.grid, height=images.shape[2], width=images.shape[3])


def _command(arguments: argparse.Namespace, settings: SensitivitySettings) -> str:
    words = ["robustiqa", "sensitivity", *photo_words(arguments), *model_words(arguments)]
    words += ["--eps", format_fraction(settings.eps), "--grid", str(settings.grid)]
    words += ["--batch-size", str(settings.batch_size)]
    return shlex.join([*words, *output_words(arguments)])


def _report(
    models: Sequence[NamedScorer],
    maps: Sequence[SensitivityMap],
    settings: SensitivitySettings,
    photos: Sequence[Photo],
    images: torch.Tensor,
    command: str,
) -> dict[str, Any]:
    """Return everything as one JSON object: changes as shares of the score range, frequencies in cycles per pixel."""
    return {
        "settings": asdict(settings),
        "images": [photo.name for photo in photos],
        "height": images.shape[2],
        "width": images.shape[3],
        "vertical": maps[0].vertical.tolist(),
        "horizontal": maps[0].horizontal.tolist(),
        "runs": [
            {
                "model": model.model,
                "variant": model.variant,
                "score_range": asdict(model.scorer.score_range),
                "band_means": band_means(found),
                "changes": found.changes.mean(0).tolist(),
                "deviation": found.changes.std(0, correction=0).tolist(),
                "kept": float(found.kept.mean()),
            }
            for model, found in zip(models, maps, strict=True)
        ],
        "command": command,
    }


def _save_figure(
    path: Path,
    models: Sequence[NamedScorer],
    maps: Sequence[SensitivityMap],
    settings: SensitivitySettings,
    photos: Sequence[Photo],
    command: str,
) -> None:
    # Imported here, since matplotlib takes a moment, and only this needs it.
    from robustiqa_core.plots.sensitivity import SensitivityPanel, sensitivity_png

    panels = [SensitivityPanel(model.label, found) for model, found in zip(models, maps, strict=True)]
    note = f"{shown_photos(photos)}; every wave has a root mean square of {format_fraction(settings.eps)}"
    title = "How much a wave of each frequency moves the score"
    write_bytes(path, sensitivity_png(panels, title=title, note=note, command=command))
