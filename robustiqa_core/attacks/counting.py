"""Counting of scorer calls, the cost of an attack."""

import torch
from torch import Tensor

from robustiqa_core.errors import InputError
from robustiqa_core.scorer import Scorer, ScoreRange


class CountingScorer:
    """A scorer that counts its calls and checks the shape of its answers."""

    def __init__(self, scorer: Scorer) -> None:
        """Start at 0.

        Args:
            scorer: what is asked.
        """
        self.scorer = scorer
        self.gradient_calls = 0
        self.queries = 0

    @property
    def score_range(self) -> ScoreRange:
        """The scorer's."""
        return self.scorer.score_range

    def __call__(self, images: Tensor) -> Tensor:
        """Return the scorer's scores; raise InputError if they are not one number for each image."""
        if images.requires_grad and torch.is_grad_enabled():
            self.gradient_calls += 1
        else:
            self.queries += 1
        scores = self.scorer(images)
        if not isinstance(scores, Tensor) or scores.shape != images.shape[:1] or not scores.is_floating_point():
            got = f"{scores.dtype} {tuple(scores.shape)}" if isinstance(scores, Tensor) else type(scores).__name__
            raise InputError(
                f"expected float scores of shape ({len(images)},) for {len(images)} images, got {got}; "
                "let the scorer return one number for each image"
            )
        return scores
