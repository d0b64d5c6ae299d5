"""`robustiqa measure-attacked`: the short attack's figures of hardened models, for their cards."""

import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import torch

from robustiqa_core.checkpoints.storage import list_cards, load_card, load_network, save_card
from robustiqa_core.cli.data import add_data, mos_range, read_data
from robustiqa_core.cli.measure_range import chosen_cards
from robustiqa_core.cli.options import add_device, add_json, print_json
from robustiqa_core.device import choose_device
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.folders import checkpoints_root
from robustiqa_core.hardening import (
    SHORT_ATTACK,
    HardeningRecipe,
    TuningData,
    attacked_again,
    check_hardened_card,
    distillation_data,
    labelled_data,
)
from robustiqa_core.models.card import ModelCard


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("models", nargs="+", metavar="MODEL-VARIANT", help="hardened checkpoints")
    add_data(parser, required=False)
    parser.add_argument("--out", type=Path, help="folder of the checkpoints (default: where the app looks)")
    add_device(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Attack one model after the other, and its start, and write each card as soon as it is known."""
    root = arguments.out or checkpoints_root()
    cards = chosen_cards(arguments.models, list_cards(root), root)
    recipes = [_recipe(card) for card in cards]
    device = choose_device(arguments.device)
    data = [_data(arguments, recipe) for recipe in recipes]
    written = []
    for card, recipe, known in zip(cards, recipes, data, strict=True):
        changed = _measured(card, recipe, known, root=root, device=device, dataset=arguments.dataset)
        save_card(changed, root=root)
        line = f"{card.stem:<24} {_told(changed)} (the card had {_told(card)})"
        print(line, file=sys.stderr if arguments.json else sys.stdout, flush=True)
        written.append(changed)
    if arguments.json:
        print_json([{"model": card.stem, "attacked": card.hardening["attacked"]} for card in written])
    return 0


def _recipe(card: ModelCard) -> HardeningRecipe:
    """Return how a model was hardened."""
    if not check_hardened_card(card).hardening:
        raise ConfigurationError(f"expected a model that `robustiqa harden` made, got {card.stem}; choose another one")
    return HardeningRecipe.from_json(dict(card.hardening["recipe"]), place=f"the card of {card.stem}")


def _data(arguments: argparse.Namespace, recipe: HardeningRecipe) -> TuningData:
    if recipe.is_distillation:
        return distillation_data(recipe)
    if recipe.data != arguments.dataset or arguments.root is None:
        raise ConfigurationError(
            f"expected the data set that the model was tuned on ({recipe.data}) and its folder, got "
            f"{arguments.dataset}, {arguments.root}; give them by --dataset and --root"
        )
    photos, title = read_data(arguments)
    return labelled_data(recipe, photos, title=title, mos_range=mos_range(arguments))


def _measured(
    card: ModelCard,
    recipe: HardeningRecipe,
    data: TuningData,
    *,
    root: Path,
    device: torch.device,
    dataset: str | None,
) -> ModelCard:
    """Return a card with the figures of today's short attack and the command that measures them."""
    start = load_card(card.model, recipe.start, root=root)
    if start.sha256 != card.hardening["start_sha256"]:
        raise ConfigurationError(
            f"expected the {start.stem} that {card.stem} was made from, sha256 {card.hardening['start_sha256'][:8]}, "
            f"got {start.sha256[:8]}; restore it, or harden anew"
        )
    figures = attacked_again(
        load_network(card.model, recipe.start, device=device, root=root),
        load_network(card.model, card.variant, device=device, root=root),
        data,
        SHORT_ATTACK,
        count=int(card.hardening["attacked"]["crops"]),
    )
    told = "" if recipe.is_distillation else f" {shlex.join(['--dataset', str(dataset)])} --root FOLDER"
    command = f"robustiqa measure-attacked {card.stem}{told}"
    return replace(card, hardening={**card.hardening, "attacked": {**figures, "command": command}})


def _told(card: ModelCard) -> str:
    """Return a card's figures in a few words."""
    figures = card.hardening["attacked"]
    before, after = (figures[which]["absolute_gain"] for which in ("baseline", "hardened"))
    return f"AbsGain {before:.4f} before, {after:.4f} hardened under {figures['attack']}"
