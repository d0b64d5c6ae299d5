"""What a hardened network is worth: its scores brought to the baseline's scale, the figures of its card, its card."""

import copy
import platform
import time
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from robustiqa_core.attacks import Attack, AttackStep, run, spell_attack
from robustiqa_core.attacks.objective import score
from robustiqa_core.blocks import block_at, orthogonality_error
from robustiqa_core.checkpoints.storage import as_scorer
from robustiqa_core.errors import ConfigurationError, InputError, NumericalError
from robustiqa_core.hardening.cache import (
    HardeningCache,
    KeptCrops,
    Stored,
    fingerprint,
    kept_crops,
    numbers_of,
    result_of,
)
from robustiqa_core.hardening.data import TuningData
from robustiqa_core.hardening.donors import Trunk, Weights
from robustiqa_core.hardening.recipe import HardeningRecipe
from robustiqa_core.hardening.records import Progressed, Timing
from robustiqa_core.hardening.targets import Holdout, agreements
from robustiqa_core.images.photo import from_8bit
from robustiqa_core.metrics.figures import RobustnessFigures, robustness_figures
from robustiqa_core.metrics.scale import Scale
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard, RangeSource, Training
from robustiqa_core.pruning import PruningPlan
from robustiqa_core.scorer import Scorer
from robustiqa_core.training.last_layer import last_layer

_TURNS = 25
"""How often both models are timed, by turns: other work on the machine then slows both."""
_SHOWN = ("absolute_gain", "r_score", "unmoved_share")
"""Figures of the short attack that pages show."""


def calibrate(network: QualityModel, scores: Tensor, wanted: Tensor) -> Tensor:
    """Set a network's k and b, in place, so that its scores get the mean and spread of others; return the scores then.

    So narrowing all scores cannot pass for robustness on the baseline's scale. The ends of the hardened network's own
    range are not known by that: `robustiqa measure-range` measures them.

    Args:
        network: whose scores are k * raw + b.
        scores: (N,), with the present k and b.
        wanted: (N,), the baseline's scores of the same photos.

    Raises:
        NumericalError: the scores are all the same.
    """
    factor, shift = _mapping(scores, wanted)
    with torch.no_grad():
        network.b.copy_(factor * network.b.double().cpu() + shift)
        network.k.mul_(factor.to(network.k))
    return (factor * scores.double() + shift).float()


def _mapping(scores: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Return (factor, shift) that bring scores to the mean and spread of others; errors as `calibrate`'s."""
    spread = scores.double().std()
    if not spread > 0:
        raise NumericalError(
            f"expected scores that differ from photo to photo, got {scores[0].item():.3g} for all {len(scores)}; "
            "the block destroyed them: choose a later position, the variant isometric, or lower rates"
        )
    factor = wanted.double().std() / spread
    return factor, wanted.double().mean() - factor * scores.double().mean()


def rescale_last_layer(network: QualityModel, scores: Tensor, wanted: Tensor) -> None:
    """Set the last layer's weights, in place, so that scores get the mean and spread of others; k and b stay.

    After another trunk took the place of the own one the maps have another size. Losses that compare what the network
    predicts with human scores would first have to mend that, and take the later layers apart on the way.

    Args:
        network: whose scores these are.
        scores: (N,), as they are.
        wanted: (N,), as they shall be.

    Raises:
        NumericalError: the scores are all the same.
    """
    factor, shift = (value.to(network.k) for value in _mapping(scores, wanted))
    layer = last_layer(network)
    with torch.no_grad():
        layer.weight.mul_(factor)
        layer.bias.mul_(factor).add_((factor * network.b + shift - network.b) / network.k)


@dataclass(frozen=True, slots=True, eq=False)
class Attacked:
    """What an attack made of N crops, and a network's scores of them, on the CPU.

    Args:
        clean: (N,), scores of the crops.
        moved: (N,), of what the attack made of them, rounded to 8 bits.
        adversarial: (N, 3, side, side), what it made, before it is rounded.
        figures: on the baseline's scale, to which the scores of a hardened network were brought.
    """

    clean: Tensor
    moved: Tensor
    adversarial: Tensor
    figures: RobustnessFigures


def attacked(
    network: QualityModel, crops: KeptCrops, attack: Attack, cache: HardeningCache
) -> Generator[Progressed, None, Attacked]:
    """Return what an attack does to a network; the network is not touched.

    Args:
        network: in eval mode, with the baseline's score range.
        crops: what is attacked, all at once.
        attack: its configuration.
        cache: where what comes out is kept.
    """
    key = fingerprint(numbers_of(network), "attacked photos", network.settings, crops.key, spell_attack(attack))
    found = cache.find(key)
    if found is None:
        images = from_8bit(crops.pixels, network.k.device)
        for record in run(attack, as_scorer(copy.deepcopy(network)), images):
            if isinstance(record, AttackStep):
                yield Progressed("attacking", record.step, record.steps)
            else:
                results = {
                    "clean": record.clean_scores,
                    "attacked": record.rounded_scores,
                    "adversarial": record.adversarial,
                }
                found = Stored({name: value.float().cpu().contiguous() for name, value in results.items()}, {})
                cache.keep(key, found)
    tensors = {} if found is None else found.tensors
    clean, moved = (tensors[name] for name in ("clean", "attacked"))
    figures = robustness_figures(clean.double().numpy(), moved.double().numpy(), Scale("baseline", network.score_range))
    return Attacked(clean, moved, tensors["adversarial"], figures)


def attacked_figures(
    network: QualityModel, crops: KeptCrops, before: Attacked, after: Attacked, *, attack: Attack
) -> dict[str, Any]:
    """Return what a card says of an attack.

    Args:
        network: the hardened one, on the baseline's scale.
        crops: what was attacked.
        before: what the attack made of them by the baseline.
        after: by the hardened network.
        attack: its configuration.
    """
    images = from_8bit(crops.pixels, network.k.device)
    moved = transferred(as_scorer(copy.deepcopy(network)), images, before.adversarial.to(images))
    return {
        "attack": spell_attack(attack),
        "crops": len(crops),
        "side": crops.pixels.shape[-1],
        "baseline": before.figures.to_json(),
        "hardened": after.figures.to_json(),
        "transferred": moved.to_json(),
    }


def attacked_again(
    baseline: QualityModel, network: QualityModel, data: TuningData, attack: Attack, *, count: int
) -> dict[str, Any]:
    """Return what the card of a hardened network says of an attack on the held-out crops that `harden` attacks.

    Args:
        baseline: that the network was made from, in eval mode and not folded; not touched.
        network: loaded from its checkpoint and this caller's own; its score range becomes the baseline's, which the
            figures are by.
        data: of its recipe.
        attack: what both are attacked with.
        count: of crops.
    """
    cache, network.score_range = HardeningCache(), baseline.score_range
    crops = result_of(kept_crops(data.validation, data.validation_samples[:count], cache, workers=0))
    before, after = (result_of(attacked(each, crops, attack, cache)) for each in (baseline, network))
    return attacked_figures(network, crops, before, after, attack=attack)


@dataclass(frozen=True, slots=True)
class ShortAttack:
    """What the baseline and the hardened network are attacked with, for a first impression.

    Args:
        attack: its configuration.
        crops: held-out crops that are attacked.
    """

    attack: Attack
    crops: int


def measured(
    network: QualityModel,
    scores: Tensor,
    *,
    spread: float,
    recipe: HardeningRecipe,
    baseline: QualityModel,
    pruning: PruningPlan,
    holdout: Holdout,
    short: ShortAttack,
    cache: HardeningCache,
) -> Generator[Progressed, None, tuple[dict[str, Any], Timing]]:
    """Return the figures of a hardened network for its card, and how long its scores take.

    Args:
        network: as it will stay, on the baseline's scale.
        scores: (N,), its scores of the holdout's crops.
        spread: of the scores before they were brought to the baseline's, as a share of the baseline's.
        recipe: how it was hardened.
        baseline: what it was made from.
        pruning: what went.
        holdout: what it is held against.
        short: the attack on both.
        cache: where what the attack made is kept.
    """
    crops = holdout.crops.first(short.crops)
    before = yield from attacked(baseline, crops, short.attack, cache)
    after = yield from attacked(network, crops, short.attack, cache)
    one, other = (as_scorer(copy.deepcopy(model)) for model in (baseline, network))
    images = from_8bit(crops.pixels, network.k.device)
    agreement, mos = agreements(scores, holdout.baseline, holdout.mos)
    mos_before = agreements(holdout.baseline, holdout.baseline, holdout.mos)[1]
    figures = {
        "agreement": {"crops": len(scores), **asdict(agreement)},
        "mos": None if mos is None else {"crops": len(scores), **asdict(mos)},
        "mos_before": None if mos_before is None else {"crops": len(scores), **asdict(mos_before)},
        "spread": round(spread, 4),
        "filters": {"before": pruning.filters, "removed": pruning.removed},
        "cost": {"before": asdict(pruning.before), "after": asdict(pruning.after)},
        "block": _block_figures(network, recipe),
        "attacked": attacked_figures(network, crops, before, after, attack=short.attack),
    }
    return figures, Timing(*time_by_turns(one, other, images[:1]), str(network.k.device))


def transferred(scorer: Scorer, images: Tensor, adversarial: Tensor) -> RobustnessFigures:
    """Return the figures of a hardened model under what was made to move its baseline.

    Args:
        scorer: the hardened model, with the baseline's score range.
        images: (N, 3, H, W), on its device.
        adversarial: likewise, after the attack on the baseline.
    """
    clean, moved = (score(scorer, batch).double().cpu().numpy() for batch in (images, adversarial))
    return robustness_figures(clean, moved, Scale("baseline", scorer.score_range))


def _block_figures(network: QualityModel, recipe: HardeningRecipe) -> dict[str, Any] | None:
    """Return the size of a network's block, and by how much its singular values differ from 1 at most."""
    if recipe.position is None or recipe.block is None:
        return None
    settings, block = recipe.block, block_at(network, recipe.position)
    side = settings.grid or 8
    return {
        "parameters": sum(parameter.numel() for parameter in block.parameters()),
        "orthogonality_error": orthogonality_error(block.get_submodule("convolution"), settings.width, side, side),
    }


def time_by_turns(one: Scorer, other: Scorer, images: Tensor) -> tuple[float, float]:
    """Return the seconds that two models take to score images, in turns after one that is not counted.

    The fastest turn of each counts: whatever else the machine does can only add to it.
    """
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(_TURNS + 1):
        for scorer, times in zip((one, other), taken, strict=True):
            began = time.perf_counter()
            # Reading a score waits for devices that work on their own.
            score(scorer, images).sum().item()
            if turn:
                times.append(time.perf_counter() - began)
    return min(taken[0]), min(taken[1])


def hardened_card(
    start: ModelCard,
    recipe: HardeningRecipe,
    data: TuningData,
    *,
    donor: Trunk | Weights | None,
    name: str,
    command: str,
    seconds: float,
    figures: Mapping[str, Any],
    timing: Timing,
) -> ModelCard:
    """Return the card of a hardened network, without sha256.

    Args:
        start: card of the variant that was hardened.
        recipe: how it was hardened.
        data: what it was tuned on.
        donor: whose weights took the place of its own, if any.
        name: of the new variant.
        command: that repeats it.
        seconds: that it took.
        figures: what was measured, for `ModelCard.hardening`.
        timing: of its scores, here.
    """
    return replace(
        start,
        variant=name,
        settings=start.settings if recipe.short_side is None else {**start.settings, "short_side": recipe.short_side},
        training=Training(
            dataset=data.name,
            photos=data.photos,
            start=f"{start.stem}, sha256 {start.sha256}" + ("" if donor is None else f"; {donor.words}"),
            command=command,
            seconds=round(seconds, 1),
            settings={"score_seconds": asdict(timing)},
        ),
        measurements=(),
        sha256="",
        versions={
            "python": platform.python_version(),
            **{package: version(package) for package in ("torch", "torchvision", "numpy", "pillow")},
        },
        hardening={"recipe": recipe.to_json(), "key": recipe.key(), **figures},
        range_source=RangeSource("matched", figures["agreement"]["crops"], start.stem),
    )


def check_hardened_card(card: ModelCard) -> ModelCard:
    """Return a card if what it says of a hardening, where it says something, can be read and shown.

    Raises:
        InputError: the recipe is none of this version, or a figure is missing or no number.
    """
    told = card.hardening
    if not told:
        return card
    try:
        HardeningRecipe.from_json(dict(told["recipe"]), place=f"the card of {card.stem}")
        attacked = told["attacked"]
        figures = [attacked[which][name] for which in ("baseline", "hardened") for name in _SHOWN]
        _ = [float(value) for value in (*figures, attacked["crops"], attacked["side"])], str(attacked["attack"])
        agreement = told["agreement"]["srocc"]
        _ = None if agreement is None else float(agreement)
    except ConfigurationError as error:
        raise InputError(
            f"expected a hardening recipe of this version in the card of {card.stem}: {error}; restore it"
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"expected the figures of a hardening in the card of {card.stem}, got ones that do not match ({error!r}); "
            "restore it"
        ) from error
    return card
