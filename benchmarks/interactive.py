"""How long from "position or ratio changed" to the hardened model's score and agreement?

    python benchmarks/interactive.py [--models linearity dbcnn tres] [--epochs 5] [--precision auto] [--json FILE]

For each architecture a visitor of the page Block placement, in one process: a first recipe, with nothing kept; then
another kind of block at the same place, another place, another ratio, and the first recipe again. Each is hardened by
distillation on the sample photos, as the app does out of the box, and its result scores a photo. Every change is timed
twice: `cold`, in a cache of its own, and `kept`, in the cache of the recipes before it.
"""

import argparse
import copy
import json
import platform
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from robustiqa_core.attacks.objective import score
from robustiqa_core.blocks import BlockSettings, insertion_points
from robustiqa_core.device import (
    PRECISIONS,
    Precision,
    describe_device,
    fast_training_precision,
    keep_freed_memory,
    load_compiler,
)
from robustiqa_core.hardening import Epoch, Hardened, HardeningCache, HardeningRecipe, distillation_data, harden
from robustiqa_core.images import read_image
from robustiqa_core.models import ARCHITECTURES, QualityModel
from robustiqa_core.models.card import ModelCard
from robustiqa_core.pruning import PruningSettings
from robustiqa_core.samples import list_samples
from robustiqa_core.storage import as_scorer, load_card, load_network

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
) -> tuple[float, Mapping[str, float]]:
    """Return how long a recipe took until its model had scored a photo, and what a page then shows."""
    start = time.perf_counter()
    records = list(harden(recipe, network, card, distillation_data(recipe), cache=cache))
    result = records[-1]
    if not isinstance(result, Hardened):
        raise SystemExit(f"expected a hardened model at the end, got {type(result).__name__}")
    value = score(as_scorer(copy.deepcopy(result.network)), photo).item()
    seconds = time.perf_counter() - start
    agreement = next(record.agreement.srocc for record in reversed(records) if isinstance(record, Epoch))
    return seconds, {"score": value, "agreement": agreement}


def main() -> None:
    """Measure, print the table, and write the numbers if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(ARCHITECTURES), choices=list(ARCHITECTURES))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--precision", choices=["auto", *PRECISIONS], default="auto", help="auto: the app's own choice")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the numbers")
    options = parser.parse_args()
    # As the app has done by the time that its page is read.
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
    print(f"{'model':<11}{'what changed':<22}{'cold s':>9}{'kept s':>9}{'score':>9}{'agreement':>11}")
    photo = read_image(list_samples()[0].path).images
    rows: list[dict[str, Any]] = []
    for model in options.models:
        network, card = load_network(model, device=CPU), load_card(model)
        kept = HardeningCache()
        seen: set[str] = set()
        for name, recipe in visits(network, model, options.epochs, precision).items():
            # With nothing kept, a recipe that comes again is the same work.
            cold = None if recipe.key() in seen else answer(recipe, network, card, HardeningCache(), photo)
            seen.add(recipe.key())
            warm, shown = answer(recipe, network, card, kept, photo)
            seconds = None if cold is None else cold[0]
            rows.append({"model": model, "changed": name, "cold": seconds, "kept": warm, **shown})
            text = "-" if seconds is None else f"{seconds:.1f}"
            print(
                f"{model:<11}{name:<22}{text:>9}{warm:>9.2f}{shown['score']:>9.3f}{shown['agreement']:>11.3f}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps({"environment": environment, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
