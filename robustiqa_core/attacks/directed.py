"""Base of all attacks with a goal."""

from dataclasses import KW_ONLY, dataclass

from robustiqa_core.attacks.calling import CallableAttack
from robustiqa_core.attacks.objective import Direction, Goal


@dataclass(frozen=True, slots=True)
class DirectedAttack(CallableAttack):
    """The goal of an attack whose budget is not a norm ball; a subclass adds its settings, `iterate` and `project`.

    A subclass that validates settings of its own calls `DirectedAttack.__post_init__(self)` first, as for `BallAttack`.

    Args:
        direction: `up` raises the score, `down` lowers it, `away` moves it to the farther end of the score range,
            `towards` brings it to `target`.
        target: score to reach, in the model's unit; only with `towards`.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    _: KW_ONLY
    direction: Direction = "up"
    target: float | None = None

    def __post_init__(self) -> None:
        Goal(self.direction, self.target)

    @property
    def goal(self) -> Goal:
        """Where the score should go."""
        return Goal(self.direction, self.target)
