"""Attacks on the order of photos rather than on one score: swap a pair, lower the rank correlation of a set.

Both give each photo a direction and run any attack on it alone, with the common runner: apart from its direction, a
photo's result does not depend on the others.
"""

import dataclasses
from collections.abc import Generator, Iterator, Sequence

import torch
from torch import Tensor

from robustiqa_core.attacks.objective import score
from robustiqa_core.attacks.records import AttackResult, AttackStep
from robustiqa_core.attacks.run import Attack, run
from robustiqa_core.checks import check_positive
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.scorer import Scorer


@dataclasses.dataclass(frozen=True, slots=True)
class Swap:
    """What one attack did to the order of two photos.

    Args:
        attack: the attack of both, with the direction in which it was given.
        better: 0 if the first photo had the larger clean score or an equal one, 1 if the second had.
        lowered: the attack on the better photo.
        raised: the attack on the other.
        flipped: whether the better photo now has the smaller score.
        rounded_flipped: whether that holds for the images rounded to 8 bits, as files keep them.
    """

    attack: Attack
    better: int
    lowered: AttackResult
    raised: AttackResult
    flipped: bool
    rounded_flipped: bool


def swap_order(attacks: Sequence[Attack], scorer: Scorer, first: Tensor, second: Tensor) -> Iterator[AttackStep | Swap]:
    """Lower the score of the better of two photos and raise that of the other, until their order flips.

    Yields the steps of the attacks on the better and then on the other photo, then a Swap. Attack follows attack until
    one flips the order: its Swap is the last record. Given an attack in a grid of growing strengths, that is the
    smallest of them that does.

    Args:
        attacks: one or more, the weakest first; their direction is not used.
        scorer: the model, in evaluation mode.
        first: (1, 3, H, W), float, RGB in [0, 1].
        second: (1, 3, H, W), of any size.

    Raises:
        ConfigurationError: no attack, or one that has no direction.
        InputError: more than one photo in `first` or `second`; and what `run` raises.
    """
    if not attacks:
        raise ConfigurationError("expected one or more attacks, the weakest first, got none; give at least one")
    steered = [(attack, steer(attack, raised=False), steer(attack, raised=True)) for attack in attacks]
    if not len(first) == len(second) == 1:
        raise InputError(f"expected two photos (1, 3, H, W), got {len(first)} and {len(second)}; give one of each")
    return _swaps(steered, scorer, (first, second))


def _swaps(
    steered: Sequence[tuple[Attack, Attack, Attack]], scorer: Scorer, photos: tuple[Tensor, Tensor]
) -> Iterator[AttackStep | Swap]:
    better = 0 if bool(score(scorer, photos[0]) >= score(scorer, photos[1])) else 1
    for attack, lower, raise_ in steered:
        lowered = yield from _steps(lower, scorer, photos[better])
        raised = yield from _steps(raise_, scorer, photos[1 - better])
        flipped = bool(lowered.adversarial_scores < raised.adversarial_scores)
        rounded = bool(lowered.rounded_scores < raised.rounded_scores)
        yield Swap(attack, better, lowered, raised, flipped, rounded)
        if flipped:
            return


def _steps(attack: Attack, scorer: Scorer, images: Tensor) -> Generator[AttackStep, None, AttackResult]:
    """Yield the steps of an attack and return its result."""
    records = run(attack, scorer, images)
    record = next(records)
    while isinstance(record, AttackStep):
        yield record
        record = next(records)
    return record


def lower_correlation(
    attack: Attack, scorer: Scorer, photos: Sequence[Tensor], raised: Tensor
) -> Iterator[AttackStep | AttackResult]:
    """Raise or lower the score of each photo as `away_from_order` says; return an iterator over all records.

    For each photo, in their order, it yields the steps and then the result. The correlation of the results'
    `adversarial_scores` with the reference is for the caller to compute.

    Args:
        attack: any with a direction, which is not used.
        scorer: the model, in evaluation mode.
        photos: each (1, 3, H, W), float, RGB in [0, 1], of any size.
        raised: (N,), bool, for each photo whether its score should rise; see `away_from_order`.

    Raises:
        ConfigurationError: the attack has no direction.
        InputError: not as many directions as photos; and what `run` raises.
    """
    if raised.shape != (len(photos),) or any(len(photo) != 1 for photo in photos):
        raise InputError(
            f"expected photos (1, 3, H, W) and as many directions, got {len(photos)} batches and directions of shape "
            f"{tuple(raised.shape)}; give each photo by itself"
        )
    lower, raise_ = steer(attack, raised=False), steer(attack, raised=True)
    pairs = zip(photos, raised.tolist(), strict=True)
    return (record for photo, up in pairs for record in run(raise_ if up else lower, scorer, photo))


def away_from_order(scores: Tensor, reference: Tensor, *, reach: float | None = None) -> Tensor:
    """Return which photos to raise (N,), bool, so that their rank correlation with `reference` falls the fastest.

    SROCC is flat almost everywhere: ranks only jump. Replaced by a smooth step, the rank of score i among all is
    sum_k (1 + tanh((s_i - s_k) / reach)) / 2, and with the centred ranks r of the reference the covariance of both has
    the gradient

        d/ds_i = 1/(2 reach) * sum_k (r_i - r_k) / cosh((s_i - s_k) / reach)^2.

    A photo goes down where that is positive: where the reference ranks it above those that its score is near to.
    An attack that reaches farther than the scores lie apart has everything near, and the sum becomes
    N * (r_i - mean r): photos above the reference's median go down and the others up. That is the default, and what
    clean scores as their own reference need: their order is perfect, so that with a small reach there is as much to
    lose above a score as below it, and the gradient of Pearson's correlation is 0.

    Args:
        scores: (N,), clean scores.
        reference: (N,), human scores, or the clean scores themselves.
        reach: how far the attack moves a score, in the model's unit; None for farther than any two lie apart.

    Returns:
        (N,), bool; True for a photo in the very middle.

    Raises:
        InputError: fewer than two scores, or not as many in the reference.
        ConfigurationError: `reach` is not above 0.

    Example:
        >>> away_from_order(torch.tensor([0.1, 0.5, 0.9]), torch.tensor([1.0, 2.0, 3.0]))
        tensor([ True,  True, False])
    """
    if scores.ndim != 1 or len(scores) < 2 or scores.shape != reference.shape:
        raise InputError(
            f"expected two or more scores and as many of the reference, got shapes {tuple(scores.shape)} and "
            f"{tuple(reference.shape)}; give one of each for a photo"
        )
    ranks = (reference[:, None] - reference).sign().sum(1)
    near = torch.ones_like(ranks)
    if reach is not None:
        near = ((scores[:, None] - scores) / check_positive("reach", reach)).cosh().pow(-2).to(ranks)
    return (near * (ranks[:, None] - ranks)).sum(1) <= 0


def steer(attack: Attack, *, raised: bool) -> Attack:
    """Return the attack with the direction `up` or `down`, whatever it had.

    Raises:
        ConfigurationError: it has no direction.
    """
    if "direction" not in {field.name for field in dataclasses.fields(attack)}:
        raise ConfigurationError(
            f"expected an attack with a direction, got {type(attack).__name__}; choose one that can raise and lower"
        )
    return dataclasses.replace(attack, direction="up" if raised else "down", target=None)
