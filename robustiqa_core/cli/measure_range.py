"""`robustiqa measure-range`: the range of models' own clean scores, for their cards."""

import argparse
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import torch

from robustiqa_core.checkpoints.storage import list_cards, load_scorer, save_card
from robustiqa_core.cli.data import add_data, read_data
from robustiqa_core.cli.options import add_device, add_json, print_json, progress
from robustiqa_core.device import choose_device
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.evaluation.mos import score_photos
from robustiqa_core.folders import checkpoints_root
from robustiqa_core.models.card import ModelCard, RangeSource
from robustiqa_core.scorer import Scorer, ScoreRange
from robustiqa_core.training.baseline import with_validation
from robustiqa_core.training.datasets import LabelledPhoto, select
from robustiqa_core.training.score_range import measured_source, range_of, range_photos

_ROUNDING = 1e-5
"""Difference of two ranges, as a share of their width, that is another machine's rounding."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("models", nargs="*", metavar="MODEL-VARIANT", help="checkpoints (default: all)")
    add_data(parser)
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the draw of 2,000 training photos; baselines use 0"
    )
    parser.add_argument("--out", type=Path, help="folder of the checkpoints (default: where the app looks)")
    add_device(parser)
    add_json(parser)


def range_command(stem: str, dataset: str, seed: int) -> str:
    """Return the command that measures a model's range; the place of the data is left to the reader."""
    return f"robustiqa measure-range {shlex.join([stem, '--dataset', dataset, '--seed', str(seed)])} --root FOLDER"


def run(arguments: argparse.Namespace) -> int:
    """Measure one model after the other and write each card as soon as it is known."""
    root = arguments.out or checkpoints_root()
    cards = chosen_cards(arguments.models, list_cards(root), root)
    device = choose_device(arguments.device)
    labelled, title = read_data(arguments)
    learning = select(with_validation(labelled, arguments.seed), "train")
    written = []
    for card in cards:
        scorer = load_scorer(card.model, card.variant, device=device, root=root)
        found, source = measured_range(
            scorer,
            learning,
            title=f"{title}, training split",
            seed=arguments.seed,
            command=range_command(card.stem, arguments.dataset, arguments.seed),
            device=device,
        )
        changed = replace(card, score_range=_kept(card.score_range, found), range_source=source)
        save_card(changed, root=root)
        old, new = card.score_range, changed.score_range
        line = (
            f"{card.stem:<24} {new.low:.4f} to {new.high:.4f}, width {new.width:.4f} "
            f"(the card had {old.low:.4f} to {old.high:.4f}); {source.words}"
        )
        print(line, file=sys.stderr if arguments.json else sys.stdout, flush=True)
        written.append((changed, source))
    if arguments.json:
        print_json(
            [{"model": each.stem, **asdict(each.score_range), "source": asdict(source)} for each, source in written]
        )
    return 0


def measured_range(
    scorer: Scorer, learning: tuple[LabelledPhoto, ...], *, title: str, seed: int, command: str, device: torch.device
) -> tuple[ScoreRange, RangeSource]:
    """Return the range of a model's clean scores of the photos that its baseline's was measured on, and its source.

    Args:
        scorer: the model, on `device`.
        learning: training photos, without the validation photos.
        title: name of these photos for people.
        seed: of the draw among them.
        command: that repeats it, for the source.
        device: where to compute.
    """
    photos = range_photos(learning, seed)
    scores: Iterator[float] = progress(
        score_photos(scorer, photos, device=device), total=len(photos), label="measuring the score range"
    )
    return range_of(list(scores)), measured_source(photos, title=title, seed=seed, command=command)


def chosen_cards(names: list[str], cards: tuple[ModelCard, ...], root: Path) -> list[ModelCard]:
    """Return the cards of the names, in their order, or all."""
    known = {card.stem: card for card in cards}
    unknown = [name for name in names if name not in known]
    if unknown or not known:
        raise ConfigurationError(
            f"expected checkpoints of {root} ({', '.join(known) or 'there are none'}), got "
            f"{', '.join(unknown) or 'none'}; choose from these, or give their folder with --out"
        )
    return [known[name] for name in dict.fromkeys(names or known)]


def _kept(stated: ScoreRange, found: ScoreRange) -> ScoreRange:
    """Return the range that was found, or the stated one where they differ by rounding only."""
    gap = max(abs(found.low - stated.low), abs(found.high - stated.high))
    return stated if gap <= _ROUNDING * stated.width else found
