"""`robustiqa evaluate-mos`: agreement of a model with human scores."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from robustiqa_core.cli.batch import finish, gather_photos
from robustiqa_core.cli.data import add_data, dataset_root, list_data
from robustiqa_core.cli.options import add_json, add_model, add_overwrite, print_json, progress
from robustiqa_core.csv_tables.mos import match_mos, read_mos
from robustiqa_core.device import choose_device
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.evaluation.mos import LOGISTIC_NOTE, MosEvaluation, evaluate_mos, photo_table, try_photos
from robustiqa_core.evaluation.tables.rows import Skipped
from robustiqa_core.files import as_word, check_output, write_bytes
from robustiqa_core.own_models import resolve_card, resolve_scorer
from robustiqa_core.scorer import Scorer
from robustiqa_core.training.baseline import with_validation
from robustiqa_core.training.datasets import SPLITS, LabelledPhoto, select


@dataclass(frozen=True, slots=True)
class RatedPhotos:
    """Photos with human scores, whose agreement is measured.

    Args:
        photos: two or more.
        title: what they are, for people.
        root: folder that their names start from.
        skipped: what was listed or named and cannot be used.
        notes: what people should know of them.
    """

    photos: tuple[LabelledPhoto, ...]
    title: str
    root: Path
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "images", nargs="*", metavar="IMAGE", help="photo files or folders of photos, with --mos, in place of --dataset"
    )
    parser.add_argument("--mos", type=Path, metavar="TABLE", help="CSV of file, mos of these photos")
    add_model(parser)
    add_data(parser, required=False)
    parser.add_argument("--dmos", action="store_true", help="the human scores are DMOS: smaller is better")
    parser.add_argument("--split", default="test", choices=SPLITS, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of the validation split, if the data set has none")
    parser.add_argument(
        "--mask-corner", action="store_true", help="cover the lower left corner, where BIQ2021 photos have watermarks"
    )
    parser.add_argument("--png", type=Path, metavar="FILE", help="where to save a scatter plot")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="where to save a table of all photos")
    add_overwrite(parser)
    add_json(parser)


def evaluation_command(model: str, variant: str, dataset: str, split: str) -> str:
    """Return the command that measures a model; the place of the data is left to the reader."""
    words = ["--model", model, "--variant", variant, "--dataset", dataset, "--split", split]
    return f"robustiqa evaluate-mos {shlex.join(words)} --root FOLDER"


def run(arguments: argparse.Namespace) -> int:
    """Score the photos of the split and print the figures with 95 % intervals."""
    for option, ending in (("csv", ".csv"), ("png", ".png")):
        if (path := getattr(arguments, option)) is not None:
            check_output(path, option=f"--{option}", endings=[ending], overwrite=arguments.overwrite)
    rated = _rated(arguments)
    device = choose_device(arguments.device)
    scorer = resolve_scorer(arguments.model, arguments.variant, device=device)
    records = try_photos(scorer, rated.photos, device=device, mask_corner=arguments.mask_corner)
    found = list(progress(records, total=len(rated.photos), label="scoring"))
    scored = [(photo, score) for photo, score in zip(rated.photos, found, strict=True) if isinstance(score, float)]
    failed = [
        Skipped(str(photo.path), score)
        for photo, score in zip(rated.photos, found, strict=True)
        if isinstance(score, str)
    ]
    skipped = (*rated.skipped, *failed)
    if len(scored) < 2:
        return finish(0, skipped)
    evaluation = evaluate_mos(
        [score for _, score in scored],
        [photo.mos for photo, _ in scored],
        dataset=f"{rated.title}{', lower left corner masked' if arguments.mask_corner else ''}",
        command=_command(arguments),
    )
    if arguments.csv is not None:
        write_bytes(arguments.csv, photo_table(evaluation, [photo for photo, _ in scored], rated.root))
    if arguments.png is not None:
        _save_figure(arguments, scorer, evaluation)
    _print(arguments, evaluation, rated, skipped)
    return finish(len(scored), skipped)


def _rated(arguments: argparse.Namespace) -> RatedPhotos:
    """Return the photos that the options name, by a data set or one by one."""
    if arguments.images:
        if arguments.mos is None or arguments.dataset is not None:
            raise ConfigurationError("photos need --mos TABLE and no --dataset; give the table, or omit the photos")
        paths, left_out = gather_photos(arguments.images)
        match = match_mos(arguments.mos, read_mos(arguments.mos, dmos=arguments.dmos), paths)
        photos = tuple(LabelledPhoto(path, match.scores[path], "test") for path in paths if path in match.scores)
        if len(photos) < 2:
            raise InputError(f"expected at least two photos with a human score, got {len(photos)}; {match.notes[0]}")
        return RatedPhotos(photos, arguments.mos.stem, arguments.mos.parent, left_out, match.notes)
    if arguments.mos is not None or arguments.dataset is None:
        raise ConfigurationError(
            "expected photos and --mos TABLE, or --dataset NAME and --root FOLDER; give one of them"
        )
    photos, name, left_out = list_data(arguments)
    if arguments.split == "validation":
        photos = with_validation(photos, arguments.seed)
    root = dataset_root(arguments) or Path()
    return RatedPhotos(select(photos, arguments.split), f"{name}, {arguments.split} split", root, left_out)


def _command(arguments: argparse.Namespace) -> str:
    """Return the command that gives the same figures; the folder of a data set is left to the reader."""
    if arguments.images:
        words = ["robustiqa", "evaluate-mos", *map(as_word, arguments.images), "--mos", as_word(str(arguments.mos))]
        command = shlex.join([*words, "--model", arguments.model, "--variant", arguments.variant])
    else:
        command = evaluation_command(arguments.model, arguments.variant, arguments.dataset, arguments.split)
        if arguments.scores is not None:
            command += f" --scores {shlex.quote(as_word(str(arguments.scores)))}"
        if arguments.split == "validation" and arguments.seed:
            command += f" --seed {arguments.seed}"
    for name in ("dmos", "mask_corner"):
        command += f" --{name.replace('_', '-')}" if getattr(arguments, name) else ""
    return command


def _print(
    arguments: argparse.Namespace, evaluation: MosEvaluation, rated: RatedPhotos, skipped: Sequence[Skipped]
) -> None:
    for note in rated.notes:
        print(note, file=sys.stderr)
    figures = evaluation.figures
    if arguments.json:
        names = {"model": arguments.model, "variant": arguments.variant}
        fitted = None if evaluation.parameters is None else dict(zip(_PARAMETERS, evaluation.parameters, strict=True))
        print_json(
            {
                **names,
                **asdict(figures),
                **{f"{key}_interval": interval for key, interval in evaluation.intervals.items()},
                "logistic": fitted,
                "note": LOGISTIC_NOTE,
                "notes": list(rated.notes),
                "left_out": [{"image": record.image, "reason": record.reason} for record in skipped],
            }
        )
        return
    print(f"{arguments.model} {arguments.variant} on {figures.photos} photos, {figures.dataset}")
    print("\n".join(evaluation.lines))
    if None in evaluation.intervals.values():
        print("undefined: all scores or all MOS are equal, or there are fewer than four photos for the logistic")
    print(LOGISTIC_NOTE)


_PARAMETERS = ("high", "low", "middle", "slope")


def _save_figure(arguments: argparse.Namespace, scorer: Scorer, evaluation: MosEvaluation) -> None:
    # Imported here, since matplotlib takes a moment, and only this needs it.
    from robustiqa_core.plots.agreement import scatter_png

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
