"""NES: PGD along a gradient estimated from scores alone."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

import torch
from torch import Tensor

from robustiqa_core.attacks import objective, projections
from robustiqa_core.attacks.ball import BallAttack
from robustiqa_core.attacks.projections import MAX_SEED
from robustiqa_core.attacks.records import Trial
from robustiqa_core.checks import check_count, check_fraction
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.scorer import Scorer


@dataclass(frozen=True, slots=True)
class NES(BallAttack):
    """PGD from the photo, along the mean of (s(x + sigma z) - s(x - sigma z)) z / (2 sigma) over random normal z.

    Each z is tried with both signs (antithetic). All images of a batch get the same z. A mean over n draws of m numbers
    shows about the share n/m of the gradient's energy, which is negligible for each value of a photo by itself; so
    the values of a cell share a number.

    Args:
        eps: size of the ball; see `BallAttack` for this, `norm`, `direction` and `target`.
        queries: scores that the attack may ask for: one for the photo and, a step, `samples` and one more; what is left
            over is not used.
        samples: scores for one gradient; even.
        sigma: standard deviation of sigma * z, as a fraction of [0, 1].
        cell: side in pixels of the squares of a channel in which z is one number; 1 is the published method.
        step_size: size of a step; None for 2.5 * eps / steps.
        decay: share of the accumulated gradient that is kept, in [0, 1).
        seed: of z.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: A. Ilyas et al., "Black-box Adversarial Attacks with Limited Queries and Information", ICML 2018, section 3;
    cells: the same, "Prior Convictions: Black-box Adversarial Attacks with Bandits and Priors", ICLR 2019, section 3.
    """

    _: KW_ONLY
    queries: int = 1000
    samples: int = 20
    sigma: float = 0.01
    cell: int = 16
    step_size: float | None = None
    decay: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        BallAttack.__post_init__(self)
        check_count("samples", self.samples, low=2)
        if self.samples % 2:
            raise ConfigurationError(f"samples come in pairs, got {self.samples}; give an even number")
        check_count("queries", self.queries, low=self.samples + 2)
        check_fraction("sigma", self.sigma)
        check_count("cell", self.cell)
        if self.step_size is not None:
            check_fraction("step_size", self.step_size)
        check_fraction("decay", self.decay, zero=True)
        check_count("seed", self.seed, low=0, high=MAX_SEED)

    @property
    def steps(self) -> int:
        """Steps that the queries allow."""
        return (self.queries - 1) // (self.samples + 1)

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the photo and the point after each step; see `Attack`."""
        size = 2.5 * self.eps / self.steps if self.step_size is None else self.step_size
        generator = torch.Generator("cpu").manual_seed(self.seed)
        clean_scores = scores = objective.score(scorer, images)
        adversarial, momentum = images, torch.zeros_like(images)
        for _ in range(self.steps):
            yield Trial(adversarial, scores)
            signs = self.goal.signs(scores, clean_scores, scorer).view(-1, 1, 1, 1)
            momentum = self.decay * momentum + signs * self._estimate(scorer, adversarial, generator)
            adversarial = self.project(adversarial + size * projections.steepest(momentum, self.norm), images)
            scores = objective.score(scorer, adversarial)
        yield Trial(adversarial, scores)

    def _estimate(self, scorer: Scorer, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the estimated gradient (N, 3, H, W) of the scores."""
        total = torch.zeros_like(images)
        for _ in range(self.samples // 2):
            z = self._draw(images, generator)
            # A scorer takes values in [0, 1] only; at the ends half of the difference remains.
            rise = objective.score(scorer, (images + self.sigma * z).clamp_(0.0, 1.0))
            fall = objective.score(scorer, (images - self.sigma * z).clamp_(0.0, 1.0))
            total = total + (rise - fall).view(-1, 1, 1, 1) * z
        return total / (self.sigma * self.samples)

    def _draw(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return z (1, 3, H, W)."""
        height, width = images.shape[-2:]
        shape = (1, 3, -(-height // self.cell), -(-width // self.cell))
        normal = torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu").to(images)
        return normal.repeat_interleave(self.cell, 2).repeat_interleave(self.cell, 3)[..., :height, :width]
