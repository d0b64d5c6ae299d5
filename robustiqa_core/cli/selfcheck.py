"""`robustiqa selfcheck`: is this installation right?"""

import argparse
import math

from robustiqa_core.checkpoints.storage import list_cards
from robustiqa_core.cli.options import add_device, add_json, print_json
from robustiqa_core.device import choose_device, describe_device
from robustiqa_core.selfcheck import run_checks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_device(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run all checks; return 1 if one failed."""
    device = choose_device(arguments.device)
    checks = list(run_checks(device))
    models = len(list_cards())
    failed = [check for check in checks if not check.passed]
    if arguments.json:
        rows = [
            {
                "name": check.name,
                "figure": check.figure if math.isfinite(check.figure) else None,
                "limit": check.limit,
                "passed": check.passed,
                "meaning": check.meaning,
            }
            for check in checks
        ]
        print_json({"device": str(device), "models": models, "checks": rows})
    else:
        print(f"{describe_device(device)}, {models} models")
        for check in checks:
            print(f"{'ok  ' if check.passed else 'FAIL'}  {check.name}: {check.figure:.2g} (limit {check.limit:g})")
            if not check.passed:
                print(f"      {check.meaning}")
    return 1 if failed or not models else 0
