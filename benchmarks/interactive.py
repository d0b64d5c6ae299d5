"""How long from "position or ratio changed" to the hardened model's score and agreement?

    python benchmarks/interactive.py [--models linearity dbcnn tres] [--epochs 5] [--precision auto] [--json FILE]

For each architecture a visitor of the page Block placement, in one process: a first recipe, with nothing kept; then
another kind of block at the same place, another place, another ratio, and the first recipe again. Each is hardened by
distillation on the sample photos, as the app does out of the box, and its result scores a photo. Every change is timed
three times: `cold`, with nothing known; `ready`, with what the page computes while it is read and nothing else (its
time is a line of its own); `kept`, in the cache of the recipes before it. Each is given until the score and the
agreement with the baseline are shown, and until the attacks have ended that come after them.
"""

import argparse
import json
import platform
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from robustiqa_core.attacks.objective import score
from robustiqa_core.blocks import BlockSettings, insertion_points
from robustiqa_core.checkpoints.storage import load_card, load_network
from robustiqa_core.device import (
    PRECISIONS,
    Precision,
    describe_device,
    fast_training_precision,
    keep_freed_memory,
    load_compiler,
)
from robustiqa_core.hardening import (
    Finished,
    Hardened,
    HardeningCache,
    HardeningRecipe,
    distillation_data,
    harden,
    prepare,
)
from robustiqa_core.images.photo import read_image
from robustiqa_core.images.samples import list_samples
from robustiqa_core.models import ARCHITECTURES, QualityModel
from robustiqa_core.models.card import ModelCard
from robustiqa_core.pruning import PruningSettings

CPU = torch.device("cpu")


def visits(network: QualityModel, model: str, epochs: int, precision: Precision) -> dict[str, HardeningRecipe]:
    """Return what a visitor asks for, in order, by what changed."""
    trunk = [point.name for point in insertion_points(network) if point.module.startswith("features.")]
    first = HardeningRecipe(
        model,
        trunk[-1],
        BlockSettings("paper"),
        pruning=PruningSettings("l1", 0.1, "layer"),
        epochs=epochs,
        precision=precision,
    )
    return {
        "first recipe": first,
        "another block there": replace(first, block=BlockSettings("paper", orthogonalization="aoc")),
        "another place": replace(first, position=trunk[-2]),
        "another ratio": replace(first, pruning=replace(first.pruning, ratio=0.2)),
        "the first again": first,
    }


def answer(
    recipe: HardeningRecipe, network: QualityModel, card: ModelCard, cache: HardeningCache, photo: torch.Tensor
) -> dict[str, float]:
    """Return the seconds until a recipe's model was `shown` and its attacks were at their `end`, and what is shown."""
    found: dict[str, float] = {}
    start = time.perf_counter()
    for record in harden(recipe, network, card, distillation_data(recipe), cache=cache):
        if isinstance(record, Finished):
            value = score(record.network, photo).item()
            shown = time.perf_counter() - start
            found = {"score": value, "agreement": record.agreement.srocc, "shown": shown}
        elif isinstance(record, Hardened):
            found["end"] = time.perf_counter() - start
    return found


def _line(row: dict[str, Any]) -> str:
    times = [row.get(cache, {}).get(end) for cache in ("cold", "ready", "kept") for end in ("shown", "end")]
    text = "".join(f"{'-':>10}" if value is None else f"{value:>10.2f}" for value in times)
    return f"{row['model']:<11}{row['changed']:<22}{text}{row['kept']['score']:>10.3f}{row['kept']['agreement']:>10.3f}"


def main() -> None:
    """Measure, print the table, and write the numbers if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(ARCHITECTURES), choices=list(ARCHITECTURES))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--precision", choices=["auto", *PRECISIONS], default="auto", help="auto: the app's own choice")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the numbers")
    options = parser.parse_args()
    # As the app has done by the time that its page is read. (How threads wait for each other it sets before torch is
    # imported, see ui/__init__.py; run this with the same OMP_WAIT_POLICY and GOMP_SPINCOUNT to have it here.)
    keep_freed_memory()
    load_compiler()
    precision = fast_training_precision(CPU) if options.precision == "auto" else options.precision
    environment = {
        "device": describe_device(CPU),
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "epochs": options.epochs,
        "precision": precision,
    }
    print(", ".join(f"{name} {value}" for name, value in environment.items()))
    names = ("cold s", "to end", "ready s", "to end", "kept s", "to end", "score", "agreement")
    print(f"{'model':<11}{'what changed':<22}" + "".join(f"{name:>10}" for name in names))
    photo = read_image(list_samples()[0].path).images
    rows: list[dict[str, Any]] = []
    for model in options.models:
        network, card = load_network(model, device=CPU), load_card(model)
        kept = HardeningCache()
        seen: set[str] = set()
        for name, recipe in visits(network, model, options.epochs, precision).items():
            row: dict[str, Any] = {"model": model, "changed": name}
            # With nothing kept, a recipe that comes again is the same work.
            if recipe.key() not in seen:
                row["cold"] = answer(recipe, network, card, HardeningCache(), photo)
                ready = HardeningCache()
                start = time.perf_counter()
                deque(prepare(recipe, network, card, distillation_data(recipe), cache=ready), maxlen=0)
                row["prepare"] = time.perf_counter() - start
                row["ready"] = answer(recipe, network, card, ready, photo)
            seen.add(recipe.key())
            row["kept"] = answer(recipe, network, card, kept, photo)
            rows.append(row)
            print(_line(row), flush=True)
        prepared = [row["prepare"] for row in rows if row["model"] == model and "prepare" in row]
        print(f"{model:<11}what the page computes while it is read: {min(prepared):.1f} to {max(prepared):.1f} s")
    if options.json:
        options.json.write_text(json.dumps({"environment": environment, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
