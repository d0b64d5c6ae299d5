"""The hardening of a model by a recipe: insert, prune, tune, bake, measure; an iterator of small records."""

import copy
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from robustiqa_core.attacks import PGD, Attack, spell_attack
from robustiqa_core.blocks import block_at, insert
from robustiqa_core.checks import check_count
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening.cache import (
    BATCH,
    HardeningCache,
    KeptCrops,
    TeacherOutputs,
    fingerprint,
    kept_crops,
    kept_maps,
    numbers_of,
    result_of,
    teacher_outputs,
)
from robustiqa_core.hardening.cut import Cut, Suffix, find_cut
from robustiqa_core.hardening.data import TuningData, key_of
from robustiqa_core.hardening.donors import Trunk, Weights, mix_with
from robustiqa_core.hardening.recipe import HardeningRecipe
from robustiqa_core.hardening.records import Epoch, Finished, Hardened, HardeningRecord, Inserted, Progressed, Pruned
from robustiqa_core.hardening.targets import Holdout, Inputs, agreements, distilled_places
from robustiqa_core.hardening.trial import ShortAttack, attacked, calibrate, hardened_card, measured, rescale_last_layer
from robustiqa_core.hardening.tuning import scores_of, tune_on_maps, tune_on_photos
from robustiqa_core.images.photo import from_8bit
from robustiqa_core.models import QualityModel, set_short_side
from robustiqa_core.models.card import ModelCard
from robustiqa_core.pruning import (
    CRITERIA,
    PruningPlan,
    PruningSettings,
    bake,
    filter_importance,
    masked,
    plan,
    plan_from,
)
from robustiqa_core.training.baseline import round_to_half
from robustiqa_core.training.state import read_progress, state_path

SHORT_ATTACK = PGD(4 / 255)
"""What a hardened network is attacked with at the end, for a first impression."""
_ATTACKED_CROPS = 8
# Crops that a criterion looks at.
_CRITERION_CROPS = 64


def harden(
    recipe: HardeningRecipe,
    baseline: QualityModel,
    card: ModelCard,
    data: TuningData,
    *,
    trunk: Trunk | None = None,
    weights: Weights | None = None,
    name: str = "hardened",
    command: str = "",
    attack: Attack = SHORT_ATTACK,
    attacked_crops: int | None = None,
    cache: HardeningCache | None = None,
    run_dir: Path | None = None,
    workers: int = 0,
) -> Iterator[HardeningRecord]:
    """Harden a model, yielding what happens and at last the result; the baseline is not touched.

    A copy gets another trunk's weights and the block, as the recipe says; filters are chosen and masked; what the
    recipe says is tuned, and mixed with the start where it says so; the masked filters are cut out; weights are
    rounded as the checkpoint will hold them; scores get the mean and spread of the baseline's on held-out crops;
    agreement and robustness are measured. With the same arguments the same comes out; what is in the cache's
    results comes at once, without `Progressed` records.

    Args:
        recipe: how.
        baseline: network of the variant that the recipe starts from, in eval mode, not folded, on its device.
        card: of that variant.
        data: from `distillation_data` or `labelled_data`, of this recipe.
        trunk: from `load_trunk`, of the stem that the recipe names; None where it names none.
        weights: from `load_weights`, of what the recipe names; None where it names none.
        name: of the hardened variant.
        command: that repeats it, for the card.
        attack: what the result and the baseline are attacked with.
        attacked_crops: held-out crops that are attacked; None for eight, or all where there are fewer.
        cache: where crops, scores, maps and results are kept; None for one that is not kept.
        run_dir: folder where tuning on photos saves its state, to go on after an interruption, or to make the result
            again with another `mix` at once; None for none.
        workers: processes that make crops.

    Raises:
        ConfigurationError: recipe, card and data do not belong together, or the recipe does not fit the network.
        NumericalError: the tuning diverged, or the scores became all the same.
    """
    _check_match(recipe, card, data, trunk, weights)
    most = data.validation_count
    count = check_count("attacked_crops", attacked_crops or min(_ATTACKED_CROPS, most), low=2, high=most)
    short = ShortAttack(attack, count)
    inputs = Inputs(recipe, baseline, card, data, trunk or weights, cache or HardeningCache(), workers)
    return _remembered(inputs, short, _Label(name, command), run_dir)


def _check_match(
    recipe: HardeningRecipe, card: ModelCard, data: TuningData, trunk: Trunk | None, weights: Weights | None
) -> None:
    """Raise ConfigurationError if what is given is not what the recipe names."""
    if (recipe.model, recipe.start) != (card.model, card.variant) or data.labelled == recipe.is_distillation:
        raise ConfigurationError(
            f"expected a baseline and data for the recipe ({recipe.model} {recipe.start}, {recipe.data}), got "
            f"{card.model} {card.variant} and {data.name}; load those that the recipe names"
        )
    if recipe.trunk != (None if trunk is None else trunk.card.stem):
        raise ConfigurationError(
            f"expected the trunk that the recipe names ({recipe.trunk}), got "
            f"{None if trunk is None else trunk.card.stem}; give `load_trunk` of that name"
        )
    if recipe.weights != (None if weights is None else weights.variants):
        raise ConfigurationError(
            f"expected the weights that the recipe names ({recipe.weights}), got "
            f"{None if weights is None else weights.variants}; give `load_weights` of these"
        )


def prepare(
    recipe: HardeningRecipe,
    baseline: QualityModel,
    card: ModelCard,
    data: TuningData,
    *,
    cache: HardeningCache,
    attack: Attack = SHORT_ATTACK,
    attacked_crops: int | None = None,
) -> Iterator[Progressed]:
    """Compute, into the cache, what `harden` needs whatever the recipe's position, block and pruning are.

    These are the crops, the baseline's scores of them, and what the attack does to the baseline: what a user need not
    wait for who still chooses among the others.

    Args:
        recipe: any of those that will follow; its data, crops, precision and seed count.
        baseline: as for `harden`; so are the others.
        card: of that variant.
        data: of this recipe.
        cache: where everything is kept.
        attack: of the recipes that will follow.
        attacked_crops: likewise.
    """
    short = ShortAttack(attack, attacked_crops or min(_ATTACKED_CROPS, data.validation_count))
    return _prepared(Inputs(recipe, baseline, card, data, None, cache, 0), short)


@dataclass(frozen=True, slots=True)
class _Label:
    """What a checkpoint is called, and the command that repeats it."""

    name: str
    command: str


def _remembered(inputs: Inputs, short: ShortAttack, label: _Label, run_dir: Path | None) -> Iterator[HardeningRecord]:
    """Yield the records that are known, else those of the work."""
    data, recipe, results = inputs.data, inputs.recipe, inputs.cache.results
    crops = [key_of(data.training, []), key_of(data.validation, data.validation_samples)]
    donor = {} if inputs.donor is None else inputs.donor.source
    named = (label.name, label.command, spell_attack(short.attack), short.crops, donor)
    key = fingerprint(numbers_of(inputs.baseline), recipe.key(), crops, named)
    known = results.get(key)
    if known is not None:
        yield from cast(tuple[HardeningRecord, ...], known)
        return
    lasting: list[HardeningRecord] = []
    for record in _records(inputs, short, label, run_dir):
        if not isinstance(record, Progressed):
            lasting.append(record)
        if isinstance(record, Hardened):
            results.put(key, tuple(lasting))
        yield record


def _prepared(inputs: Inputs, short: ShortAttack) -> Iterator[Progressed]:
    """Compute what no position, block or pruning changes."""
    holdout = yield from inputs.holdout()
    if inputs.recipe.keeps_maps:
        crops = yield from inputs.training_crops()
        if not inputs.data.labelled:
            yield from inputs.distilled(crops)
    yield from attacked(inputs.baseline, holdout.crops.first(short.crops), short.attack, inputs.cache)


def _records(inputs: Inputs, short: ShortAttack, label: _Label, run_dir: Path | None) -> Iterator[HardeningRecord]:
    """Do the work."""
    recipe, data = inputs.recipe, inputs.data
    state_dir = _state_dir(recipe, run_dir)
    resumes = state_dir is not None and state_path(state_dir).is_file()
    started = time.monotonic() - (read_progress(state_dir).seconds if state_dir and resumes else 0.0)
    start = yield from _start(inputs)
    network = _inserted(start, inputs)
    yield _told(network, recipe)
    pruning = yield from _plan(network, inputs)
    yield Pruned(pruning)
    network = masked(network, pruning)
    holdout = yield from inputs.holdout()
    yield from _tuned(network, inputs, holdout, state_dir)
    mix_with(network, start, recipe.mix)
    round_to_half(network)
    raw = yield from _scores(network, inputs, holdout)
    network = bake(network, pruning).eval().requires_grad_(False)
    scores = calibrate(network, raw, holdout.baseline)
    yield Finished(network, *agreements(scores, holdout.baseline, holdout.mos))
    figures, timing = yield from measured(
        network,
        scores,
        spread=(raw.std() / holdout.baseline.std()).item(),
        recipe=recipe,
        baseline=inputs.baseline,
        pruning=pruning,
        holdout=holdout,
        short=short,
        cache=inputs.cache,
    )
    donor = inputs.donor
    sources = {"start_sha256": inputs.card.sha256, **({} if donor is None else donor.source)}
    card = hardened_card(
        inputs.card,
        recipe,
        data,
        donor=donor,
        name=label.name,
        command=label.command,
        seconds=time.monotonic() - started,
        figures={**sources, **figures},
        timing=timing,
    )
    yield Hardened(network, card, timing)


def _state_dir(recipe: HardeningRecipe, run_dir: Path | None) -> Path | None:
    """Return where tuning on photos saves its state.

    Another recipe must not go on from this one's, unless only the mixing at the end is another.
    """
    return run_dir and run_dir / replace(recipe, mix=1.0).key()


def _start(inputs: Inputs) -> Generator[Progressed, None, QualityModel]:
    """Return what the tuning starts from: the baseline, or a copy with another trunk, its last layer rescaled."""
    if not isinstance(inputs.donor, Trunk):
        return inputs.baseline
    start = copy.deepcopy(inputs.baseline)
    inputs.donor.put_into(start)
    holdout = yield from inputs.holdout()
    outputs = yield from teacher_outputs(start, holdout.crops, inputs.cache)
    rescale_last_layer(start, outputs.scores, holdout.baseline)
    return start


def _inserted(start: QualityModel, inputs: Inputs) -> QualityModel:
    """Return a copy of the start, with the weights it takes and its block; all are free to learn."""
    recipe = inputs.recipe
    network = copy.deepcopy(start).eval().requires_grad_(True)
    if isinstance(inputs.donor, Weights):
        inputs.donor.put_into(network)
    if recipe.short_side is not None:
        set_short_side(network, recipe.short_side)
    if recipe.position is not None and recipe.block is not None:
        network = insert(network, recipe.position, recipe.block)
    return network.to(memory_format=torch.channels_last)


def _told(network: QualityModel, recipe: HardeningRecipe) -> Inserted:
    position = recipe.position
    block = () if position is None else block_at(network, position).parameters()
    return Inserted(position, sum(parameter.numel() for parameter in block))


def _plan(network: QualityModel, inputs: Inputs) -> Generator[Progressed, None, PruningPlan]:
    """Return which filters go."""
    settings = inputs.recipe.pruning
    if not CRITERIA[settings.criterion].needs_photos or settings.ratio == 0:
        return plan(network, settings)
    crops = yield from inputs.training_crops()
    return plan_from(network, settings, _importance_on(network, settings, crops))


def filter_importance_for(
    network: QualityModel, settings: PruningSettings, data: TuningData, cache: HardeningCache, *, seed: int = 0
) -> dict[str, Tensor]:
    """Return the importance of every filter, as a hardening finds it; `pruning.plan_from` says which of them go.

    Args:
        network: that is hardened, not folded; not touched.
        settings: whose criterion and seed count.
        data: whose first crops a criterion looks at, where it looks at any.
        cache: where the crops are kept.
        seed: of the hardening.
    """
    if not CRITERIA[settings.criterion].needs_photos:
        return filter_importance(network, settings.criterion, seed=settings.seed)
    crops = result_of(kept_crops(data.training, data.training_samples(0, seed), cache, workers=0))
    return _importance_on(network, settings, crops)


def _importance_on(network: QualityModel, settings: PruningSettings, crops: KeptCrops) -> dict[str, Tensor]:
    """Return the importance of every filter by the first crops, and by their labels where there are any."""
    known = crops.first(_CRITERION_CROPS)
    pixels, mos = known.pixels, known.targets
    labelled = mos.isfinite()
    if labelled.any():
        pixels, mos = pixels[labelled], mos[labelled]
    images = (from_8bit(part, network.k.device) for part in torch.split(pixels, BATCH))
    return filter_importance(
        network, settings.criterion, seed=settings.seed, images=images, mos=mos if labelled.any() else None
    )


def _cut(network: QualityModel, recipe: HardeningRecipe) -> Cut | None:
    """Return where the network is cut; None without a block."""
    return None if recipe.position is None else find_cut(network, recipe.position)


def _tuned(
    network: QualityModel, inputs: Inputs, holdout: Holdout, state_dir: Path | None
) -> Iterator[Progressed | Epoch]:
    """Tune the network in place."""
    recipe, cut = inputs.recipe, _cut(network, inputs.recipe)
    if cut is not None and recipe.keeps_maps:
        yield from _tuned_on_maps(network, cut, inputs, holdout)
        return
    yield from tune_on_photos(
        network,
        cut,
        recipe,
        inputs.data,
        teacher=inputs.teacher(),
        holdout=holdout,
        run_dir=state_dir,
        workers=inputs.workers,
    )


def _tuned_on_maps(network: QualityModel, cut: Cut, inputs: Inputs, holdout: Holdout) -> Iterator[Progressed | Epoch]:
    """Tune on maps that are computed once; what judges is computed in float32."""
    recipe, cache = inputs.recipe, inputs.cache
    crops = yield from inputs.training_crops()
    taught = yield from _taught(network, cut, crops, inputs, holdout)
    maps = yield from kept_maps(network, cut, crops, cache, precision=recipe.precision)
    held_out = yield from kept_maps(network, cut, holdout.crops, cache)
    yield from tune_on_maps(
        network, cut, recipe, inputs.data, maps=maps, taught=taught, held_out=held_out, holdout=holdout
    )


def _taught(
    network: QualityModel, cut: Cut, crops: KeptCrops, inputs: Inputs, holdout: Holdout
) -> Generator[Progressed, None, TeacherOutputs]:
    """Return what is learnt of crops: human scores, or the baseline's scores and feature maps."""
    if not inputs.data.labelled:
        known = yield from inputs.distilled(crops)
        places = distilled_places(network, cut) if inputs.recipe.hint_weight else ()
        return TeacherOutputs(known.scores, {place: known.maps[place] for place in places})
    if crops.targets.isnan().any():
        guesses = (yield from teacher_outputs(inputs.teacher(), crops, inputs.cache)).scores
        return TeacherOutputs(holdout.complete(crops.targets, guesses.__getitem__), {})
    return TeacherOutputs(crops.targets, {})


def _scores(network: QualityModel, inputs: Inputs, holdout: Holdout) -> Generator[Progressed, None, Tensor]:
    """Return the scores (N,) of the holdout's crops by the rounded network.

    Where its front did not learn, its maps of them are there already, unless rounding has changed it.
    """
    cut = _cut(network, inputs.recipe)
    if cut is None or not inputs.recipe.keeps_maps:
        return (yield from teacher_outputs(network, holdout.crops, inputs.cache)).scores
    maps = yield from kept_maps(network, cut, holdout.crops, inputs.cache)
    return scores_of(Suffix(network, cut), maps)
