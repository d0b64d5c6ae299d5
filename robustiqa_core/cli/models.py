"""`robustiqa models`: the bundled models and what their cards say."""

import argparse

from robustiqa_core.cli.options import add_json, print_json
from robustiqa_core.storage import list_cards


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the cards."""
    cards = list_cards()
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
    return 0
