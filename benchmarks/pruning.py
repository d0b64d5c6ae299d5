"""How much faster is a network after pruning?

    python benchmarks/pruning.py [--ratios 0.1 0.3 0.5] [--multiples 8 1] [--models linearity dbcnn tres] [--json FILE]

For each architecture one run in which the whole network and the baked ones take turns, so that a change of the
machine's pace hits all alike; ratios are medians, with quartiles, of the ratios within a turn. All are folded scorers,
as the app and the attacks use them. Weights are those of the bundled baseline where there is one, else random, which
takes the same time; which filters go does not matter to it either.
"""

import argparse
import json
import platform
import statistics
from pathlib import Path
from typing import Any

import torch
from robust_block import CLOCKS, CPU, Stopwatch, in_turns, pair, ratios

from robustiqa_core.checkpoints.storage import as_scorer, list_cards, load_network
from robustiqa_core.device import describe_device, keep_freed_memory
from robustiqa_core.models import ARCHITECTURES, QualityModel, build
from robustiqa_core.pruning import Cost, PruningSettings, bake, network_cost, plan
from robustiqa_core.scorer import ScoreRange

WHOLE = "whole"


def network_of(model: str, backbone: str) -> QualityModel:
    """Return the bundled baseline of an architecture on a trunk, or one with random weights."""
    for card in list_cards():
        if (card.model, card.variant, card.settings.get("backbone")) == (model, "baseline", backbone):
            return load_network(model, device=CPU)
    torch.manual_seed(0)
    return build(model, {"backbone": backbone}, ScoreRange(0.0, 1.0)).eval()


def measure(network: QualityModel, size: tuple[int, int], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return one row a network: its time for one photo as a multiple of the whole network's."""
    whole = network_cost(network)
    shares, costs = {WHOLE: 0.0}, {WHOLE: whole}
    scorers = {}
    for ratio in options.ratios:
        for multiple in options.multiples:
            made = plan(network, PruningSettings("l1", ratio, multiple=multiple))
            name = f"{ratio:.0%}, multiples of {multiple}" if multiple > 1 else f"{ratio:.0%}, exact ratio"
            shares[name], costs[name] = made.removed / made.filters, made.after
            scorers[name] = as_scorer(bake(network, made))
    # Folding changes the network, so that the whole one comes last.
    scorers = {WHOLE: as_scorer(network), **scorers}
    photo = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    works = {name: lambda scorer=scorer: scorer(photo) for name, scorer in scorers.items()}  # type: ignore[misc]
    samples = in_turns(works, options.turns, Stopwatch(options.clock))
    rows = []
    for name, times in samples.items():
        quartiles = statistics.quantiles(ratios(samples, name, WHOLE), n=4, method="inclusive")
        row = {"network": name, "size": list(size), "removed": shares[name], **relative(costs[name], whole)}
        rows.append({**row, "ms": statistics.median(times) * 1e3, "ratio_quartiles": quartiles, "samples": times})
    return rows


def relative(cost: Cost, whole: Cost) -> dict[str, float]:
    """Return parameters and multiply-adds as shares of the whole network's."""
    return {name: getattr(cost, name) / getattr(whole, name) for name in ("parameters", "multiply_adds")}


def main() -> None:
    """Measure, print the table, and write the samples if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(ARCHITECTURES), choices=ARCHITECTURES)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--ratios", type=float, nargs="+", default=[0.1, 0.3, 0.5])
    parser.add_argument("--multiples", type=int, nargs="+", default=[8, 1], help="that the channels are rounded to")
    parser.add_argument("--sizes", type=pair, nargs="+", default=[(384, 384)], help="of the photo, as 384x512")
    parser.add_argument("--turns", type=int, default=9, help="repetitions of each, at least 2")
    parser.add_argument(
        "--clock",
        choices=list(CLOCKS),
        default="wall",
        help="cpu: of all threads together, on a machine that others use",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the samples")
    options = parser.parse_args()
    keep_freed_memory()
    environment = {
        "device": describe_device(CPU),
        "processor": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "backbone": options.backbone,
        "clock": options.clock,
    }
    print(", ".join(f"{name} {value}" for name, value in environment.items()))
    heads = ("gone", "parameters", "mult-adds", "ms", "low", "ratio", "high")
    print(f"{'model':<11}{'photo':<9}{'network':<22}" + "".join(f"{head:>11}" for head in heads))
    rows = []
    for model in options.models:
        for size in options.sizes:
            with torch.no_grad():
                found = measure(network_of(model, options.backbone), size, options)
            for row in found:
                rows.append({"model": model, **row})
                cells = [f"{row[key]:.3f}" for key in ("removed", "parameters", "multiply_adds")]
                cells += [f"{row['ms']:.1f}", *(f"{value:.3f}" for value in row["ratio_quartiles"])]
                place = f"{model:<11}{f'{size[0]}x{size[1]}':<9}{row['network']:<22}"
                print(place + "".join(f"{cell:>11}" for cell in cells), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"environment": environment, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
