"""How long does each bundled model take for a photo, beside the baseline that it was made from?

    python benchmarks/hardened.py [--models linearity dbcnn tres] [--size 299] [--device cpu] [--json FILE]

The versions of an architecture take turns (A B C A B C ...), so that a change of the machine's pace hits all alike;
the ratios are medians, with quartiles, of the ratios within a turn. One photo at a time, as the app scores it.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from timing import in_turns, photos, quartiles, ratios

from robustiqa_core.checkpoints.storage import list_cards, load_scorer
from robustiqa_core.device import choose_device, describe_device, keep_freed_memory
from robustiqa_core.models import ARCHITECTURES

BASELINE = "baseline"


def measure(model: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return one row a version of the architecture: milliseconds, and the ratio to the baseline."""
    device = choose_device(options.device)
    photo = photos(1, options.size, options)
    variants = [card.variant for card in list_cards() if card.model == model]
    works = {variant: partial(load_scorer(model, variant, device=device), photo) for variant in variants}
    with torch.inference_mode():
        samples = in_turns(works, device, options.turns)
    rows = []
    for variant, times in samples.items():
        milliseconds = [value * 1e3 for value in quartiles(times)]
        ratio = quartiles(ratios(samples, variant, BASELINE))
        row = {"model": model, "variant": variant, "ms_quartiles": milliseconds, "ratio_quartiles": ratio}
        rows.append({**row, "samples": times})
    return rows


def main() -> None:
    """Measure, print the table, and write the samples if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(ARCHITECTURES), choices=ARCHITECTURES)
    parser.add_argument("--size", type=int, default=299, help="side of the photo in pixels (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=25, help="repetitions of each, at least 2 (default: %(default)s)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the samples")
    options = parser.parse_args()
    keep_freed_memory()
    environment = {
        "device": describe_device(choose_device(options.device)),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "photo": f"{options.size}x{options.size}",
    }
    print(", ".join(f"{name} {value}" for name, value in environment.items()))
    print(f"{'model':<11}{'version':<16}" + "".join(f"{head:>8}" for head in ("ms", "low", "ratio", "high")))
    rows = []
    for model in options.models:
        for row in measure(model, options):
            rows.append(row)
            cells = [f"{row['ms_quartiles'][1]:.1f}", *(f"{value:.3f}" for value in row["ratio_quartiles"])]
            print(f"{model:<11}{row['variant']:<16}" + "".join(f"{cell:>8}" for cell in cells), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"environment": environment, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
