"""Does tuning without labels lead where tuning with labels leads?

    python benchmarks/labels_or_distillation.py --root BIQ2021 [--model linearity] [--test-photos 2000] [--json FILE]

Five recipes, each tuned twice: by human scores of BIQ2021's training photos (`--crops` of them), and by distillation,
from the sample photos alone, as the app does out of the box. Both results are held against the human scores of the
official test photos, or of `--test-photos` of them drawn at random, once and for all recipes. At the end stands how the
ten figures agree: the mean loss by distillation, and the rank correlation of the five recipes by either way.
"""

import argparse
import copy
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from robustiqa_core.blocks import BlockSettings, insertion_points
from robustiqa_core.checkpoints.storage import as_scorer, load_card, load_network
from robustiqa_core.device import describe_device, fast_training_precision, keep_freed_memory
from robustiqa_core.evaluation.mos import score_photos
from robustiqa_core.hardening import (
    Hardened,
    HardeningCache,
    HardeningRecipe,
    TuningData,
    distillation_data,
    harden,
    labelled_data,
)
from robustiqa_core.metrics.correlation import srocc
from robustiqa_core.models import ARCHITECTURES, QualityModel
from robustiqa_core.pruning import PruningSettings
from robustiqa_core.training.datasets import LabelledPhoto
from robustiqa_core.training.tables import DATASETS

CPU = torch.device("cpu")
WAYS = ("labels", "distillation")


def recipes(network: QualityModel, model: str) -> dict[str, HardeningRecipe]:
    """Return five recipes that differ in block, place and pruning, without data, by what they are."""
    trunk = [point.name for point in insertion_points(network) if point.module.startswith("features.")]
    precision = fast_training_precision(CPU)
    paper = HardeningRecipe(
        model, trunk[-1], BlockSettings("paper"), pruning=PruningSettings("l1", 0.1, "layer"), precision=precision
    )
    isometric = replace(paper, block=BlockSettings("isometric"))
    return {
        "paper block, 10 % pruned": paper,
        "isometric block, 10 % pruned": isometric,
        "isometric block, nothing pruned": replace(isometric, pruning=PruningSettings("l1", 0.0, "layer")),
        "isometric block a stage before, 10 % pruned": replace(isometric, position=trunk[-2]),
        "isometric block, 30 % pruned": replace(isometric, pruning=PruningSettings("l1", 0.3, "layer")),
    }


def tuned(recipe: HardeningRecipe, network: QualityModel, data: TuningData, cache: HardeningCache) -> QualityModel:
    """Return what a recipe makes of the baseline."""
    *_, result = harden(recipe, network, load_card(recipe.model), data, cache=cache)
    if not isinstance(result, Hardened):
        raise SystemExit(f"expected a hardened model at the end, got {type(result).__name__}")
    return result.network


def agreement(network: QualityModel, photos: Sequence[LabelledPhoto]) -> float:
    """Return the SROCC of a network's scores with human ones."""
    scores = list(score_photos(as_scorer(copy.deepcopy(network)), photos, device=CPU))
    return srocc(scores, [photo.mos for photo in photos])


def summary(found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return how the two ways agree: the mean difference, and the rank correlation over the recipes."""
    columns = {way: [row[way] for row in found.values()] for way in WAYS}
    differences = [labels - without for labels, without in zip(columns["labels"], columns["distillation"], strict=True)]
    return {
        "mean_loss_by_distillation": sum(differences) / len(differences),
        "largest_difference": max(differences, key=abs),
        "srocc_over_recipes": srocc(columns["labels"], columns["distillation"]),
    }


def main() -> None:
    """Tune, measure, print the table, and write the numbers if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, type=Path, help="folder of BIQ2021")
    parser.add_argument("--model", default="linearity", choices=list(ARCHITECTURES))
    parser.add_argument("--crops", type=int, default=2000, help="labelled crops (distillation: 192, as by default)")
    parser.add_argument("--test-photos", type=int, help="how many; all of the official split where not given")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the numbers")
    options = parser.parse_args()
    keep_freed_memory()
    public = DATASETS["biq2021"]
    photos = public.read(options.root)
    test = [photo for photo in photos if photo.split == "test"]
    if options.test_photos is not None:
        test = random.Random(0).sample(test, options.test_photos)
    network = load_network(options.model, device=CPU)
    environment: dict[str, Any] = {
        "model": options.model,
        "device": describe_device(CPU),
        "torch": torch.__version__,
        "crops": options.crops,
        "test_photos": len(test),
        "baseline_srocc": agreement(network, test),
    }
    print(", ".join(f"{name} {value}" for name, value in environment.items()))
    print(f"{'SROCC to human scores after tuning by':<46}" + "".join(f"{way:>14}" for way in WAYS))
    found: dict[str, dict[str, float]] = {}
    cache = HardeningCache()
    for name, recipe in recipes(network, options.model).items():
        labelled = replace(recipe, data="biq2021", crops=options.crops, validation_crops=256)
        taught = labelled_data(labelled, photos, title=public.title, mos_range=public.mos_range)
        found[name] = {
            "labels": agreement(tuned(labelled, network, taught, cache), test),
            "distillation": agreement(tuned(recipe, network, distillation_data(recipe), cache), test),
        }
        print(f"{name:<46}" + "".join(f"{found[name][way]:>14.4f}" for way in WAYS), flush=True)
    agreed = summary(found)
    print(", ".join(f"{name} {value:.4f}" for name, value in agreed.items()))
    if options.json:
        told = {"environment": environment, "rows": found, "summary": agreed}
        options.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
