"""Colour attack: one smooth colour map for the whole photo; its structure stays."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from functools import partial

from torch import Tensor

from robustiqa_core.attacks import objective, projections
from robustiqa_core.attacks.directed import DirectedAttack
from robustiqa_core.attacks.records import Trial
from robustiqa_core.attacks.transformation import pull_back, recolour
from robustiqa_core.checks import check_count, check_fraction
from robustiqa_core.scorer import Scorer

LEVELS = 8
"""Levels of red, of green and of blue at which the lattice has a shift.

They lie 36/255 apart, so that up to a strength of 18/255 no two colours that differ in one channel change places.
"""


@dataclass(frozen=True, slots=True)
class Colour(DirectedAttack):
    """Sign ascent on the shifts of a lattice of 8 x 8 x 8 colours, between which colours move trilinearly.

    Pixels of one colour move alike, and so do similar colours: the result is a photo with other colours.
    `iterate` bounds the map; `project` sees only images and bounds their change.

    Args:
        eps: how far a channel of a colour may move, as a fraction of [0, 1]; 16/255 is usual.
        steps: gradient steps of 2.5 * eps / steps.
        direction: see `DirectedAttack` for this and `target`.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: C. Laidlaw and S. Feizi, "Functional Adversarial Attacks", NeurIPS 2019 (ReColorAdv): a map of colours on a
    lattice. There the lattice is finer, in CIELUV, and a penalty keeps it smooth; here it is coarse, in RGB, as the
    scorers are.
    """

    eps: float = 16 / 255
    _: KW_ONLY
    steps: int = 10

    def __post_init__(self) -> None:
        DirectedAttack.__post_init__(self)
        check_fraction("eps", self.eps)
        check_count("steps", self.steps)

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the photo and the point after each step; see `Attack`."""
        ascent = objective.Ascent(self.goal, scorer, images)
        adversarial, lattice = images, images.new_zeros((len(images), 3, LEVELS, LEVELS, LEVELS))
        for _ in range(self.steps):
            scores, gradient = ascent.gradient(adversarial)
            yield Trial(adversarial, scores)
            climb = pull_back(partial(recolour, images), lattice, gradient)
            lattice = (lattice + (2.5 * self.eps / self.steps) * climb.sign()).clamp_(-self.eps, self.eps)
            adversarial = self.project(recolour(images, lattice), images)
        yield Trial(adversarial, objective.score(scorer, adversarial))

    def project(self, adversarial: Tensor, images: Tensor) -> Tensor:
        """Return `adversarial` with no value farther than `eps` from that of `images`, and within [0, 1]."""
        return projections.project(adversarial, images, eps=self.eps, norm="linf")
