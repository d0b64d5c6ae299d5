"""A hardening as a job: the records that a page follows, and its outcome, a trial. Knows nothing of Streamlit."""

import copy
import dataclasses
import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from robustiqa_core.attacks.objective import score
from robustiqa_core.blocks import block_at, orthogonality_error
from robustiqa_core.checkpoints.storage import as_scorer
from robustiqa_core.hardening import (
    SHORT_ATTACK,
    Epoch,
    Finished,
    Hardened,
    HardeningCache,
    HardeningRecipe,
    Inserted,
    Progressed,
    Pruned,
    TuningData,
    harden,
)
from robustiqa_core.hardening.crops import to_images
from robustiqa_core.hardening.lessons import agreements
from robustiqa_core.hardening.measuring import attacked
from robustiqa_core.hardening.preparation import kept_crops, teacher_outputs
from robustiqa_core.images.photo import read_image
from robustiqa_core.images.samples import list_samples
from robustiqa_core.metrics.figures import robustness_figures
from robustiqa_core.metrics.scale import Scale
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard
from robustiqa_core.scorer import Scorer
from ui.hardening.progress import ATTACKED, DOING, ShareDone, phases_of
from ui.hardening.recipe import TRIAL, command_of, key_of

_TURNS = 25
"""How often both models are timed, by turns: other work on the machine then slows both."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What a hardening starts from.

    Args:
        baseline: network that is hardened, on its device; not touched.
        card: of the same.
        data: what it is tuned on.
        cache: where crops, scores, maps and results are kept.
    """

    baseline: QualityModel
    card: ModelCard
    data: TuningData
    cache: HardeningCache


@dataclass(frozen=True, slots=True)
class Example:
    """What the baseline and the hardened network say of one photo.

    Args:
        title: of the photo.
        before: score by the baseline.
        after: score by the hardened network.
    """

    title: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a hardened network before it is attacked.

    Args:
        agreement: SROCC with the baseline's scores of held-out crops; None where it is undefined.
        mos: SROCC with human scores of the same; None without labels.
        example: its score of a sample photo.
    """

    agreement: float | None
    mos: float | None
    example: Example


News = Epoch | Found


@dataclass(frozen=True, slots=True)
class HardeningStep:
    """The state of a hardening at a point where it can be stopped.

    Args:
        share: of the work that is done, in [0, 1].
        doing: what it is about to do, in words.
        news: the epoch that has just ended, or what was found of the finished network; None at any other step.
    """

    share: float
    doing: str
    news: News | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A finished hardening: what was asked, and the figures; the network is kept elsewhere.

    Args:
        key: name under which it is kept.
        recipe: what was asked.
        card: of the hardened network; `card.hardening` has agreement, spread, filters, cost and both attacked figures.
        epochs: of the tuning, with that before the first.
        mos_before: SROCC of the baseline's scores with human ones; None without labels.
        transfer_gain: AbsGain of the hardened network under the perturbations that were made for the baseline.
        orthogonality_error: largest |singular value - 1| of the block's convolution; None without a block.
        block_parameters: trainable numbers of the block; 0 without one.
        baseline_seconds: time of one crop's score by the baseline.
        hardened_seconds: likewise by the hardened network.
        seconds: that everything took.
        device: where it ran.
        example: what both models say of a sample photo.
    """

    key: str
    recipe: HardeningRecipe
    card: ModelCard
    epochs: tuple[Epoch, ...]
    mos_before: float | None
    transfer_gain: float
    orthogonality_error: float | None
    block_parameters: int
    baseline_seconds: float
    hardened_seconds: float
    seconds: float
    device: str
    example: Example

    @property
    def agreement(self) -> float:
        """SROCC with the baseline's scores of held-out crops; 1 = the same order, NaN = undefined."""
        found = self.card.hardening["agreement"]["srocc"]
        return math.nan if found is None else float(found)

    @property
    def mos(self) -> float | None:
        """SROCC with human scores of held-out crops; None without labels."""
        found = self.card.hardening["mos"]
        return None if found is None or found["srocc"] is None else float(found["srocc"])

    @property
    def spread(self) -> float:
        """Spread of the scores before they were stretched to the baseline's, as a share of the baseline's."""
        return float(self.card.hardening["spread"])

    @property
    def removed(self) -> float:
        """Share of the filters that went."""
        filters = self.card.hardening["filters"]
        return float(filters["removed"] / filters["before"]) if filters["before"] else 0.0

    def attacked(self, which: str, figure: str = "absolute_gain") -> float:
        """Return a robustness figure, such as `r_score`, of `baseline` or `hardened` under the short attack."""
        return float(self.card.hardening["attacked"][which][figure])

    def to_json(self) -> dict[str, Any]:
        """Return the trial as a JSON object."""
        taken = dataclasses.asdict(dataclasses.replace(self, recipe=None, card=None))  # type: ignore[arg-type]
        return {**taken, "recipe": self.recipe.to_json(), "figures": dict(self.card.hardening)}


HardeningJobRecord = HardeningStep | Trial
Keep = Callable[[Trial, QualityModel], object]


def hardening_records(recipe: HardeningRecipe, source: Source, keep: Keep) -> Iterator[HardeningJobRecord]:
    """Yield each step of a hardening, and the trial.

    Args:
        recipe: how.
        source: what it starts from.
        keep: given the trial and its network, before the trial is yielded.

    Raises:
        RobustIQAError: as `harden`.
    """
    started = time.monotonic()
    done = ShareDone(phases_of(recipe, source.card))
    epochs: list[Epoch] = []
    parameters = 0
    example: Example | None = None
    yield HardeningStep(0.0, "Reading the photos")
    records = harden(
        recipe,
        source.baseline,
        source.card,
        source.data,
        name=TRIAL,
        command=command_of(recipe, TRIAL),
        cache=source.cache,
        attacked_crops=min(ATTACKED, source.data.validation_count),
    )
    for record in records:
        match record:
            case Progressed():
                yield HardeningStep(done.after(record), DOING[record.stage])
            case Epoch():
                epochs.append(record)
                yield HardeningStep(done.share, f"Epoch {record.epoch} of {record.epochs} has ended", record)
            case Inserted():
                parameters = record.parameters
            case Pruned():
                pass
            case Finished():
                example = _example(source.baseline, record.network)
                mos = None if record.mos is None else record.mos.srocc
                yield HardeningStep(done.share, DOING["attacking"], Found(record.agreement.srocc, mos, example))
            case Hardened():
                example = example or _example(source.baseline, record.network)
                made = yield from _judged(recipe, source, record, tuple(epochs), example, done)
                trial = dataclasses.replace(
                    made, block_parameters=parameters, seconds=round(time.monotonic() - started, 2)
                )
                keep(trial, record.network)
                yield trial


def news_of(record: HardeningJobRecord) -> News | None:
    """Return what a record has to tell, for the trace of a job; None where there is nothing."""
    return record.news if isinstance(record, HardeningStep) else None


def _example(baseline: QualityModel, hardened: QualityModel) -> Example:
    """Return what both say of the first sample photo."""
    photo = list_samples()[0]
    image = read_image(photo.path).images.to(baseline.k.device)
    before, after = (score(network, image).item() for network in (baseline, hardened))
    return Example(photo.title, before, after)


def _judged(
    recipe: HardeningRecipe,
    source: Source,
    made: Hardened,
    epochs: tuple[Epoch, ...],
    example: Example,
    done: ShareDone,
) -> Generator[HardeningStep, None, Trial]:
    """Return the trial with what the card does not say: transfer, orthogonality, time, the baseline's own SROCC."""
    baseline = as_scorer(copy.deepcopy(source.baseline))
    hardened = as_scorer(copy.deepcopy(made.network))
    data = source.data
    crops = yield from _quietly(kept_crops(data.validation, data.validation_samples, source.cache, workers=0), done)
    answers = yield from _quietly(teacher_outputs(baseline, crops, source.cache), done)
    mos = agreements(answers.scores, answers.scores, crops.targets if data.labelled else None)[1]
    chosen = crops.first(min(ATTACKED, len(crops)))
    # What the core's own attack on the baseline has left.
    moved = yield from _quietly(attacked(source.baseline, chosen, SHORT_ATTACK, source.cache), done)
    clean = to_images(chosen.pixels, made.network.k.device)
    transferred = robustness_figures(
        score(hardened, clean).double().cpu().numpy(),
        score(hardened, moved.adversarial.to(clean)).double().cpu().numpy(),
        Scale("baseline", made.network.score_range),
    )
    before, after = seconds_by_turns(baseline, hardened, clean[:1])
    return Trial(
        key=key_of(recipe, source.card.sha256),
        recipe=recipe,
        card=made.card,
        epochs=epochs,
        mos_before=None if mos is None else mos.srocc,
        transfer_gain=transferred.absolute_gain,
        orthogonality_error=block_error(made.network, recipe),
        block_parameters=0,
        baseline_seconds=before,
        hardened_seconds=after,
        seconds=0.0,
        device=str(source.baseline.k.device),
        example=example,
    )


def _quietly(records: Generator[Progressed, None, Any], done: ShareDone) -> Generator[HardeningStep, None, Any]:
    """Turn the progress of the core into steps of the job; return what the core returns."""
    while True:
        try:
            record = next(records)
        except StopIteration as end:
            return end.value
        yield HardeningStep(done.after(record), DOING[record.stage])


def block_error(network: QualityModel, recipe: HardeningRecipe) -> float | None:
    """Return by how much the singular values of a network's block differ from 1 at most; None without a block."""
    if recipe.position is None or recipe.block is None:
        return None
    settings, block = recipe.block, block_at(network, recipe.position)
    side = settings.grid or 8
    return orthogonality_error(block.get_submodule("convolution"), settings.width, side, side)


def seconds_by_turns(one: Scorer, other: Scorer, images: Tensor) -> tuple[float, float]:
    """Return how long two models take to score images, in turns after one that is not counted.

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
