"""`robustiqa harden`: a block, pruning and fine-tuning, from a recipe to a checkpoint with its card."""

import argparse
import copy
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from robustiqa_core.checkpoints.storage import (
    as_scorer,
    check_new_checkpoint,
    check_variant,
    list_cards,
    load_card,
    load_network,
    save_checkpoint,
)
from robustiqa_core.cli.data import mos_range, read_data
from robustiqa_core.cli.evaluate_mos import evaluation_command
from robustiqa_core.cli.measure_range import measured_range, range_command
from robustiqa_core.cli.options import add_device, add_json, add_overwrite, check_architecture, print_json, progress
from robustiqa_core.device import PRECISIONS, choose_device, fast_training_precision
from robustiqa_core.evaluation.mos import score_photos
from robustiqa_core.files import check_output_folder
from robustiqa_core.hardening import (
    HARDENING,
    Epoch,
    Finished,
    Hardened,
    HardeningCache,
    HardeningRecipe,
    HardeningRecord,
    Inserted,
    Pruned,
    Trunk,
    TuningData,
    Weights,
    complete,
    distillation_data,
    harden,
    harden_command,
    labelled_data,
    last_stage,
    load_trunk,
    load_weights,
)
from robustiqa_core.metrics.correlation import Agreement, spell_agreement, spell_correlation
from robustiqa_core.models import ARCHITECTURES
from robustiqa_core.models.card import Measurement, ModelCard
from robustiqa_core.scorer import Scorer
from robustiqa_core.training.baseline import measure
from robustiqa_core.training.datasets import TrainingCrops
from robustiqa_core.training.tables import DATASETS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options: those of the recipe, and where things are."""
    parser.add_argument("--model", default="linearity", help=f"{', '.join(ARCHITECTURES)} (default: %(default)s)")
    parser.add_argument("--name", default="hardened", help="of the new variant (default: %(default)s)")
    HARDENING.add_options(parser, skip=("model", "data", "precision"))
    parser.add_argument("--precision", choices=["auto", *PRECISIONS], default="auto", help="default: %(default)s")
    parser.add_argument(
        "--dataset", choices=[*DATASETS, "csv"], help="labelled set (default: none, the baseline's scores are learnt)"
    )
    parser.add_argument("--root", type=Path, help="folder of the data set")
    parser.add_argument("--scores", type=Path, help="CSV of file, mos, split (default: scores.csv in --root)")
    parser.add_argument("--workers", type=int, default=0, help="processes that make crops (default: %(default)s)")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="where maps and scores are kept for the next time")
    parser.add_argument("--run-dir", type=Path, help="state to resume from (default: runs/MODEL-NAME)")
    parser.add_argument("--out", type=Path, default=Path("checkpoints"), help="folder of the checkpoint")
    add_overwrite(parser)
    add_device(parser)
    add_json(parser)


def _recipe(arguments: argparse.Namespace, start: ModelCard, device: torch.device) -> HardeningRecipe:
    """Return the recipe that the options describe, with what they leave open filled in."""
    if arguments.precision == "auto":
        arguments.precision = fast_training_precision(device)
    given = HARDENING.given(arguments)
    if arguments.dataset is not None:
        given["data"] = arguments.dataset
    position = last_stage(start.model, start.settings)
    return complete(given, position=position, precision=arguments.precision)


def _data(arguments: argparse.Namespace, recipe: HardeningRecipe) -> TuningData:
    if recipe.is_distillation:
        return distillation_data(recipe)
    photos, title = read_data(arguments)
    return labelled_data(recipe, photos, title=title, mos_range=mos_range(arguments))


def run(arguments: argparse.Namespace) -> int:
    """Harden, measure and save; what is there already is only shown."""
    check_architecture(arguments.model, "hardening")
    check_variant(arguments.name)
    check_output_folder(arguments.out)
    device = choose_device(arguments.device)
    start = load_card(arguments.model, arguments.start or "baseline")
    recipe = _recipe(arguments, start, device)
    trunk = None if recipe.trunk is None else load_trunk(recipe.trunk)
    weights = None if recipe.weights is None else load_weights(recipe.model, recipe.weights)
    known = [
        card
        for card in (list_cards(arguments.out) if arguments.out.is_dir() else ())
        if (card.model, card.variant, card.hardening.get("key")) == (recipe.model, arguments.name, recipe.key())
        and card.hardening.get("start_sha256") == start.sha256
        and card.hardening.get("trunk_sha256") == (None if trunk is None else trunk.sha256)
        and card.hardening.get("weights_sha256") == (None if weights is None else weights.sha256)
    ]
    card = known[0] if known else _harden(arguments, recipe, start, trunk, weights, device)
    if arguments.json:
        print_json(card.to_json())
    else:
        _print(card)
    return 0


def _harden(
    arguments: argparse.Namespace,
    recipe: HardeningRecipe,
    start: ModelCard,
    trunk: Trunk | None,
    weights: Weights | None,
    device: torch.device,
) -> ModelCard:
    """Do the work; return the card as written."""
    run_dir = arguments.run_dir or Path("runs", f"{arguments.model}-{arguments.name}")
    check_output_folder(run_dir, option="--run-dir")
    if arguments.cache is not None:
        check_output_folder(arguments.cache, option="--cache")
    check_new_checkpoint(arguments.model, arguments.name, root=arguments.out, overwrite=arguments.overwrite)
    data = _data(arguments, recipe)
    command = harden_command(recipe, arguments.name)
    records = harden(
        recipe,
        load_network(recipe.model, recipe.start, device=device),
        start,
        data,
        trunk=trunk,
        weights=weights,
        name=arguments.name,
        command=command if recipe.is_distillation else f"{command} --root FOLDER",
        cache=HardeningCache(arguments.cache),
        run_dir=run_dir,
        workers=arguments.workers,
    )
    *_, result = _report(records)
    card = result.card
    if isinstance(data.training, TrainingCrops):
        scorer = as_scorer(copy.deepcopy(result.network))
        # By the baselines' own draw, so that both ranges are of the same photos.
        found, source = measured_range(
            scorer,
            data.training.photos,
            title=data.name,
            seed=0,
            command=range_command(card.stem, arguments.dataset, 0),
            device=device,
        )
        card = replace(card, score_range=found, range_source=source)
        if data.test:
            card = replace(card, measurements=(_measured(arguments, scorer, data, device),))
    return save_checkpoint(result.network, card, root=arguments.out, overwrite=arguments.overwrite)


def _report(records: Iterable[HardeningRecord]) -> Iterator[Hardened]:
    """Yield the result; tell on standard error how it comes about."""
    for record in progress(records, total=None, label="hardening"):
        match record:
            case Hardened():
                yield record
                continue
            case Inserted():
                text = "no block" if record.position is None else f"block {record.position}"
                line = f"{text}, {record.parameters} parameters"
            case Pruned():
                line = f"{record.plan.removed} of {record.plan.filters} filters go"
            case Epoch():
                loss = "" if record.loss is None else f"loss {record.loss:.4f}, "
                agree = _agree(record.agreement, record.mos)
                line = f"epoch {record.epoch}/{record.epochs}: {loss}{agree}, figure {record.figure:.4f}"
            case Finished():
                line = f"finished: {_agree(record.agreement, record.mos)}; attacking it"
            case _:
                continue
        print(line, file=sys.stderr, flush=True)


def _agree(baseline: Agreement, mos: Agreement | None) -> str:
    people = "" if mos is None else f", SROCC to MOS {spell_correlation(mos.srocc, 4)}"
    return f"agreement with the baseline {spell_correlation(baseline.srocc, 4)}{people}"


def _measured(arguments: argparse.Namespace, scorer: Scorer, data: TuningData, device: torch.device) -> Measurement:
    """Return the agreement with human scores on the test photos."""
    scores = progress(score_photos(scorer, data.test, device=device), total=len(data.test), label="scoring")
    return measure(
        list(scores),
        [photo.mos for photo in data.test],
        dataset=data.name.replace("training split", "test split"),
        command=evaluation_command(arguments.model, arguments.name, arguments.dataset, "test"),
    )


def _print(card: ModelCard) -> None:
    figures = card.hardening
    agreement, attacked = figures["agreement"], figures["attacked"]
    print(f"{card.stem}: {card.training.dataset}")
    print(f"agreement with the baseline  {spell_agreement(agreement['srocc'], agreement['plcc'])}")
    for measured in card.measurements:
        print(f"agreement with people        {spell_agreement(measured.srocc, measured.plcc)}, {measured.dataset}")
    source, ends = card.known_range_source, card.score_range
    told = f"; {source.words}" if source else ""
    print(f"own score range              {ends.low:.4f} to {ends.high:.4f}{told}")
    print(f"{attacked['attack']} on {attacked['crops']} crops of {attacked['side']} px, both by the baseline's range:")
    rows = {"baseline": "baseline", "hardened": "hardened", "transferred": "hardened, attack made for the baseline"}
    # Cards of earlier versions lack some of what follows.
    for name in (name for name in rows if name in attacked):
        values = attacked[name]
        print(f"  {rows[name]:<9} AbsGain {values['absolute_gain']:+.3f}, R-score {values['r_score']:+.3f}")
    if block := figures.get("block"):
        error = block["orthogonality_error"]
        print(f"block                        {block['parameters']} parameters, singular values within {error:.2g} of 1")
    if times := card.training.settings.get("score_seconds"):
        hardened, before = (f"{1000 * times[name]:.1f} ms" for name in ("hardened", "baseline"))
        print(f"time of a crop's score       {hardened}, the baseline's {before}, on {times['device']}")
