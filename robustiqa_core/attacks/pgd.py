"""Projected gradient descent: repeated steepest steps within a norm ball."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

from torch import Tensor

from robustiqa_core.attacks import objective, projections
from robustiqa_core.attacks.ball import BallAttack
from robustiqa_core.attacks.projections import MAX_SEED
from robustiqa_core.attacks.records import Trial
from robustiqa_core.checks import check_count, check_flag, check_fraction
from robustiqa_core.scorer import Scorer

LONGEST = 1 / 255
"""Longest step from the photo by default, where it is long enough: the score of a bundled model bends within more."""


@dataclass(frozen=True, slots=True)
class PGD(BallAttack):
    """PGD on the score: x <- project(x + step_size * steepest(gradient of the goal at x)).

    Args:
        eps: size of the ball; see `BallAttack` for this, `norm`, `direction` and `target`.
        step_size: size of a step in the same unit; None for what `effective_step_size` says.
        steps: gradient steps; 10 is usual.
        random_start: start at a random point of the ball instead of the photo itself. It helps where the gradient
            at the photo is hidden; elsewhere it gains a few percent less, since the random part must be undone first.
        seed: of the random point.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: A. Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018, section 2.1.
    """

    _: KW_ONLY
    step_size: float | None = None
    steps: int = 10
    random_start: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        BallAttack.__post_init__(self)
        if self.step_size is not None:
            check_fraction("step_size", self.step_size)
        check_count("steps", self.steps)
        check_flag("random_start", self.random_start)
        check_count("seed", self.seed, low=0, high=MAX_SEED)

    @property
    def effective_step_size(self) -> float:
        """`step_size`, or by default 2.5 * eps / steps, or less.

        With that every point of the ball can be reached from every other, with some steps to spare (Madry et al.,
        section 5). From the photo half of the way is enough; there a step is no longer than LONGEST where the border
        can be reached all the same. Without this limit ten steps gained less at 8/255 than at 4/255; see
        docs/notebook/attacks.md.
        """
        if self.step_size is not None:
            return self.step_size
        reach = 2.5 * self.eps / self.steps
        return reach if self.random_start else max(min(reach, LONGEST), reach / 2)

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the start and the point after each step; see `Attack`."""
        adversarial = images
        if self.random_start:
            adversarial = projections.random_point(images, eps=self.eps, norm=self.norm, seed=self.seed)
        ascent = objective.Ascent(self.goal, scorer, images)
        for _ in range(self.steps):
            scores, gradient = ascent.gradient(adversarial)
            yield Trial(adversarial, scores)
            move = projections.steepest(gradient, self.norm)
            size = ascent.step_sizes(scores, gradient, move, self.effective_step_size)
            adversarial = self.project(move.mul_(size).add_(adversarial), images)
        yield Trial(adversarial, objective.score(scorer, adversarial))
