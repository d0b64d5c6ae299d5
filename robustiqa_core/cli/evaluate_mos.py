"""`robustiqa evaluate-mos`: agreement of a model with human scores."""

import argparse
import shlex
from dataclasses import asdict
from pathlib import Path

from robustiqa_core.cli.data import add_data, read_data
from robustiqa_core.cli.options import add_json, add_model, print_json, progress
from robustiqa_core.device import choose_device
from robustiqa_core.files import write_bytes
from robustiqa_core.mos_evaluation import LOGISTIC_NOTE, MosEvaluation, evaluate_mos, photo_table, score_photos
from robustiqa_core.own_models import resolve_card, resolve_scorer
from robustiqa_core.scorer import Scorer
from robustiqa_core.training.baseline import with_validation
from robustiqa_core.training.datasets import SPLITS, select


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model(parser)
    add_data(parser)
    parser.add_argument("--split", default="test", choices=SPLITS, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the validation split, where the data set has none")
    parser.add_argument(
        "--mask-corner", action="store_true", help="cover the lower left corner, where BIQ2021 has watermarks"
    )
    parser.add_argument("--png", type=Path, metavar="FILE", help="where to save a scatter plot")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="where to save a table of all photos")
    add_json(parser)


def evaluation_command(model: str, variant: str, dataset: str, split: str) -> str:
    """Return the command that measures a model; the place of the data is left to the reader."""
    words = ["--model", model, "--variant", variant, "--dataset", dataset, "--split", split]
    return f"robustiqa evaluate-mos {shlex.join(words)} --root FOLDER"


def run(arguments: argparse.Namespace) -> int:
    """Score the photos of the split and print the figures with 95 % intervals."""
    photos, name = read_data(arguments)
    if arguments.split == "validation":
        photos = with_validation(photos, arguments.seed)
    chosen = select(photos, arguments.split)
    device = choose_device(arguments.device)
    scorer = resolve_scorer(arguments.model, arguments.variant, device=device)
    records = score_photos(scorer, chosen, device=device, mask_corner=arguments.mask_corner)
    command = evaluation_command(arguments.model, arguments.variant, arguments.dataset, arguments.split)
    evaluation = evaluate_mos(
        list(progress(records, total=len(chosen), label="scoring")),
        [photo.mos for photo in chosen],
        dataset=f"{name}, {arguments.split} split{', lower left corner masked' if arguments.mask_corner else ''}",
        command=f"{command} --mask-corner" if arguments.mask_corner else command,
    )
    if arguments.csv is not None:
        write_bytes(arguments.csv, photo_table(evaluation, chosen, arguments.root))
    if arguments.png is not None:
        _save_figure(arguments, scorer, evaluation)
    figures = evaluation.figures
    if arguments.json:
        intervals = {f"{key}_interval": interval for key, interval in evaluation.intervals.items()}
        fitted = dict(zip(("high", "low", "middle", "slope"), evaluation.parameters, strict=True))
        names = {"model": arguments.model, "variant": arguments.variant}
        print_json({**names, **asdict(figures), **intervals, "logistic": fitted, "note": LOGISTIC_NOTE})
        return 0
    print(f"{arguments.model} {arguments.variant} on {figures.photos} photos, {figures.dataset}")
    print("\n".join(evaluation.lines))
    print(LOGISTIC_NOTE)
    return 0


def _save_figure(arguments: argparse.Namespace, scorer: Scorer, evaluation: MosEvaluation) -> None:
    # Imported here, since matplotlib takes a moment, and only this needs it.
    from robustiqa_core.drawing.agreement import scatter_png

    card = resolve_card(arguments.model, arguments.variant, scorer=scorer)
    figure = scatter_png(
        evaluation.scores,
        evaluation.mos,
        evaluation.parameters,
        title=f"{card.model} {card.variant}, {evaluation.figures.dataset}",
        unit=card.score_unit,
        lines=evaluation.lines,
        command=f"{evaluation.figures.command} --png {arguments.png.name}",
    )
    write_bytes(arguments.png, figure)
