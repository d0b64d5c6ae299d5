"""Square attack: random squares, kept where the score gets better; needs scores only, no gradient."""

import bisect
import math
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from robustiqa_core.attacks import objective, projections
from robustiqa_core.attacks.ball import BallAttack
from robustiqa_core.attacks.projections import MAX_SEED
from robustiqa_core.attacks.records import Trial
from robustiqa_core.checks import check_count, check_fraction
from robustiqa_core.scorer import Scorer

RECORD_EVERY = 10
"""Queries per trial: few enough to cancel soon, many enough to be worth showing."""

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Queries of 10,000 after which the area of the squares halves (section 5 of the paper)."""


@dataclass(frozen=True, slots=True)
class Square(BallAttack):
    """Random search: change one square of a photo at a time and keep the change if the goal's value grows.

    l_inf tries vertical stripes of +-eps first and then sets squares to +-eps, one sign a channel. l_2 tries a grid of
    bumps, then takes the energy out of one square and adds it as a bump to another. All images of a batch get the same
    squares, and each decides for itself.

    Args:
        eps: size of the ball; see `BallAttack` for this, `norm`, `direction` and `target`.
        queries: scores that the attack may ask for, that of the photo included.
        area: share of the photo that the first squares cover; it halves after each of the HALVINGS, rescaled to
            `queries`. Published is 0.05 (l_inf) or 0.1 (l_2), for classifiers; on a quality score 0.3 gained more.
        seed: of the squares.

    Raises:
        ConfigurationError: a value is out of its range.

    Source: M. Andriushchenko et al., "Square Attack: a Query-Efficient Black-Box Adversarial Attack via Random Search",
    ECCV 2020, algorithms 1 to 3. The paper always keeps the stripes, which costs a quality score more than hundreds of
    squares win back; here they are kept only if better than the photo. The paper redraws a square that changes
    nothing; here its signs are flipped.
    """

    _: KW_ONLY
    queries: int = 1000
    area: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        BallAttack.__post_init__(self)
        check_count("queries", self.queries, low=2)
        check_fraction("area", self.area)
        check_count("seed", self.seed, low=0, high=MAX_SEED)

    @property
    def steps(self) -> int:
        """Trials after the photo: one for RECORD_EVERY queries, and one for what is left."""
        return math.ceil((self.queries - 1) / RECORD_EVERY)

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        """Yield the photo, then the best points of RECORD_EVERY queries each time; see `Attack`."""
        clean_scores = objective.score(scorer, images)
        yield Trial(images, clean_scores)
        draws = self._draw(images)
        current, scores = images, clean_scores
        # The photo took the first query.
        for number in range(self.queries - 1):
            if number and number % RECORD_EVERY == 0:
                yield Trial(current, scores)
            candidate = self._change(current, images, number - 1, draws) if number else self._first(images, draws)
            found = objective.score(scorer, candidate)
            better = self.goal.value(found, clean_scores, scorer) > self.goal.value(scores, clean_scores, scorer)
            current = torch.where(better.view(-1, 1, 1, 1), candidate, current)
            scores = torch.where(better, found, scores)
        yield Trial(current, scores)

    def _draw(self, images: Tensor) -> "_Draws":
        """Return all random numbers, drawn on the CPU: the same for every image and on every device."""
        generator = torch.Generator("cpu").manual_seed(self.seed)

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu")

        def signs(*shape: int) -> Tensor:
            drawn = uniform(*shape).to(images)
            return torch.where(drawn < 0.5, -torch.ones_like(drawn), torch.ones_like(drawn))

        width = images.shape[-1]
        return _Draws(signs(1, 3, 1, width), signs(self.queries, 1, 3, 1, 1), uniform(self.queries, 5).tolist())

    def side(self, number: int, height: int, width: int) -> int:
        """Return the side in pixels of the square with a number, from 0; odd and 3 or more for l_2, if the photo is."""
        halvings = bisect.bisect_left(HALVINGS, number * 10_000 // self.queries)
        side = round(math.sqrt(self.area / 2**halvings * height * width))
        if self.norm == "l2":
            side = max(side, 3) // 2 * 2 + 1
        return max(1, min(side, height, width))

    def _first(self, images: Tensor, draws: "_Draws") -> Tensor:
        """Return the start (N, 3, H, W) of the search."""
        if self.norm == "linf":
            return self.project(images + self.eps * draws.stripes, images)
        return self._to_sphere(tiles(images, draws.signs).expand_as(images), images)

    def _change(self, current: Tensor, images: Tensor, number: int, draws: "_Draws") -> Tensor:
        """Return `current` (N, 3, H, W) with one square changed."""
        height, width = images.shape[-2:]
        side = self.side(number, height, width)
        top, left, other_top, other_left, turn = draws.places[number]
        here = _window(top, left, side, height, width)
        signs = draws.signs[number]
        candidate = current.clone()
        if self.norm == "linf":
            square, photo = current[here], images[here]
            new = self.project(photo + self.eps * signs, photo)
            same = (new == square).flatten(1).all(1).view(-1, 1, 1, 1)
            candidate[here] = torch.where(same, self.project(photo - self.eps * signs, photo), new)
            return candidate
        there = _window(other_top, other_left, side, height, width)
        bumps = signs * bump_pair(side, like=images, upright=turn < 0.5)
        return self._to_sphere(move_energy(candidate - images, here, there, bumps, self._energy(images)), images)

    def _energy(self, images: Tensor) -> float:
        """Return the largest sum of squares of a perturbation within the l_2 ball."""
        return self.eps**2 * images[0].numel()

    def _to_sphere(self, perturbation: Tensor, images: Tensor) -> Tensor:
        """Return the images with the perturbation scaled to the size eps in l_2, within [0, 1]."""
        return self.project(images + self.eps * projections.steepest(perturbation, "l2"), images)


class _Draws(NamedTuple):
    """All random numbers of one attack.

    Args:
        stripes: (1, 3, 1, W), signs of the first stripes.
        signs: (queries, 1, 3, 1, 1), of the squares.
        places: for each query the top and left of its two squares and the turn of its bump, uniform in [0, 1).
    """

    stripes: Tensor
    signs: Tensor
    places: list[list[float]]


Window = tuple[slice, slice, slice, slice]


def _window(top: float, left: float, side: int, height: int, width: int) -> Window:
    """Return the square at the given shares of the free space."""
    row, column = int(top * (height - side + 1)), int(left * (width - side + 1))
    return (slice(None), slice(None), slice(row, row + side), slice(column, column + side))


def bump(height: int, width: int, *, like: Tensor) -> Tensor:
    """Return a bump (height, width), highest in its middle, with a dtype and device `like` another tensor.

    At the distance d (the larger of the rows' and the columns') from the middle it is the sum of 1/j^2 over
    j = d + 1 to n + 1, with n half the longer side: equation (2) of the paper.
    """
    rows = (torch.arange(height, device=like.device) - height // 2).abs()
    columns = (torch.arange(width, device=like.device) - width // 2).abs()
    levels = torch.arange(1, max(height, width) // 2 + 2, device=like.device, dtype=like.dtype).pow(-2)
    return levels.flip(0).cumsum(0).flip(0)[torch.maximum(rows[:, None], columns)]


def bump_pair(side: int, *, like: Tensor, upright: bool) -> Tensor:
    """Return a square of length 1 of two bumps with opposite signs, one above the other or (upright) side by side."""
    if side == 1:
        return like.new_ones((1, 1))
    half = side // 2
    pair = torch.cat((bump(half, side, like=like), -bump(side - half, side, like=like)))
    pair = pair / pair.square().sum().sqrt()
    return pair.T if upright else pair


def tiles(images: Tensor, signs: Tensor) -> Tensor:
    """Return the first l_2 perturbation (1, 3, H, W): tiles of bumps, five along the shorter side, with `signs`."""
    height, width = images.shape[-2:]
    side = max(min(height, width) // 5, 1)
    rows, columns = height // side, width // side
    pairs = bump_pair(side, like=images, upright=False).repeat(rows, columns)
    # One sign for each tile and channel, from the draws of the queries, taken round and round.
    chosen = signs.flatten()[torch.arange(3 * rows * columns, device=images.device) % signs.numel()]
    grid = chosen.view(1, 3, rows, columns).repeat_interleave(side, 2).repeat_interleave(side, 3) * pairs
    top, left = (height - rows * side) // 2, (width - columns * side) // 2
    perturbation = images.new_zeros((1, 3, height, width))
    perturbation[..., top : top + rows * side, left : left + columns * side] = grid
    return perturbation


def move_energy(perturbation: Tensor, here: Window, there: Window, bumps: Tensor, energy: float) -> Tensor:
    """Return the perturbation with all energy of two squares, and what the ball has left, in the one `here`.

    Args:
        perturbation: (N, 3, H, W).
        here: the square that becomes its own direction plus `bumps`, in each channel.
        there: the square that becomes 0.
        bumps: (1, 3, side, side), of length 1 in each channel.
        energy: largest sum of squares of the whole perturbation.
    """
    before = _channel_energy(perturbation)
    square = perturbation[here].clone()
    moved = perturbation.clone()
    moved[here], moved[there] = 0.0, 0.0
    # Of both squares, counted once where they overlap; rounding must not make it negative.
    taken = (before - _channel_energy(moved)).clamp_min(0.0)
    left = (energy - before.sum(1, keepdim=True)).clamp_min(0.0) / 3
    tiny = torch.finfo(square.dtype).tiny
    new = bumps + square / _channel_energy(square).sqrt().clamp_min(tiny)
    moved[here] = new / _channel_energy(new).sqrt().clamp_min(tiny) * (taken + left).sqrt()
    return moved


def _channel_energy(values: Tensor) -> Tensor:
    """Return the sums of squares (N, 3, 1, 1); row by row, so that an image gets the same bits in every batch."""
    return values.square().sum(3, keepdim=True).sum(2, keepdim=True)
