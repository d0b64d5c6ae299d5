"""Base of all attacks within a norm ball."""

from dataclasses import KW_ONLY, dataclass

from torch import Tensor

from robustiqa_core.attacks import projections
from robustiqa_core.attacks.calling import CallableAttack
from robustiqa_core.attacks.objective import Direction, Goal
from robustiqa_core.attacks.projections import NORMS, Norm
from robustiqa_core.checks import check_choice, check_fraction


@dataclass(frozen=True, slots=True)
class BallAttack(CallableAttack):
    """The budget and the goal of an attack within a norm ball; a subclass adds its settings and `iterate`.

    A subclass that validates settings of its own calls `BallAttack.__post_init__(self)` first: a dataclass with slots
    is made anew, which `super()` without arguments does not see.

    Args:
        eps: size of the ball, as a fraction of [0, 1]: the largest change of a pixel value (`linf`), or the root mean
            square of the changes (`l2`). 4/255 is usual.
        norm: `linf` or `l2`.
        direction: `up` raises the score, `down` lowers it, `away` moves it to the farther end of the score range,
            `towards` brings it to `target`.
        target: score to reach, in the model's unit; only with `towards`.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    eps: float = 4 / 255
    _: KW_ONLY
    norm: Norm = "linf"
    direction: Direction = "up"
    target: float | None = None

    def __post_init__(self) -> None:
        check_fraction("eps", self.eps)
        check_choice("norm", self.norm, NORMS)
        Goal(self.direction, self.target)

    @property
    def goal(self) -> Goal:
        """Where the score should go."""
        return Goal(self.direction, self.target)

    def project(self, adversarial: Tensor, images: Tensor) -> Tensor:
        """Return `adversarial` within the ball round `images` and within [0, 1]."""
        return projections.project(adversarial, images, eps=self.eps, norm=self.norm)
