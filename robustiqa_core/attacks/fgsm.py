"""Fast gradient sign method: one steepest step to the border of the norm ball."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from torch import Tensor

from robustiqa_core.attacks.objective import Direction
from robustiqa_core.attacks.pgd import PGD
from robustiqa_core.attacks.projections import Norm
from robustiqa_core.attacks.records import Trial
from robustiqa_core.scorer import Scorer


@dataclass(frozen=True, slots=True)
class FGSM:
    """One step of size `eps` from the photo itself: PGD with a single step and no random start.

    Args:
        eps: size of the step, as a fraction of [0, 1], in the unit of `norm` as for PGD; 4/255 is usual.
        norm: `linf` (the published method: the sign of the gradient) or `l2`.
        direction: `up` raises the score, `down` lowers it.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: I. Goodfellow et al., "Explaining and Harnessing Adversarial Examples", ICLR 2015, section 4. Where the
    step does not improve on the photo, the photo itself is the result here.
    """

    steps: ClassVar[int] = 1

    eps: float = 4 / 255
    _: KW_ONLY
    norm: Norm = "linf"
    direction: Direction = "up"

    def __post_init__(self) -> None:
        self._as_pgd()

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the photo and the point after the step; see `Attack`."""
        return self._as_pgd().iterate(scorer, images)

    def project(self, adversarial: Tensor, images: Tensor) -> Tensor:
        """Return `adversarial` within the ball round `images` and within [0, 1]."""
        return self._as_pgd().project(adversarial, images)

    def improves(self, scores: Tensor, best_scores: Tensor) -> Tensor:
        """Return whether each score is farther in the direction than the best so far."""
        return self._as_pgd().improves(scores, best_scores)

    def _as_pgd(self) -> PGD:
        return PGD(self.eps, step_size=self.eps, steps=1, norm=self.norm, direction=self.direction, random_start=False)
