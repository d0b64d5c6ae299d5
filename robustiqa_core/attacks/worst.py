"""The worst of several attacks for each photo, within a shared gradient budget."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

import torch
from torch import Tensor

from robustiqa_core.attacks import objective, projections
from robustiqa_core.attacks.apgd import APGD
from robustiqa_core.attacks.directed import DirectedAttack
from robustiqa_core.attacks.low_frequency import LowFrequency
from robustiqa_core.attacks.mi_fgsm import MIFGSM
from robustiqa_core.attacks.projections import MAX_SEED
from robustiqa_core.attacks.records import Trial
from robustiqa_core.attacks.run import Attack
from robustiqa_core.attacks.square import Square
from robustiqa_core.checks import check_count, check_fraction
from robustiqa_core.scorer import Scorer

LOW_FREQUENCY, OPENING = 0.03, 0.04
"""Share of the gradients for the low-frequency pattern, and for each of the three other openings."""


@dataclass(frozen=True, slots=True)
class Worst(DirectedAttack):
    """An ensemble: each photo gets the strongest of several attacks, and the last one continues from there.

    First come short openings: a low-frequency pattern, MI-FGSM, APGD from the photo and from a random point, and Square
    without any gradient. Then APGD spends the remaining gradients, from each photo's best point so far.
    Few gradients are lost to openings that did not win, and no photo ends early.

    Args:
        eps: largest change of a value, as a fraction of [0, 1]; 4/255 is usual.
        steps: gradients of all parts together.
        queries: scores that Square may ask for.
        seed: of the random start and of the squares.
        direction: see `DirectedAttack` for this and `target`.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: F. Croce and M. Hein, ICML 2020, take the worst of whole attacks for each image; the shared number of
    gradients and the common last part are ours.
    """

    eps: float = 4 / 255
    _: KW_ONLY
    steps: int = 100
    queries: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        DirectedAttack.__post_init__(self)
        check_fraction("eps", self.eps)
        check_count("steps", self.steps)
        check_count("queries", self.queries, low=2)
        check_count("seed", self.seed, low=0, high=MAX_SEED)

    def openings(self) -> tuple[tuple[Attack, int], ...]:
        """Return the openings, each with its gradients; in a short attack there are none."""
        low, each = int(LOW_FREQUENCY * self.steps), int(OPENING * self.steps)
        way, target = self.direction, self.target
        parts: list[tuple[Attack, int]] = []
        if low:
            parts.append((LowFrequency(self.eps, steps=low, direction=way, target=target), low))
        if each:
            parts += [
                (MIFGSM(self.eps, steps=each, direction=way, target=target), each),
                (APGD(self.eps, steps=each, direction=way, target=target), each),
                (APGD(self.eps, steps=each, direction=way, target=target, random_start=True, seed=self.seed), each),
            ]
        return tuple(parts)

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the photo, then the best point so far after each gradient; see `Attack`."""
        ascent = objective.Ascent(self.goal, scorer, images)
        best: Trial | None = None
        left = self.steps
        for attack, gradients in self.openings():
            left -= gradients
            for number, trial in enumerate(attack.iterate(scorer, images)):
                best = trial if best is None else _better(ascent, trial, best)
                # The last point of a part was scored without a gradient: it goes out with the next one.
                if number < gradients:
                    yield best
        square = Square(self.eps, queries=self.queries, direction=self.direction, target=self.target, seed=self.seed)
        squares = list(square.iterate(scorer, images))[-1]
        start = images if best is None else _better(ascent, squares, best).adversarial
        for number, trial in enumerate(APGD(self.eps, steps=left).climb(ascent, images, start, left)):
            best = trial if best is None else _better(ascent, trial, best)
            yield best
            if number == 0:
                best = _better(ascent, squares, best)

    def project(self, adversarial: Tensor, images: Tensor) -> Tensor:
        """Return `adversarial` with no value farther than `eps` from that of `images`, and within [0, 1]."""
        return projections.project(adversarial, images, eps=self.eps, norm="linf")


def _better(ascent: objective.Ascent, new: Trial, best: Trial) -> Trial:
    """Return for each image the new trial where it is better, else the best so far."""
    better = ascent.value(new.scores) > ascent.value(best.scores)
    return Trial(
        torch.where(better.view(-1, 1, 1, 1), new.adversarial, best.adversarial),
        torch.where(better, new.scores, best.scores),
    )
