"""What do folded normalisation, channels-last weights and kept memory save in a gradient on the CPU?

    python benchmarks/scorer_tuning.py [--sizes 224 384] [--turns 7] [--json FILE]

The variants take turns in one process, so that a change of the machine's pace hits all alike; what the memory setting
saves is measured in pairs of fresh processes, since it cannot be taken back.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from robustiqa_core.checkpoints.storage import load_network, load_scorer
from robustiqa_core.device import keep_freed_memory

CPU = torch.device("cpu")


def gradient_seconds(scorer: nn.Module, images: Tensor) -> float:
    """Return how long one gradient of the scores with respect to the images takes."""
    leaf = images.detach().requires_grad_()
    start = time.perf_counter()
    torch.autograd.grad(scorer(leaf).sum(), leaf)
    return time.perf_counter() - start


def layouts(side: int, turns: int) -> dict[str, float]:
    """Return the median time in seconds of one gradient by variant."""
    images = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    variants = {
        "as trained": load_network(device=CPU).requires_grad_(False),
        "channels last": load_network(device=CPU).requires_grad_(False).to(memory_format=torch.channels_last),
        "scorer (folded too)": load_scorer(device=CPU),
    }
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(turns + 1):
        for name, scorer in variants.items():
            times[name].append(gradient_seconds(scorer, images))
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def one_process(side: int, turns: int, *, keep: bool) -> float:
    """Return the median time of one gradient in a fresh process, with or without kept memory."""
    words = [sys.executable, __file__, "--only", "keep" if keep else "default", "--sizes", str(side)]
    done = subprocess.run([*words, "--turns", str(turns)], check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    """Print one table; write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 384])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=["keep", "default"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        if arguments.only == "keep":
            keep_freed_memory()
        print(layouts(arguments.sizes[0], arguments.turns)["scorer (folded too)"])
        return
    rows = {}
    for side in arguments.sizes:
        found = layouts(side, arguments.turns)
        pairs = [[one_process(side, arguments.turns, keep=keep) for keep in (False, True)] for _ in range(3)]
        kept = statistics.median(after / before for before, after in pairs)
        rows[side] = {name: seconds / found["as trained"] for name, seconds in found.items()} | {"kept memory": kept}
        print(f"{side} px, one gradient as trained {found['as trained'] * 1e3:.1f} ms; as multiples of it:")
        for name, seconds in found.items():
            print(f"  {name:<20} {seconds / found['as trained']:.2f}")
        print(f"  kept memory, as a multiple of the scorer without: {kept:.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
