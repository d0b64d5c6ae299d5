"""`robustiqa spectrum`: in which frequencies and colours the energy of a perturbation lies."""

import argparse
import shlex
import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch

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
    without_nan,
)
from robustiqa_core.device import choose_device
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.evaluation.report import attack_name, attack_words
from robustiqa_core.files import as_word, write_bytes
from robustiqa_core.images.photo import Photo, read_image
from robustiqa_core.spectra import (
    BANDS,
    WHITE_LUMA_SHARE,
    WINDOWS,
    FlowFigures,
    MeasuredChange,
    Window,
    arrows,
    combine_figures,
    measure_change,
)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The perturbation of one photo as a PNG file stores it; the scores are known where a model was attacked."""

    image: str
    change: MeasuredChange
    clean_score: float | None = None
    rounded_score: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The perturbations that one model was attacked with; `model` is None where they were read from files."""

    label: str
    model: NamedScorer | None
    measured: Sequence[Measured]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_photos(parser, needed=False)
    parser.add_argument("--clean", type=Path, metavar="FILE", help="instead of an attack: a photo, and")
    parser.add_argument("--adversarial", type=Path, metavar="FILE", help="the changed photo, of the same size")
    parser.add_argument("--window", default="none", choices=WINDOWS, help="hann fades the borders (default: none)")
    add_attack(parser)
    add_spectra(parser)


def run(arguments: argparse.Namespace) -> int:
    """Attack, or read the two files; print the figures and save the picture that --png asks for."""
    check_figure(arguments)
    files = [path for path in (arguments.clean, arguments.adversarial) if path is not None]
    if len(files) == 1 or bool(files) == bool(arguments.images):
        raise ConfigurationError(
            "expected either photos to attack or both --clean and --adversarial, got neither or both; give one of them"
        )
    attack = None if files else read_attack(arguments)
    runs = [_read_pair(arguments)] if attack is None else _attack_all(arguments, attack)
    command = _command(arguments, attack)
    if arguments.png is not None:
        _save_figure(arguments.png, runs, command)
    if arguments.json:
        print_json(without_nan(_report(arguments.window, runs, attack, command)))
        return 0
    for one in runs:
        _print_table(one)
    return 0


def _read_pair(arguments: argparse.Namespace) -> Run:
    clean, adversarial = (
        read_image(path, max_side=arguments.max_side) for path in (arguments.clean, arguments.adversarial)
    )
    if clean.size != adversarial.size:
        raise InputError(
            f"expected two images of one size, got {clean.size} and {adversarial.size}; compare a photo with itself"
        )
    label = f"{adversarial.name} less {clean.name}"
    return Run(
        label, None, [Measured(clean.name, measure_change(clean.images, adversarial.images, window=arguments.window))]
    )


def _attack_all(arguments: argparse.Namespace, attack: Attack) -> list[Run]:
    device = choose_device(arguments.device)
    photos = read_photos(arguments)
    return [
        Run(
            f"{attack_name(attack)} on {model.label}",
            model,
            [_attack(attack, model, photo, arguments.window, device) for photo in photos],
        )
        for model in read_models(arguments, device)
    ]


def _attack(attack: Attack, model: NamedScorer, photo: Photo, window: Window, device: torch.device) -> Measured:
    records = run_attack(attack, model.scorer, photo.images.to(device))
    result = cast(AttackResult, deque(progress(records, total=attack.steps + 2, label=photo.name), maxlen=1).pop())
    change = measure_change(photo.images, result.rounded.cpu(), window=window, flow=result.flow)
    return Measured(photo.name, change, result.clean_scores.item(), result.rounded_scores.item())


def _command(arguments: argparse.Namespace, attack: Attack | None) -> str:
    """Return the command that gives the same figures."""
    words = ["robustiqa", "spectrum", *photo_words(arguments)]
    if attack is None:
        words += ["--clean", as_word(str(arguments.clean)), "--adversarial", as_word(str(arguments.adversarial))]
    else:
        words += [*model_words(arguments), *attack_words(attack)]
    return shlex.join([*words, "--window", arguments.window, *output_words(arguments)])


def _report(window: Window, runs: Sequence[Run], attack: Attack | None, command: str) -> dict[str, Any]:
    """Return everything as one JSON object; its shares are of the energy, its radii in cycles per pixel."""
    return {
        "window": window,
        "band_limits": {band.name: [band.low, band.high] for band in BANDS},
        "attack": None if attack is None else attack_name(attack),
        "settings": None if attack is None else asdict(attack),
        "runs": [
            {
                "label": one.label,
                "model": None if one.model is None else one.model.model,
                "variant": None if one.model is None else one.model.variant,
                "mean": asdict(combine_figures([each.change.figures for each in one.measured], statistics.fmean)),
                "photos": [
                    {
                        "image": each.image,
                        "clean_score": each.clean_score,
                        "rounded_score": each.rounded_score,
                        **asdict(each.change.figures),
                        "profile": each.change.profile.relative.tolist(),
                        "flow": _json(each.change.flow_figures),
                    }
                    for each in one.measured
                ],
                "profile_radius": one.measured[0].change.profile.radius.tolist(),
            }
            for one in runs
        ],
        "command": command,
    }


def _json(flow: FlowFigures | None) -> dict[str, Any] | None:
    return None if flow is None else asdict(flow)


def _print_table(one: Run) -> None:
    """Print shares in percent: of the waves of more than 8 px, of 4 to 8 px and of less, and of luma."""
    names = [band.name for band in BANDS]
    rows = [(each.image, each.change.figures) for each in one.measured]
    if len(rows) > 1:
        rows += [
            ("mean", combine_figures([figures for _, figures in rows], statistics.fmean)),
            ("standard deviation", combine_figures([figures for _, figures in rows], statistics.stdev)),
        ]
    print(f"{one.label}, share of the energy in %")
    print("".join(f"{name:>8}" for name in (*names, "luma")) + f"{'rms/255':>10}")
    for image, figures in rows:
        shares = [*figures.band_shares.values(), figures.luma_share]
        print("".join(f"{100 * share:8.1f}" for share in shares) + f"{255 * figures.rms:10.3f}  {image}")
    white = one.measured[0].change.figures.white_band_shares.values()
    print("".join(f"{100 * share:8.1f}" for share in (*white, WHITE_LUMA_SHARE)) + f"{'':10}  white noise")


def _save_figure(path: Path, runs: Sequence[Run], command: str) -> None:
    # Imported here, since matplotlib takes a moment, and only this needs it.
    from robustiqa_core.plots.spectrum import SpectrumPanel, spectrum_png

    panels = [
        SpectrumPanel(
            one.label,
            one.measured[0].change.perturbation,
            one.measured[0].change.spectrum,
            [each.change.figures for each in one.measured],
            [each.change.profile for each in one.measured],
            None if one.measured[0].change.flow is None else arrows(one.measured[0].change.flow),
        )
        for one in runs
    ]
    names = [each.image for each in runs[0].measured]
    note = f"photo: {names[0]}"
    if len(names) > 1:
        note = f"pictures and maps: {names[0]}; curves with range and bars with standard deviation: {len(names)} photos"
    write_bytes(
        path, spectrum_png(panels, title="Where the energy of the perturbation lies", note=note, command=command)
    )
