"""One attack on a batch with a direction for each photo."""

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from robustiqa_core.attacks.ordering import steer
from robustiqa_core.attacks.records import AttackResult, AttackStep
from robustiqa_core.attacks.run import Attack, run
from robustiqa_core.errors import InputError
from robustiqa_core.scorer import Scorer, ScoreRange


class SignedScorer:
    """A scorer whose score of each photo of one batch is multiplied by 1 or -1, so that raising it may lower it."""

    def __init__(self, scorer: Scorer, signs: Tensor) -> None:
        """Keep both.

        Args:
            scorer: the model.
            signs: (N,), 1 or -1, of the photos of the only batch that it will be asked for.
        """
        self.scorer, self.signs = scorer, signs

    @property
    def score_range(self) -> ScoreRange:
        """The scorer's."""
        return self.scorer.score_range

    def __call__(self, images: Tensor) -> Tensor:
        """Return the signed scores (N,)."""
        scores = self.scorer(images)
        return scores * self.signs.to(scores)


def run_directed(
    attack: Attack, scorer: Scorer, images: Tensor, directions: Tensor
) -> Iterator[AttackStep | AttackResult]:
    """Attack a batch, each photo upwards or downwards; return an iterator over the steps, with the result at its end.

    Each photo gets the same result as alone, in its direction.

    Args:
        attack: any with a direction, which is not used.
        scorer: the model, in evaluation mode.
        images: (N, 3, H, W), float, RGB in [0, 1].
        directions: (N,), 1 to raise the score, -1 to lower it.

    Raises:
        ConfigurationError: the attack has no direction.
        InputError: a direction is neither 1 nor -1, or there are not as many as photos; and what `run` raises.

    Example:
        >>> from robustiqa_core.attacks.pgd import PGD
        >>> mean = lambda images: images.mean((1, 2, 3))
        >>> *_, result = run_directed(PGD(0.1), mean, torch.full((2, 3, 8, 8), 0.5), torch.tensor([1, -1]))
        >>> [round(score, 4) for score in result.adversarial_scores.tolist()]
        [0.6, 0.4]
    """
    if directions.shape != images.shape[:1] or not bool((directions.abs() == 1).all()):
        raise InputError(
            f"expected a direction 1 or -1 for each of {len(images)} photos, got {directions.tolist()}; give as many"
        )
    if isinstance(scorer, torch.nn.Module) and scorer.training:
        raise InputError("expected a model in evaluation mode, got one in training mode; call its eval() first")
    signs = directions.to(images)
    records = run(steer(attack, raised=True), cast(Scorer, SignedScorer(scorer, signs)), images)
    return (_restored(record, signs) for record in records)


def _restored(record: AttackStep | AttackResult, signs: Tensor) -> AttackStep | AttackResult:
    """Return a record with the scores that the model itself gives."""
    if isinstance(record, AttackStep):
        return replace(record, scores=record.scores * signs, best_scores=record.best_scores * signs)
    return replace(
        record,
        clean_scores=record.clean_scores * signs,
        adversarial_scores=record.adversarial_scores * signs,
        rounded_scores=record.rounded_scores * signs,
    )
