"""Low-frequency attack: one smooth pattern whose waves are all longer than a few pixels."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

import torch
from torch import Tensor

from robustiqa_core.attacks import objective, projections
from robustiqa_core.attacks.directed import DirectedAttack
from robustiqa_core.attacks.pgd import PGD
from robustiqa_core.attacks.records import Trial
from robustiqa_core.checks import check_count, check_fraction
from robustiqa_core.scorer import Scorer


@dataclass(frozen=True, slots=True)
class LowFrequency(DirectedAttack):
    """Sign ascent on the knots of a smooth pattern that is added to the photo: PGD in the space of cubic B-splines.

    A pattern with a knot every `spacing` pixels has all but a thousandth of its energy below 1 / `spacing` cycles per
    pixel, unless it is clipped where the photo is black or white. A value of the pattern is a mean of knots with
    weights that are not negative, so that knots within `eps` keep the pattern within `eps`. `iterate` bounds the
    pattern; `project` sees only images and bounds their change.

    Args:
        eps: largest change of a value, as a fraction of [0, 1]; 4/255 is usual.
        spacing: pixels between two knots.
        steps: gradient steps, of the sizes that PGD has.
        direction: see `DirectedAttack` for this and `target`.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: C. Guo et al., "Low Frequency Adversarial Perturbation", UAI 2019; Y. Sharma et al., "On the Effectiveness
    of Low Frequency Perturbations", IJCAI 2019. There a mask on the coefficients of a cosine transform chooses the
    frequencies, and clipping to the ball brings others back; splines need no clipping.
    """

    eps: float = 4 / 255
    _: KW_ONLY
    spacing: int = 8
    steps: int = 10

    def __post_init__(self) -> None:
        DirectedAttack.__post_init__(self)
        check_fraction("eps", self.eps)
        check_count("spacing", self.spacing, low=2, high=256)
        check_count("steps", self.steps)

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the photo and the point after each step; see `Attack`."""
        ascent = objective.Ascent(self.goal, scorer, images)
        down, across = (spline_weights(size, self.spacing, like=images) for size in images.shape[-2:])
        step = PGD(self.eps, steps=self.steps).effective_step_size
        adversarial = images
        knots = images.new_zeros((*images.shape[:2], down.shape[1], across.shape[1]))
        for _ in range(self.steps):
            scores, gradient = ascent.gradient(adversarial)
            yield Trial(adversarial, scores)
            move = _between(down.T, gradient, across.T).sign()
            sizes = ascent.step_sizes(scores, gradient, _between(down, move, across), step)
            knots = (knots + sizes * move).clamp_(-self.eps, self.eps)
            adversarial = self.project(images + _between(down, knots, across), images)
        yield Trial(adversarial, objective.score(scorer, adversarial))

    def project(self, adversarial: Tensor, images: Tensor) -> Tensor:
        """Return `adversarial` with no value farther than `eps` from that of `images`, and within [0, 1]."""
        return projections.project(adversarial, images, eps=self.eps, norm="linf")


def spline_weights(size: int, spacing: int, *, like: Tensor) -> Tensor:
    """Return the weights (size, K) with which K knots make the values at `size` pixels: cubic B-splines.

    No weight is negative, and those of a pixel add up to 1. The outermost knots lie beyond the border.

    Args:
        size: pixels of a side.
        spacing: pixels between two knots.
        like: has the dtype and the device of the result.

    Example:
        >>> spline_weights(2, 2, like=torch.empty(0))
        tensor([[0.0703, 0.6120, 0.3151, 0.0026],
                [0.0026, 0.3151, 0.6120, 0.0703]])
    """
    place = (torch.arange(size, dtype=like.dtype, device=like.device) + 0.5) / spacing
    first = place.floor()
    t = place - first
    values = (
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    )
    weights = torch.zeros(size, (size - 1) // spacing + 4, dtype=like.dtype, device=like.device)
    for offset, value in enumerate(values):
        weights.scatter_(1, (first.long() + offset)[:, None], value[:, None])
    return weights


def _between(left: Tensor, inner: Tensor, right: Tensor) -> Tensor:
    """Return left @ inner @ right.T for each channel of each image: from knots to pixels, or back with transposes."""
    # Matrix by matrix, so that an image gets the same bits alone and in a batch.
    flat = inner.flatten(0, 1)
    through = torch.stack([left @ matrix @ right.T for matrix in flat])
    return through.view(*inner.shape[:2], *through.shape[1:])
