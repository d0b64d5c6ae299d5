"""Random noise of the same size as an attack: the null that every attack has to beat."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from torch import Tensor

from robustiqa_core.attacks import objective, projections
from robustiqa_core.attacks.calling import CallableAttack
from robustiqa_core.attacks.projections import MAX_SEED, NORMS, Norm
from robustiqa_core.attacks.records import Trial
from robustiqa_core.checks import check_choice, check_count, check_fraction
from robustiqa_core.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Noise(CallableAttack):
    """One draw of noise, uniform in the norm ball; no gradient, and no choice of the better of two images.

    The score may move either way. All images of a batch get the same draw, so that
    the result of an image does not depend on its batch; use several seeds for several draws.

    Args:
        eps: size of the ball, as a fraction of [0, 1], in the unit of `norm` as for PGD; 4/255 is usual.
        norm: `linf` (each value on its own, uniform in [-eps, eps]; its root mean square is eps / sqrt(3)) or `l2`
            (a uniformly random direction, with a root mean square of nearly eps).
        seed: of the draw.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    steps: ClassVar[int] = 1
    goal: ClassVar[None] = None

    eps: float = 4 / 255
    _: KW_ONLY
    norm: Norm = "linf"
    seed: int = 0

    def __post_init__(self) -> None:
        check_fraction("eps", self.eps)
        check_choice("norm", self.norm, NORMS)
        check_count("seed", self.seed, low=0, high=MAX_SEED)

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the photo and the photo with noise; see `Attack`."""
        yield Trial(images, objective.score(scorer, images))
        noisy = projections.random_point(images, eps=self.eps, norm=self.norm, seed=self.seed)
        yield Trial(noisy, objective.score(scorer, noisy))

    def project(self, adversarial: Tensor, images: Tensor) -> Tensor:
        """Return `adversarial` within the ball round `images` and within [0, 1]."""
        return projections.project(adversarial, images, eps=self.eps, norm=self.norm)
