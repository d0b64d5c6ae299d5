"""`robustiqa series`: does the score fall when photos get worse step by step?"""

import argparse
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

from robustiqa_core.cli.options import add_json, add_model, add_overwrite, print_json, progress
from robustiqa_core.device import choose_device
from robustiqa_core.evaluation.monotonicity import (
    ORDERED_TAU,
    SERIES_KINDS,
    Series,
    clean_samples,
    run_series,
    summarise,
)
from robustiqa_core.files import as_word, check_output, write_bytes
from robustiqa_core.images.degradations import DEGRADATIONS
from robustiqa_core.images.photo import read_image
from robustiqa_core.own_models import resolve_card, resolve_scorer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "images", nargs="*", type=Path, metavar="IMAGE", help="sharp photos (default: the sample photos)"
    )
    parser.add_argument(
        "--kinds",
        nargs="+",
        default=list(SERIES_KINDS),
        choices=DEGRADATIONS,
        metavar="KIND",
        help=f"one or more of {', '.join(DEGRADATIONS)} (default: {' '.join(SERIES_KINDS)})",
    )
    parser.add_argument("--png", type=Path, metavar="FILE", help="where to save a figure")
    add_overwrite(parser)
    add_model(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score all versions of all photos and print how well they are ordered."""
    if arguments.png is not None:
        check_output(arguments.png, option="--png", endings=[".png"], overwrite=arguments.overwrite)
    device = choose_device(arguments.device)
    scorer = resolve_scorer(arguments.model, arguments.variant, device=device)
    paths = arguments.images or [sample.path for sample in clean_samples()]
    records = run_series(scorer, map(read_image, paths), arguments.kinds, device=device)
    series = list(progress(records, total=len(paths) * len(arguments.kinds), label="scoring"))
    if arguments.png is not None:
        # Imported here, since matplotlib takes a moment, and only this needs it.
        from robustiqa_core.plots.series import series_png

        card = resolve_card(arguments.model, arguments.variant, scorer=scorer)
        title = f"{card.model} {card.variant}"
        figure = series_png(series, title=title, unit=card.score_unit, command=_command(arguments))
        write_bytes(arguments.png, figure)
    if arguments.json:
        print_json(_report(arguments, series))
        return 0
    print(f"{'kind':<18}{'ordered':>14}{'mean tau':>10}  photos that are not")
    for summary in summarise(series):
        others = [one for one in series if one.kind == summary.kind and not one.ordered]
        listed = ", ".join(f"{Path(one.photo).stem} {one.tau:.2f}" for one in others)
        print(f"{summary.kind:<18}{f'{summary.ordered} of {summary.photos}':>14}{summary.mean_tau:>10.3f}  {listed}")
    return 0


def _command(arguments: argparse.Namespace) -> str:
    """Return the command line that gives the same figures."""
    words = ["robustiqa", "series", *(as_word(str(path)) for path in arguments.images), "--model", arguments.model]
    words += ["--variant", arguments.variant, "--kinds", *arguments.kinds]
    words += ["--device", str(choose_device(arguments.device))]
    return shlex.join(words if arguments.png is None else [*words, "--png", as_word(arguments.png.name)])


def _report(arguments: argparse.Namespace, series: list[Series]) -> dict[str, Any]:
    """Return everything as one JSON object."""
    return {
        "model": arguments.model,
        "variant": arguments.variant,
        "ordered_tau": ORDERED_TAU,
        "kinds": [
            {
                **asdict(summary),
                "measure": DEGRADATIONS[summary.kind].measure,
                "strengths": DEGRADATIONS[summary.kind].strengths,
            }
            for summary in summarise(series)
        ],
        "series": [{**asdict(one), "tau": one.tau, "ordered": one.ordered} for one in series],
        "command": _command(arguments),
    }
