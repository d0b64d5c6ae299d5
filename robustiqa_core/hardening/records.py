"""What `harden` yields: small frozen records, the last of which is the result."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from robustiqa_core.metrics.correlation import Agreement
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard
from robustiqa_core.pruning import PruningPlan

Stage = Literal["cropping", "scoring", "mapping", "tuning", "measuring", "attacking"]
"""What takes time: making crops, scoring them, computing maps, fine-tuning, measuring, attacking."""


@dataclass(frozen=True, slots=True)
class Inserted:
    """A copy of the baseline has its block.

    Args:
        position: insertion point; None where the recipe has no block.
        parameters: trainable numbers of the block.
    """

    position: str | None
    parameters: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """It is known which filters go; they are masked from here on."""

    plan: PruningPlan


@dataclass(frozen=True, slots=True)
class Progressed:
    """Something went a step further.

    Args:
        stage: what.
        done: finished steps.
        total: all steps of this stage.
        loss: of a step of fine-tuning, else None.
    """

    stage: Stage
    done: int
    total: int
    loss: float | None = None


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch of fine-tuning has ended.

    Args:
        epoch: from 1; 0 for the network before fine-tuning.
        epochs: all of them.
        loss: mean over the epoch's steps; None before the first.
        agreement: of the scores of held-out crops with the baseline's; RMSE in the baseline's unit.
        mos: of the same scores with human ones, where there are labels; no mapping between the two is fitted.
        figure: what chooses the epoch that is kept, where one is chosen: SROCC of the scores of held-out crops, and of
            what the objective's regularizers make of them, with their targets.
        seconds: since the first step, interruptions left out.
    """

    epoch: int
    epochs: int
    loss: float | None
    agreement: Agreement
    mos: Agreement | None
    figure: float
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """The network is as it will stay; what follows is the attack on it.

    Args:
        network: in eval mode, rounded as its checkpoint will be. It may be kept in a cache: copy it to change it.
        agreement: of its scores of held-out crops with the baseline's; RMSE in the baseline's unit.
        mos: of the same scores with human ones, where there are labels.
    """

    network: QualityModel
    agreement: Agreement
    mos: Agreement | None


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one crop's score takes, as measured when the network was made.

    Args:
        baseline: seconds by the baseline.
        hardened: likewise by the hardened network.
        device: where.
    """

    baseline: float
    hardened: float
    device: str


@dataclass(frozen=True, slots=True, eq=False)
class Hardened:
    """The result.

    Args:
        network: that of `Finished`.
        card: with the recipe and the figures in `hardening`, without sha256.
        timing: of the network beside its baseline.
    """

    network: QualityModel
    card: ModelCard
    timing: Timing


HardeningRecord: TypeAlias = Inserted | Pruned | Progressed | Epoch | Finished | Hardened
