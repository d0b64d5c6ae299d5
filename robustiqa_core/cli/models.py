"""`robustiqa models`: the bundled models and one's own, and what their cards say."""

import argparse

import torch

from robustiqa_core.cli.options import add_json, print_json
from robustiqa_core.own_models import own_cards, resolve_scorer
from robustiqa_core.storage import list_cards


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the cards."""
    own = own_cards(lambda name: resolve_scorer(name, device=torch.device("cpu")))
    cards = (*list_cards(), *own)
    if arguments.json:
        print_json([card.to_json() for card in cards])
        return 0
    print(f"{'model':<12}{'variant':<16}{'SROCC':>7}{'PLCC':>7}  measured on")
    for card in cards:
        for figures in card.measurements:
            print(
                f"{card.model:<12}{card.variant:<16}{figures.srocc:>7.3f}{figures.plcc:>7.3f}  "
                f"{figures.photos} photos, {figures.dataset}"
            )
        if not card.measurements:
            print(f"{card.model:<12}{card.variant:<16}{'-':>7}{'-':>7}  not measured; from {card.training.start}")
    return 0
