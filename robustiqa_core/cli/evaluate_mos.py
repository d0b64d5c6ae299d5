"""`robustiqa evaluate-mos`: agreement of a model with human scores."""

import argparse
from dataclasses import asdict

from robustiqa_core.cli.data import add_data, read_data
from robustiqa_core.cli.options import add_json, add_model, print_json
from robustiqa_core.device import choose_device
from robustiqa_core.metrics.bootstrap import bootstrap_interval
from robustiqa_core.metrics.correlation import fit_logistic, plcc, srocc
from robustiqa_core.storage import load_scorer
from robustiqa_core.training.baseline import measure, with_validation
from robustiqa_core.training.datasets import SPLITS, select
from robustiqa_core.training.loop import predict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model(parser)
    add_data(parser)
    parser.add_argument("--split", default="test", choices=SPLITS, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the validation split, where the data set has none")
    add_json(parser)


def evaluation_command(model: str, variant: str, dataset: str, split: str) -> str:
    """Return the command that measures a model; the place of the data is left to the reader."""
    options = f"--model {model} --variant {variant} --dataset {dataset} --split {split}"
    return f"robustiqa evaluate-mos {options} --root FOLDER"


def run(arguments: argparse.Namespace) -> int:
    """Score the photos of the split and print the figures with 95 % intervals."""
    photos, name = read_data(arguments)
    if arguments.split == "validation":
        photos = with_validation(photos, arguments.seed)
    chosen = select(photos, arguments.split)
    network = load_scorer(arguments.model, arguments.variant, device=choose_device(arguments.device))
    scores = predict(network, chosen).double().numpy()
    mos = [photo.mos for photo in chosen]
    figures = measure(
        scores,
        mos,
        dataset=f"{name}, {arguments.split} split",
        command=evaluation_command(arguments.model, arguments.variant, arguments.dataset, arguments.split),
    )
    intervals = {
        "srocc_interval": bootstrap_interval(srocc, scores, mos),
        "plcc_interval": bootstrap_interval(plcc, fit_logistic(scores, mos), mos),
    }
    if arguments.json:
        print_json({"model": arguments.model, "variant": arguments.variant, **asdict(figures), **intervals})
        return 0
    print(f"{arguments.model} {arguments.variant} on {figures.photos} photos, {figures.dataset}")
    for key in ("srocc", "plcc", "krocc", "rmse"):
        interval = intervals.get(f"{key}_interval")
        print(
            f"{key:<6} {getattr(figures, key):.4f}" + (f"  [{interval[0]:.4f}, {interval[1]:.4f}]" if interval else "")
        )
    return 0
