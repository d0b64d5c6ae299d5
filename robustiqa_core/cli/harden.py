"""`robustiqa harden`: a block, pruning and fine-tuning, from a recipe to a checkpoint with its card."""

import argparse
import copy
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from robustiqa_core.blocks import ORTHOGONALIZATIONS, VARIANTS, BlockSettings
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
from robustiqa_core.cli.loop_options import spell_command
from robustiqa_core.cli.measure_range import measured_range, range_command
from robustiqa_core.cli.options import add_device, add_json, add_overwrite, check_architecture, print_json, progress
from robustiqa_core.device import choose_device, fast_training_precision
from robustiqa_core.evaluation.mos import score_photos
from robustiqa_core.files import check_output_folder
from robustiqa_core.hardening import (
    DISTILLATION,
    LOSSES,
    OBJECTIVES,
    TARGETS,
    TUNED,
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
    distillation_data,
    harden,
    labelled_data,
    last_stage,
    load_trunk,
    load_weights,
    parse_objective,
)
from robustiqa_core.metrics.correlation import Agreement, spell_agreement, spell_correlation
from robustiqa_core.models import ARCHITECTURES
from robustiqa_core.models.card import Measurement, ModelCard
from robustiqa_core.pruning import CRITERIA, SCOPES, PruningSettings
from robustiqa_core.scorer import Scorer
from robustiqa_core.training.baseline import measure
from robustiqa_core.training.datasets import TrainingCrops
from robustiqa_core.training.tables import DATASETS

_BLOCK, _PRUNING = BlockSettings(), PruningSettings()
_RECIPE = HardeningRecipe("linearity", None, None, tuned="all")
_LABELLED_VALIDATION = 256
_DECIDING = (
    *(
        "model",
        "start",
        "trunk_from",
        "weights_from",
        "position",
        "variant",
        "orthogonalization",
        "width",
        "grid",
        "kernel_size",
        "blend",
    ),
    *("block_seed", "criterion", "pruning_ratio", "scope", "objective", "tuned", "epochs", "crops"),
    *(
        "degraded",
        "targets",
        "loss",
        "better_half",
        "validation_crops",
        "resize",
        "smallest_resize",
        "crop",
        "smallest_crop",
        "whole",
        "short_side",
        "patience",
        "batch_size",
        "rate",
        "block_rate",
        "mix",
        "learn_statistics",
        "precision",
    ),
    *("seed", "name", "dataset"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--model", default="linearity", help=f"{', '.join(ARCHITECTURES)} (default: %(default)s)")
    parser.add_argument("--start", default="baseline", help="variant that is hardened (default: %(default)s)")
    parser.add_argument(
        "--trunk-from",
        metavar="MODEL-VARIANT",
        help="stored model whose trunk's weights are taken, such as linearity-hardened-at (default: the start's own)",
    )
    parser.add_argument(
        "--weights-from",
        metavar="VARIANT[:SHARE][+...]",
        help="variant of the same model whose weights are taken, to tune on or to mix, or several for the mean of "
        "theirs (default: the start's own)",
    )
    parser.add_argument("--name", default="hardened", help="of the new variant (default: %(default)s)")
    _add_block(parser)
    parser.add_argument("--criterion", default=_PRUNING.criterion, choices=CRITERIA, help="default: %(default)s")
    parser.add_argument("--pruning-ratio", type=float, default=_PRUNING.ratio, help="default: %(default)s")
    parser.add_argument("--scope", default=_PRUNING.scope, choices=SCOPES, help="of the ratio (default: %(default)s)")
    _add_tuning(parser)
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


def _add_block(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--position", help="insertion point, or none (default: behind the trunk's last stage)")
    parser.add_argument(
        "--variant",
        default=_BLOCK.variant,
        choices=VARIANTS,
        help="of the block; the paper's sets no bound to a change (default: %(default)s)",
    )
    parser.add_argument(
        "--orthogonalization", default=_BLOCK.orthogonalization, choices=ORTHOGONALIZATIONS, help="default: %(default)s"
    )
    parser.add_argument("--width", type=int, default=_BLOCK.width, help="channels of the block (default: %(default)s)")
    parser.add_argument("--grid", type=int, default=_BLOCK.grid, help="side of its grid (default: %(default)s)")
    parser.add_argument("--kernel-size", type=int, default=_BLOCK.kernel_size, help="default: %(default)s")
    parser.add_argument("--blend", type=float, default=_BLOCK.blend, help="share of its change (default: %(default)s)")
    parser.add_argument("--block-seed", type=int, default=_BLOCK.seed, help="of its first weights")


def _add_tuning(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--objective",
        default=OBJECTIVES[0],
        metavar="TERM[:KEY=VALUE,...][+...]",
        help=f"such as {', '.join(OBJECTIVES)}, at:eps=4/255,steps=5 (default: %(default)s)",
    )
    parser.add_argument(
        "--tuned",
        choices=TUNED,
        help="the block and what it reaches, or all layers (default: rest for clean with a block, else all)",
    )
    parser.add_argument("--epochs", type=int, default=_RECIPE.epochs, help="default: %(default)s")
    parser.add_argument(
        "--crops", type=int, help=f"of an epoch (default: {_RECIPE.crops}, or one of each labelled photo)"
    )
    parser.add_argument(
        "--degraded",
        type=float,
        default=_RECIPE.degraded,
        metavar="SHARE",
        help="of the labelled crops that are degraded and scored by the baseline (default: %(default)s)",
    )
    parser.add_argument(
        "--targets",
        default=_RECIPE.targets,
        choices=TARGETS,
        help="of the labelled crops: their labels, or the baseline's scores (default: %(default)s)",
    )
    parser.add_argument(
        "--loss",
        default=_RECIPE.loss,
        choices=LOSSES,
        help="the architecture's own, or one that no narrowing of the scores lowers (default: %(default)s)",
    )
    parser.add_argument(
        "--better-half",
        type=float,
        default=_RECIPE.better_half,
        metavar="SHARE",
        help="of the batches whose labelled photos are all of the better half (default: %(default)s)",
    )
    parser.add_argument(
        "--validation-crops",
        type=int,
        help=f"default: {_RECIPE.validation_crops}, or {_LABELLED_VALIDATION} of labelled photos",
    )
    parser.add_argument("--resize", type=int, default=_RECIPE.resize, help="shorter side before the crop")
    parser.add_argument("--smallest-resize", type=int, metavar="PX", help="draw the shorter side from this to --resize")
    parser.add_argument("--crop", type=int, default=_RECIPE.crop, help="side of a crop (default: %(default)s px)")
    parser.add_argument("--smallest-crop", type=int, metavar="PX", help="draw the side of a batch from this to --crop")
    parser.add_argument(
        "--whole",
        type=float,
        default=_RECIPE.whole,
        metavar="SHARE",
        help="of the labelled crops that are whole photos of that side; judge by whole photos (default: %(default)s)",
    )
    parser.add_argument(
        "--short-side", type=int, metavar="PX", help="to which the model scales larger photos (default: the start's)"
    )
    parser.add_argument(
        "--patience",
        type=int,
        default=_RECIPE.patience,
        metavar="EPOCHS",
        help="without a better figure, after which tuning ends (default: %(default)s, never)",
    )
    parser.add_argument("--batch-size", type=int, default=_RECIPE.batch_size, help="default: %(default)s")
    parser.add_argument("--rate", type=float, default=_RECIPE.rate, help="learning rate (default: %(default)s)")
    parser.add_argument("--block-rate", type=float, default=_RECIPE.block_rate, help="that of the block")
    parser.add_argument(
        "--mix", type=float, default=_RECIPE.mix, help="share of the tuned weights in the result (default: %(default)s)"
    )
    parser.add_argument("--learn-statistics", action="store_true", help="let normalisations go on measuring")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--seed", type=int, default=_RECIPE.seed, help="of order and crops")


def _recipe(arguments: argparse.Namespace, start: ModelCard, device: torch.device) -> HardeningRecipe:
    """Return the recipe that the options describe; what they leave open is filled in, in the options too."""
    labelled = arguments.dataset is not None
    objective = parse_objective(arguments.objective)
    if arguments.position is None:
        arguments.position = last_stage(start.model, start.settings)
    position = None if arguments.position == "none" else arguments.position
    if arguments.tuned is None:
        arguments.tuned = "all" if position is None or objective.needs_pixels else "rest"
    if arguments.precision == "auto":
        arguments.precision = fast_training_precision(device)
    block = BlockSettings(
        variant=arguments.variant,
        orthogonalization=arguments.orthogonalization,
        width=arguments.width,
        grid=arguments.grid,
        kernel_size=arguments.kernel_size,
        blend=arguments.blend,
        seed=arguments.block_seed,
    )
    return HardeningRecipe(
        model=arguments.model,
        position=position,
        block=None if position is None else block,
        start=arguments.start,
        trunk=arguments.trunk_from,
        weights=arguments.weights_from,
        pruning=PruningSettings(arguments.criterion, arguments.pruning_ratio, arguments.scope),
        tuned=arguments.tuned,
        objective=objective,
        data=arguments.dataset or DISTILLATION,
        crops=arguments.crops or (None if labelled else _RECIPE.crops),
        degraded=arguments.degraded,
        targets=arguments.targets,
        loss=arguments.loss,
        better_half=arguments.better_half,
        validation_crops=arguments.validation_crops or (_LABELLED_VALIDATION if labelled else _RECIPE.validation_crops),
        resize=arguments.resize,
        smallest_resize=arguments.smallest_resize,
        crop=arguments.crop,
        smallest_crop=arguments.smallest_crop,
        whole=arguments.whole,
        short_side=arguments.short_side,
        patience=arguments.patience,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        rate=arguments.rate,
        block_rate=arguments.block_rate,
        mix=arguments.mix,
        learn_statistics=arguments.learn_statistics,
        precision=arguments.precision,
        seed=arguments.seed,
    )


def _data(arguments: argparse.Namespace, recipe: HardeningRecipe) -> TuningData:
    if arguments.dataset is None:
        return distillation_data(recipe)
    photos, title = read_data(arguments)
    return labelled_data(recipe, photos, title=title, mos_range=mos_range(arguments))


def run(arguments: argparse.Namespace) -> int:
    """Harden, measure and save; what is there already is only shown."""
    check_architecture(arguments.model, "hardening")
    check_variant(arguments.name)
    check_output_folder(arguments.out)
    device = choose_device(arguments.device)
    start = load_card(arguments.model, arguments.start)
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
    command = spell_command("harden", arguments, _DECIDING)
    records = harden(
        recipe,
        load_network(arguments.model, arguments.start, device=device),
        start,
        data,
        trunk=trunk,
        weights=weights,
        name=arguments.name,
        command=command if arguments.dataset is None else f"{command} --root FOLDER",
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
