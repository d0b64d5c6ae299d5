"""`robustiqa prune-plan`: which filters of a model would go, layer by layer, and what that would save."""

import argparse
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from robustiqa_core.checkpoints.storage import load_network
from robustiqa_core.cli.options import add_json, add_model, check_architecture, photos_named, print_json, progress
from robustiqa_core.cli.spectra_options import add_photos, photo_words
from robustiqa_core.device import choose_device
from robustiqa_core.evaluation.tables.photos import SAMPLES
from robustiqa_core.images.photo import read_image
from robustiqa_core.pruning import CRITERIA, MAX_RATIO, SCOPES, LayerPlan, PruningPlan, PruningSettings, plan
from robustiqa_core.schema.codecs import SHORT_NUMBER

_DEFAULTS = PruningSettings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_photos(parser, needed=False)
    add_model(parser)
    described = "; ".join(f"{name}: {criterion.title.lower()}" for name, criterion in CRITERIA.items())
    parser.add_argument(
        "--criterion", default=_DEFAULTS.criterion, choices=CRITERIA, help=f"{described} (default: %(default)s)"
    )
    parser.add_argument(
        "--ratio",
        type=float,
        default=_DEFAULTS.ratio,
        help=f"share of filters to remove, 0 to {MAX_RATIO} (default: %(default)s)",
    )
    parser.add_argument(
        "--scope",
        default=_DEFAULTS.scope,
        choices=SCOPES,
        help="remove that share of each layer, or the least important overall (default: %(default)s)",
    )
    parser.add_argument(
        "--multiple",
        type=int,
        default=_DEFAULTS.multiple,
        help="round the channels kept in a layer to a multiple of this (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=_DEFAULTS.seed, help="seed of the criterion random")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the plan; nothing is pruned."""
    settings = PruningSettings(
        arguments.criterion, arguments.ratio, arguments.scope, arguments.multiple, arguments.seed
    )
    check_architecture(arguments.model, "pruning")
    device = choose_device(arguments.device)
    network = load_network(arguments.model, arguments.variant, device=device)
    paths: tuple[Path, ...] = ()
    if CRITERIA[settings.criterion].needs_photos:
        arguments.images = arguments.images or [SAMPLES]
        paths = photos_named(arguments.images, limit=arguments.limit, names=arguments.names)
    made = plan(network, settings, images=_images(paths, device) if paths else None)
    if arguments.json:
        names = {"model": arguments.model, "variant": arguments.variant, "images": [str(path) for path in paths]}
        print_json({**names, "command": _command(arguments, settings), "plan": made.to_json()})
        return 0
    _print_table(made, network.settings.short_side)
    return 0


def _images(paths: tuple[Path, ...], device: torch.device) -> Iterator[Tensor]:
    for path in progress(paths, total=len(paths), label="looking at photos"):
        yield read_image(path).images.to(device)


def _command(arguments: argparse.Namespace, settings: PruningSettings) -> str:
    photos = photo_words(arguments) if CRITERIA[settings.criterion].needs_photos else []
    words = ["robustiqa", "prune-plan", *photos, "--model", arguments.model, "--variant", arguments.variant]
    words += ["--device", str(choose_device(arguments.device)), "--criterion", settings.criterion]
    words += ["--ratio", SHORT_NUMBER.spell(settings.ratio), "--scope", settings.scope]
    return shlex.join([*words, "--multiple", str(settings.multiple), "--seed", str(settings.seed)])


def _print_table(made: PruningPlan, side: int) -> None:
    heads = ("filters", "go", "stay", "goes up to", "stays from")
    width = max(len(layer.group) for layer in made.layers)
    print(f"{'group':<{width}}" + "".join(f"{head:>12}" for head in heads))
    for layer in made.layers:
        counts = (layer.filters, len(layer.removed), len(layer.kept))
        importance = (_number(max, layer, layer.removed), _number(min, layer, layer.kept))
        print(f"{layer.group:<{width}}" + "".join(f"{cell:>12}" for cell in (*counts, *importance)))
    print(f"\n{made.removed} of {made.filters} filters go, {_percent(made.removed, made.filters)}")
    for name in ("parameters", "multiply_adds"):
        before, after = getattr(made.before, name), getattr(made.after, name)
        what = f"multiply-adds of a photo of {side} x {side} px" if name == "multiply_adds" else name
        print(f"{what}: {before:,} -> {after:,}, {_percent(before - after, before)} less")


def _number(of: Callable[[Iterable[float]], float], layer: LayerPlan, filters: tuple[int, ...]) -> str:
    """Return the largest or smallest importance of some filters, or a dash."""
    return f"{of(layer.importance[index] for index in filters):.4g}" if filters else "-"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}"
