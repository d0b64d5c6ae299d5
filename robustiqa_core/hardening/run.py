"""The hardening of a model by a recipe: insert, prune, tune, bake, measure; an iterator of small records."""

import copy
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from robustiqa_core.attacks import PGD, Attack, spell_attack
from robustiqa_core.blocks import block_at, insert
from robustiqa_core.checkpoints.storage import as_scorer
from robustiqa_core.checks import check_count
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening.cache import HardeningCache, fingerprint, numbers_of
from robustiqa_core.hardening.crops import KeptCrops, to_images
from robustiqa_core.hardening.cut import Cut, Suffix, find_cut
from robustiqa_core.hardening.data import TuningData, key_of
from robustiqa_core.hardening.hints import hint_places
from robustiqa_core.hardening.lessons import Holdout, agreements
from robustiqa_core.hardening.measuring import (
    attacked,
    attacked_figures,
    calibrate,
    hardened_card,
    rescale_last_layer,
)
from robustiqa_core.hardening.photo_tuning import tune_on_photos
from robustiqa_core.hardening.preparation import BATCH, TeacherOutputs, kept_crops, kept_maps, teacher_outputs
from robustiqa_core.hardening.recipe import HardeningRecipe
from robustiqa_core.hardening.records import Epoch, Finished, Hardened, HardeningRecord, Inserted, Progressed, Pruned
from robustiqa_core.hardening.trunk import Trunk, Weights
from robustiqa_core.hardening.tuning import scores_of, tune_on_maps
from robustiqa_core.models import QualityModel, set_short_side
from robustiqa_core.models.card import ModelCard
from robustiqa_core.pruning import CRITERIA, PruningPlan, bake, masked, plan
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
    if (recipe.model, recipe.start) != (card.model, card.variant) or data.labelled == recipe.is_distillation:
        raise ConfigurationError(
            f"expected a baseline and data for the recipe ({recipe.model} {recipe.start}, {recipe.data}), got "
            f"{card.model} {card.variant} and {data.name}; load what the recipe names"
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
    most = data.validation_count
    attacked_crops = check_count("attacked_crops", attacked_crops or min(_ATTACKED_CROPS, most), low=2, high=most)
    task = _Task(
        recipe,
        baseline,
        card,
        data,
        trunk,
        weights,
        name,
        command,
        attack,
        attacked_crops,
        cache or HardeningCache(),
        run_dir,
        workers,
    )
    return task.remembered()


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
    count = attacked_crops or min(_ATTACKED_CROPS, data.validation_count)
    return _Task(recipe, baseline, card, data, None, None, "", "", attack, count, cache, None, 0).prepared()


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """The arguments of `harden`, and its steps."""

    recipe: HardeningRecipe
    baseline: QualityModel
    card: ModelCard
    data: TuningData
    trunk: Trunk | None
    weights: Weights | None
    name: str
    command: str
    attack: Attack
    attacked_crops: int
    cache: HardeningCache
    run_dir: Path | None
    workers: int

    def remembered(self) -> Iterator[HardeningRecord]:
        """Yield the records that are known, else those of the work."""
        crops = [key_of(self.data.training, []), key_of(self.data.validation, self.data.validation_samples)]
        named = (self.name, self.command, spell_attack(self.attack), self.attacked_crops, self._donor_sha256)
        key = fingerprint(numbers_of(self.baseline), self.recipe.key(), crops, named)
        known = self.cache.results.get(key)
        if known is not None:
            yield from cast(tuple[HardeningRecord, ...], known)
            return
        lasting: list[HardeningRecord] = []
        for record in self.records():
            if not isinstance(record, Progressed):
                lasting.append(record)
            if isinstance(record, Hardened):
                self.cache.results.put(key, tuple(lasting))
            yield record

    def prepared(self) -> Iterator[Progressed]:
        """Compute what no position, block or pruning changes."""
        teacher = as_scorer(copy.deepcopy(self.baseline))
        holdout = yield from self._holdout(teacher)
        if self.recipe.keeps_maps:
            crops = yield from self._training()
            if not self.data.labelled:
                yield from self._answers(teacher, crops)
        yield from attacked(self.baseline, holdout.crops.first(self.attacked_crops), self.attack, self.cache)

    def records(self) -> Iterator[HardeningRecord]:
        """Do the work."""
        state_dir = self._state_dir
        resumes = state_dir is not None and state_path(state_dir).is_file()
        started = time.monotonic() - (read_progress(state_dir).seconds if state_dir and resumes else 0.0)
        start = yield from self._start()
        network = self._inserted(start)
        position = self.recipe.position
        yield Inserted(position, 0 if position is None else _parameters(block_at(network, position)))
        pruning = yield from self._plan(network)
        yield Pruned(pruning)
        network = masked(network, pruning)
        teacher = as_scorer(copy.deepcopy(self.baseline))
        holdout = yield from self._holdout(teacher)
        yield from self._tuned(network, teacher, holdout)
        mix_with(network, start, self.recipe.mix)
        round_to_half(network)
        raw = yield from self._scores(network, holdout)
        network = bake(network, pruning).eval().requires_grad_(False)
        yield from self._measured(network, raw, pruning, holdout, started)

    @property
    def _donor_sha256(self) -> dict[str, str]:
        """Which weights of another model are taken, for the card."""
        taken = {"trunk_sha256": self.trunk, "weights_sha256": self.weights}
        return {name: donor.sha256 for name, donor in taken.items() if donor is not None}

    @property
    def _state_dir(self) -> Path | None:
        """Where tuning on photos saves its state.

        Another recipe must not go on from this one's, unless only the mixing at the end is another.
        """
        return self.run_dir and self.run_dir / replace(self.recipe, mix=1.0).key()

    def _start(self) -> Generator[Progressed, None, QualityModel]:
        """Return what the tuning starts from: the baseline, or a copy with another trunk, its last layer rescaled."""
        if self.trunk is None:
            return self.baseline
        start = copy.deepcopy(self.baseline)
        self.trunk.put_into(start)
        holdout = yield from self._holdout(as_scorer(copy.deepcopy(self.baseline)))
        answers = yield from teacher_outputs(start, holdout.crops, self.cache)
        rescale_last_layer(start, answers.scores, holdout.baseline)
        return start

    def _inserted(self, start: QualityModel) -> QualityModel:
        """Return a copy of the start, with the weights it takes and its block; all are free to learn."""
        network = copy.deepcopy(start).eval().requires_grad_(True)
        if self.weights is not None:
            self.weights.put_into(network)
        if self.recipe.short_side is not None:
            set_short_side(network, self.recipe.short_side)
        if self.recipe.position is not None and self.recipe.block is not None:
            network = insert(network, self.recipe.position, self.recipe.block)
        return network.to(memory_format=torch.channels_last)

    def _training(self) -> Generator[Progressed, None, KeptCrops]:
        samples = self.data.training_samples(0, self.recipe.seed)
        return kept_crops(self.data.training, samples, self.cache, workers=self.workers)

    def _plan(self, network: QualityModel) -> Generator[Progressed, None, PruningPlan]:
        """Return which filters go."""
        settings = self.recipe.pruning
        if not CRITERIA[settings.criterion].needs_photos or settings.ratio == 0:
            return plan(network, settings)
        crops = yield from self._training()
        known = crops.first(_CRITERION_CROPS)
        pixels, mos = known.pixels, known.targets
        labelled = mos.isfinite()
        if labelled.any():
            pixels, mos = pixels[labelled], mos[labelled]
        images = (to_images(part, network.k.device) for part in torch.split(pixels, BATCH))
        return plan(network, settings, images=images, mos=mos if labelled.any() else None)

    def _holdout(self, teacher: QualityModel) -> Generator[Progressed, None, Holdout]:
        """Return what the network is held against."""
        data = self.data
        crops = yield from kept_crops(data.validation, data.validation_samples, self.cache, workers=self.workers)
        baseline = yield from teacher_outputs(teacher, crops, self.cache)
        return Holdout(crops, baseline.scores, data.labelled, self.baseline.score_range)

    def _cut(self, network: QualityModel) -> Cut | None:
        """Return where the network is cut; None without a block."""
        return None if self.recipe.position is None else find_cut(network, self.recipe.position)

    def _tuned(self, network: QualityModel, teacher: QualityModel, holdout: Holdout) -> Iterator[Progressed | Epoch]:
        """Tune the network in place."""
        cut = self._cut(network)
        if cut is not None and self.recipe.keeps_maps:
            yield from self._on_maps(network, cut, teacher, holdout)
            return
        yield from tune_on_photos(
            network,
            cut,
            self.recipe,
            self.data,
            teacher=teacher,
            holdout=holdout,
            run_dir=self._state_dir,
            workers=self.workers,
        )

    def _answers(self, teacher: QualityModel, crops: KeptCrops) -> Generator[Progressed, None, TeacherOutputs]:
        """Return what the teacher makes of crops, at all places that any position could ask for."""
        places = hint_places(teacher, None) if self.recipe.hint_weight else ()
        return (yield from teacher_outputs(teacher, crops, self.cache, places=places, precision=self.recipe.precision))

    def _on_maps(
        self, network: QualityModel, cut: Cut, teacher: QualityModel, holdout: Holdout
    ) -> Iterator[Progressed | Epoch]:
        """Tune on maps that are computed once; what judges is computed in float32."""
        precision = self.recipe.precision
        crops = yield from self._training()
        if not self.data.labelled:
            known = yield from self._answers(teacher, crops)
            places = hint_places(network, cut) if self.recipe.hint_weight else ()
            answers = TeacherOutputs(known.scores, {place: known.maps[place] for place in places})
        elif crops.targets.isnan().any():
            taught = (yield from teacher_outputs(teacher, crops, self.cache)).scores
            answers = TeacherOutputs(holdout.complete(crops.targets, taught.__getitem__), {})
        else:
            answers = TeacherOutputs(crops.targets, {})
        maps = yield from kept_maps(network, cut, crops, self.cache, precision=precision)
        held_out = yield from kept_maps(network, cut, holdout.crops, self.cache)
        yield from tune_on_maps(
            network, cut, self.recipe, self.data, maps=maps, answers=answers, held_out=held_out, holdout=holdout
        )

    def _scores(self, network: QualityModel, holdout: Holdout) -> Generator[Progressed, None, Tensor]:
        """Return the scores (N,) of the holdout's crops by the rounded network.

        Where its front did not learn, its maps of them are there already, unless rounding has changed it.
        """
        cut = self._cut(network)
        if cut is None or not self.recipe.keeps_maps:
            return (yield from teacher_outputs(network, holdout.crops, self.cache)).scores
        maps = yield from kept_maps(network, cut, holdout.crops, self.cache)
        return scores_of(Suffix(network, cut), maps)

    def _measured(
        self, network: QualityModel, raw: Tensor, pruning: PruningPlan, holdout: Holdout, started: float
    ) -> Iterator[HardeningRecord]:
        """Bring the raw scores to the baseline's scale, and measure what the card says."""
        scores = calibrate(network, raw, holdout.baseline)
        agreement, mos = agreements(scores, holdout.baseline, holdout.mos)
        yield Finished(network, agreement, mos)
        crops = holdout.crops.first(self.attacked_crops)
        before = yield from attacked(self.baseline, crops, self.attack, self.cache)
        after = yield from attacked(network, crops, self.attack, self.cache)
        figures = {
            "start_sha256": self.card.sha256,
            **self._donor_sha256,
            "agreement": {"crops": len(scores), **asdict(agreement)},
            "mos": None if mos is None else {"crops": len(scores), **asdict(mos)},
            "spread": round((raw.std() / holdout.baseline.std()).item(), 4),
            "filters": {"before": pruning.filters, "removed": pruning.removed},
            "cost": {"before": asdict(pruning.before), "after": asdict(pruning.after)},
            "attacked": attacked_figures(self.attack, crops, before, after),
        }
        card = hardened_card(
            self.card,
            self.recipe,
            self.data,
            donor=self.trunk or self.weights,
            name=self.name,
            command=self.command,
            seconds=time.monotonic() - started,
            figures=figures,
        )
        yield Hardened(network, card)


@torch.no_grad()
def mix_with(network: QualityModel, start: QualityModel, share: float) -> None:
    """Set a network's weights, in place, to a mean of its own and those of its start; what the start lacks stays.

    Args:
        network: tuned from the start.
        start: not touched.
        share: of the network's own weights, in (0, 1].

    Source: M. Wortsman et al., "Robust Fine-Tuning of Zero-Shot Models", CVPR 2022.
    """
    if share == 1.0:
        # Not the same to the last bit otherwise: -0 would become 0, and what is kept under a hash be lost.
        return
    known = start.state_dict()
    for name, value in network.state_dict().items():
        if name in known and value.is_floating_point():
            value.copy_(torch.lerp(known[name], value, share))


def _parameters(block: nn.Module) -> int:
    return sum(parameter.numel() for parameter in block.parameters())
