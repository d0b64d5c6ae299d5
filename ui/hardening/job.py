"""A hardening as a job: the records that a page follows, and its outcome, a trial. Knows nothing of Streamlit."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from robustiqa_core.attacks.objective import score
from robustiqa_core.hardening import (
    Epoch,
    Finished,
    Hardened,
    HardeningCache,
    HardeningRecipe,
    Inserted,
    Progressed,
    Pruned,
    Timing,
    TuningData,
    harden,
)
from robustiqa_core.images.photo import read_image
from robustiqa_core.images.samples import list_samples
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard
from ui.hardening.progress import ATTACKED, DOING, ShareDone, phases_of
from ui.hardening.recipe import TRIAL, command_of, key_of


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
        card: of the hardened network; `card.hardening` has the figures.
        epochs: of the tuning, with that before the first.
        timing: of the hardened network beside its baseline.
        seconds: that everything took.
        example: what both models say of a sample photo.
    """

    key: str
    recipe: HardeningRecipe
    card: ModelCard
    epochs: tuple[Epoch, ...]
    timing: Timing
    seconds: float
    example: Example

    @property
    def agreement(self) -> float:
        """SROCC with the baseline's scores of held-out crops; 1 = the same order, NaN = undefined."""
        found = self.card.hardening["agreement"]["srocc"]
        return math.nan if found is None else float(found)

    @property
    def mos(self) -> float | None:
        """SROCC with human scores of held-out crops; None without labels."""
        return _srocc(self.card.hardening["mos"])

    @property
    def mos_before(self) -> float | None:
        """The same of the baseline's scores."""
        return _srocc(self.card.hardening["mos_before"])

    @property
    def transfer_gain(self) -> float:
        """AbsGain of the hardened network under the perturbations that were made for the baseline."""
        return self.attacked("transferred")

    @property
    def orthogonality_error(self) -> float | None:
        """Largest |singular value - 1| of the block's convolution; None without a block."""
        block = self.card.hardening["block"]
        return None if block is None else float(block["orthogonality_error"])

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
        """Return a robustness figure, such as `r_score`, under the short attack.

        Args:
            which: `baseline`, `hardened`, or `transferred` for the hardened network under what moved the baseline.
            figure: its name.
        """
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
            case Inserted() | Pruned():
                pass
            case Finished():
                example = _example(source.baseline, record.network)
                mos = None if record.mos is None else record.mos.srocc
                yield HardeningStep(done.share, DOING["attacking"], Found(record.agreement.srocc, mos, example))
            case Hardened():
                trial = Trial(
                    key=key_of(recipe, source.card.sha256),
                    recipe=recipe,
                    card=record.card,
                    epochs=tuple(epochs),
                    timing=record.timing,
                    seconds=round(time.monotonic() - started, 2),
                    example=example or _example(source.baseline, record.network),
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


def _srocc(found: dict[str, Any] | None) -> float | None:
    return None if found is None or found["srocc"] is None else float(found["srocc"])
