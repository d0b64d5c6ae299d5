"""`robustiqa models`: the bundled models and one's own, and what their cards say."""

import argparse
from collections.abc import Sequence

import torch

from robustiqa_core.checkpoints.storage import usable_cards
from robustiqa_core.cli.messages import warn
from robustiqa_core.cli.options import add_json, print_json
from robustiqa_core.models.card import ModelCard
from robustiqa_core.own_models import own_cards, resolve_scorer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the cards; return 2 if a model that is listed cannot be used."""
    bundled, broken = usable_cards()
    own, refused = own_cards(lambda name: resolve_scorer(name, device=torch.device("cpu")))
    cards = (*bundled, *own)
    if arguments.json:
        print_json([card.to_json() for card in cards])
    else:
        _print_table(cards)
    for model in (*broken, *refused):
        warn(f"{model.name} is left out: {model.reason}")
    return 2 if broken or refused else 0


def _print_table(cards: Sequence[ModelCard]) -> None:
    print(f"{'model':<12}{'variant':<16}{'SROCC':>7}{'PLCC':>7}  measured on")
    for card in cards:
        for figures in card.measurements:
            print(
                f"{card.model:<12}{card.variant:<16}{figures.srocc:>7.3f}{figures.plcc:>7.3f}  "
                f"{figures.photos} photos, {figures.dataset}"
            )
        if not card.measurements:
            print(f"{card.model:<12}{card.variant:<16}{'-':>7}{'-':>7}  not measured; from {card.training.start}")
