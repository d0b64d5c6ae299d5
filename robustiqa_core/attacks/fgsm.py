"""Fast gradient sign method: one steepest step to the border of the norm ball."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from robustiqa_core.attacks.ball import BallAttack
from robustiqa_core.attacks.pgd import PGD
from robustiqa_core.attacks.records import Trial
from robustiqa_core.scorer import Scorer


@dataclass(frozen=True, slots=True)
class FGSM(BallAttack):
    """One step of size `eps` from the photo itself: PGD with a single step and no random start.

    Args: see `BallAttack`; the published method is `linf`, the sign of the gradient.

    Source: I. Goodfellow et al., "Explaining and Harnessing Adversarial Examples", ICLR 2015, section 4. Where the
    step does not improve on the photo, the photo itself is the result here.
    """

    steps: ClassVar[int] = 1

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the photo and the point after the step; see `Attack`."""
        as_pgd = PGD(
            self.eps,
            step_size=self.eps,
            steps=1,
            norm=self.norm,
            direction=self.direction,
            target=self.target,
            random_start=False,
        )
        return as_pgd.iterate(scorer, images)
