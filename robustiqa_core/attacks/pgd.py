"""Projected gradient descent: repeated steepest steps within a norm ball."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

from torch import Tensor

from robustiqa_core.attacks import objective, projections
from robustiqa_core.attacks.objective import DIRECTIONS, SIGNS, Direction
from robustiqa_core.attacks.projections import MAX_SEED, NORMS, Norm
from robustiqa_core.attacks.records import Trial
from robustiqa_core.checks import check_choice, check_count, check_fraction
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.scorer import Scorer


@dataclass(frozen=True, slots=True)
class PGD:
    """PGD on the score: x <- project(x + step_size * steepest(gradient of the score at x)), with a minus for `down`.

    Args:
        eps: size of the ball, as a fraction of [0, 1]: the largest change of a pixel value (`linf`), or the root mean
            square of the changes (`l2`). 4/255 is usual.
        step_size: size of a step in the same unit; None for 2.5 * eps / steps, see `effective_step_size`.
        steps: gradient steps; 10 is usual.
        norm: `linf` or `l2`.
        direction: `up` raises the score, `down` lowers it.
        random_start: start at a random point of the ball instead of the photo itself, which gets away
            where the gradient at the photo is hidden.
        seed: of the random point.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: A. Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018, section 2.1.
    """

    eps: float = 4 / 255
    _: KW_ONLY
    step_size: float | None = None
    steps: int = 10
    norm: Norm = "linf"
    direction: Direction = "up"
    random_start: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_fraction("eps", self.eps)
        if self.step_size is not None:
            check_fraction("step_size", self.step_size)
        check_count("steps", self.steps)
        check_choice("norm", self.norm, NORMS)
        check_choice("direction", self.direction, DIRECTIONS)
        if not isinstance(self.random_start, bool):
            raise ConfigurationError(f"random_start must be True or False, got {self.random_start!r}; change it")
        check_count("seed", self.seed, low=0, high=MAX_SEED)

    @property
    def effective_step_size(self) -> float:
        """`step_size`, or by default 2.5 * eps / steps.

        With that every point of the ball can be reached from every other, with some steps to spare (Madry et al.,
        section 5).
        """
        return 2.5 * self.eps / self.steps if self.step_size is None else self.step_size

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the start and the point after each step; see `Attack`."""
        step = SIGNS[self.direction] * self.effective_step_size
        adversarial = images
        if self.random_start:
            adversarial = projections.random_point(images, eps=self.eps, norm=self.norm, seed=self.seed)
        for _ in range(self.steps):
            scores, gradient = objective.score_gradient(scorer, adversarial)
            yield Trial(adversarial, scores)
            moved = projections.steepest(gradient, self.norm).mul_(step).add_(adversarial)
            adversarial = self.project(moved, images)
        yield Trial(adversarial, objective.score(scorer, adversarial))

    def project(self, adversarial: Tensor, images: Tensor) -> Tensor:
        """Return `adversarial` within the ball round `images` and within [0, 1]."""
        return projections.project(adversarial, images, eps=self.eps, norm=self.norm)

    def improves(self, scores: Tensor, best_scores: Tensor) -> Tensor:
        """Return whether each score is farther in the direction than the best so far."""
        return objective.improves(scores, best_scores, self.direction)
