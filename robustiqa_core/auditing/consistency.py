"""Checks that a score depends on the photo alone: repeatable, independent of batch and gradient, fine-grained."""

import torch

from robustiqa_core.attacks.objective import score, score_gradient
from robustiqa_core.auditing.evidence import Evidence
from robustiqa_core.auditing.records import Figure, Measured, Work

_TINY = 0.02 / 255
_POINTS = 8


def repeats(evidence: Evidence) -> Work[Measured]:
    """Measure how far the scores of the same photos move from one call to the next."""
    again = [score(evidence.scorer, evidence.images)]
    yield
    again.append(score(evidence.scorer, evidence.images))
    moved = _share(evidence, torch.stack(again) - evidence.clean_scores)
    return Measured(moved <= 1e-3, (Figure("change on a second call", moved, "% of the range", "at most 0.001"),))


def batches(evidence: Evidence) -> Work[Measured]:
    """Measure how far a photo's score depends on the other photos of its batch."""
    images = evidence.images
    companions = torch.cat([images, images.flip(0), 1.0 - images])
    together = score(evidence.scorer, companions)[: len(images)]
    yield
    alone = torch.cat([score(evidence.scorer, image[None]) for image in images])
    moved = _share(evidence, together - alone)
    # Sums in another order: float32 rounding reaches a few hundredths of a percent in a deep network.
    return Measured(moved <= 0.1, (Figure("change by company", moved, "% of the range", "at most 0.1"),))


def same_path(evidence: Evidence) -> Work[Measured]:
    """Measure whether an image off the grid of 8-bit values scores the same with a gradient and without."""
    near = evidence.near()
    attacked, _ = score_gradient(evidence.scorer, near)
    yield
    moved = _share(evidence, attacked - score(evidence.scorer, near))
    return Measured(moved <= 0.1, (Figure("change by asking for a gradient", moved, "% of the range", "at most 0.1"),))


def resolution(evidence: Evidence) -> Work[Measured]:
    """Measure how many scores are distinct on a walk of tiny steps, in double precision where possible."""
    scorer, images = evidence.precise
    direction = evidence.signs(1)
    walk = []
    for step in range(_POINTS):
        walk.append(score(scorer, images + step * _TINY * direction))
        yield
    distinct = [len(scores.unique()) for scores in torch.stack(walk, dim=1)]
    return Measured(
        min(distinct) > _POINTS // 2,
        (
            Figure(f"distinct scores at {_POINTS} points a fiftieth of a level apart", min(distinct), "", "5 or more"),
            Figure("change along all of them", _share(evidence, walk[-1] - walk[0]), "% of the range"),
        ),
    )


def _share(evidence: Evidence, change: torch.Tensor) -> float:
    """Return the largest absolute change of a score in percent of the score range."""
    return 100 * float(change.abs().max()) / evidence.scorer.score_range.width
