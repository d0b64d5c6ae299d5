"""Worst-case order: how much of the order of photos survives when each of them is attacked against its rank.

People use a quality score to rank. So a photo of the lower half is attacked upwards and one of the upper half
downwards, each by the strongest attack available, and what counts is whether the order survives. A scale cannot
be gamed here: all figures stay the same when the scores are narrowed, shifted or stretched.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.metrics.correlation import srocc
from robustiqa_core.metrics.pairing import Array, paired

Directions: TypeAlias = npt.NDArray[np.int64]
"""1 for a photo that is attacked upwards, -1 for one that is attacked downwards."""


@dataclass(frozen=True, slots=True)
class WorstOrder:
    """What an attack against the rank leaves of the order of N photos.

    Args:
        photos: N.
        srocc: of the attacked scores and the reference (MOS, or clean scores where there is no MOS), in [-1, 1]; None
            where one of them is constant, as for the next two.
        clean_srocc: of the clean scores and the reference.
        own_srocc: of the attacked and the clean scores.
        swapped: share of the pairs of photos at least `apart` apart in the reference whose attacked scores stand the
            wrong way round, in [0, 1]; half a pair where they are equal. 0.0 where there is no such pair.
        clean_swapped: the same of the clean scores.
        gain_up: mean change of the photos attacked upwards, in standard deviations of the clean scores; 0.0 or more
            where the attack did no harm to itself.
        gain_down: mean change of those attacked downwards, 0.0 or less likewise.
    """

    photos: int
    srocc: float | None
    clean_srocc: float | None
    own_srocc: float | None
    swapped: float
    clean_swapped: float
    gain_up: float
    gain_down: float


def rank_directions(reference: npt.ArrayLike) -> Directions:
    """Return where each photo (N,) is attacked: 1, up, where its reference is below the median, else -1, down.

    Args:
        reference: (N,), MOS, or clean scores where there is no MOS; larger is better.

    Example:
        >>> rank_directions([0.1, 0.9, 0.5, 0.2]).tolist()
        [1, -1, -1, 1]
    """
    values, _ = paired(reference, reference)
    return np.where(values < np.median(values), 1, -1).astype(np.int64)


def strongest(attacked: npt.ArrayLike, directions: npt.ArrayLike) -> Array:
    """Return, for each photo (N,), the score of the attack that moved it farthest in its direction.

    Args:
        attacked: (A, N), scores after each of A attacks; the clean scores may be among them, for an attacker who
            rather does nothing.
        directions: (N,), 1 or -1.

    Raises:
        InputError: the shapes do not fit, a score is not finite, or a direction is neither 1 nor -1.

    Example:
        >>> strongest([[0.2, 0.7], [0.5, 0.9]], [1, -1]).tolist()
        [0.5, 0.7]
    """
    scores, signs = np.asarray(attacked, dtype=np.float64), np.asarray(directions, dtype=np.float64)
    if scores.ndim != 2 or not len(scores) or signs.shape != scores.shape[1:]:
        raise InputError(
            f"expected scores (attacks, photos) and a direction for each photo, got {scores.shape} and {signs.shape}; "
            "pass one row per attack"
        )
    if not np.isfinite(scores).all() or not np.isin(signs, (-1.0, 1.0)).all():
        raise InputError("expected finite scores and directions 1 or -1, got other values; leave those photos out")
    return np.asarray(signs * (signs * scores).max(0), dtype=np.float64)


def worst_order(
    clean: npt.ArrayLike, attacked: npt.ArrayLike, reference: npt.ArrayLike, *, apart: float = 0.0
) -> WorstOrder:
    """Return how much of the order survives for photos that were attacked against their rank.

    Args:
        clean: (N,), scores before the attack.
        attacked: (N,), after it, as `strongest` returns them for `rank_directions(reference)`.
        reference: (N,), MOS, or the clean scores where there is no MOS; larger is better.
        apart: pairs that are closer in the reference do not count; in its unit, 0 or more. (Equal ones never count.)

    Raises:
        InputError: the lists do not pair, or the clean scores are all the same.
        ConfigurationError: `apart` is negative.

    Example:
        >>> figures = worst_order([0.0, 1.0], [0.75, 0.5], [0.0, 1.0])
        >>> figures.srocc, figures.swapped, figures.gain_up, figures.gain_down
        (-1.0, 1.0, 1.5, -1.0)
    """
    before, after = paired(clean, attacked)
    _, ranks = paired(before, reference)
    spread = float(before.std())
    if spread == 0:
        raise InputError(f"expected clean scores that differ, got {before[0]:.3g} for all; add photos of other quality")
    up = rank_directions(ranks) > 0
    gains = (after - before) / spread
    return WorstOrder(
        photos=len(before),
        srocc=srocc(after, ranks),
        clean_srocc=srocc(before, ranks),
        own_srocc=srocc(after, before),
        swapped=swapped_share(after, after, ranks, apart=apart),
        clean_swapped=swapped_share(before, before, ranks, apart=apart),
        gain_up=float(gains[up].mean()) if up.any() else 0.0,
        gain_down=float(gains[~up].mean()),
    )


def swapped_share(low: npt.ArrayLike, high: npt.ArrayLike, reference: npt.ArrayLike, *, apart: float = 0.0) -> float:
    """Return the share of pairs whose worse photo reaches the better one, in [0, 1]; 0.0 where there is no pair.

    With the same scores twice these are the pairs that stand the wrong way round. With each photo's score after an
    attack upwards as `low` and after one downwards as `high` they are the pairs that *can* be swapped by an attacker
    who may choose anew for each pair, also within a half.

    Args:
        low: (N,), scores of the photos where they are the worse one of a pair.
        high: (N,), where they are the better one.
        reference: (N,), which says what is worse; larger is better.
        apart: least difference in the reference; equal ones never count.

    Raises:
        InputError: the lists do not pair.
        ConfigurationError: `apart` is negative.

    Example:
        >>> up, down, mos = [0.5, 0.9, 1.4], [-0.5, 0.1, 0.6], [0.0, 0.5, 1.0]
        >>> round(swapped_share(up, down, mos), 3), swapped_share(up, down, mos, apart=1.0)
        (0.667, 0.0)
    """
    if not 0.0 <= apart < math.inf:
        raise ConfigurationError(f"apart must be a difference of 0 or more, got {apart:g}; change it")
    risen, fallen = paired(low, high)
    _, ranks = paired(risen, reference)
    distances = ranks[None, :] - ranks[:, None]
    pairs = (distances > 0) & (distances >= apart)
    if not pairs.any():
        return 0.0
    reached = 0.5 * (np.sign(risen[:, None] - fallen[None, :]) + 1.0)
    return float(reached[pairs].mean())
