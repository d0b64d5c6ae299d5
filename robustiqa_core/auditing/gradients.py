"""Checks of the gradient: is it there, is it right, does it reach as far as a pixel value?"""

import torch
from torch import Tensor

from robustiqa_core.attacks import projections
from robustiqa_core.attacks.objective import score, score_gradient
from robustiqa_core.auditing.evidence import Evidence
from robustiqa_core.auditing.records import Figure, Measured, Work

_STEPS = {torch.float64: (1e-3, 1e-5, 1e-7), torch.float32: (4e-3, 1e-3, 2.5e-4)}
"""Sizes of finite differences, as fractions of [0, 1]: large ones suffer from curvature, small ones from rounding."""
_DIRECTIONS = 2
_REACH = 0.25 / 255
_LEVELS = (1 / 255, 2 / 255, 4 / 255)
_CHANCES = 4


def presence(evidence: Evidence) -> Work[Measured]:
    """Measure whether gradients exist, are finite, and how much of them is exactly 0."""
    if not evidence.has_gradient:
        return Measured(False, (Figure("photos with a gradient", 0, limit="all"),))
    zero, finite = [], []
    for images in (evidence.images, evidence.near()):
        _, gradient = score_gradient(evidence.scorer, images)
        yield
        finite.append(gradient.isfinite().all(dim=(1, 2, 3)))
        zero.append((gradient == 0).float().mean((1, 2, 3)))
    share = 100 * float(torch.stack(zero).max())
    broken = int((~torch.stack(finite)).any(0).sum())
    return Measured(
        share <= 90 and broken == 0,
        (
            Figure("values of the gradient that are exactly 0", share, "%", "at most 90"),
            Figure("photos whose gradient is not finite", broken, limit="none"),
        ),
    )


def finite_differences(evidence: Evidence) -> Work[Measured]:
    """Measure the gap between slopes by the gradient and central differences, in double precision where possible.

    Along the gradient, and along random signs, where parts show that the gradient leaves out. A right gradient agrees
    at some step size, so that the best one counts. A gradient that is declared to be a stand-in is no slope; it is
    judged by whether it leads uphill.
    """
    if evidence.has_stand_in:
        return (yield from _leads_uphill(evidence))
    scorer, images = evidence.precise
    _, gradient = score_gradient(scorer, images)
    yield
    along, random = [], []
    for step in _STEPS.get(images.dtype, _STEPS[torch.float32]):
        gaps = []
        for direction in (projections.steepest(gradient, "l2"), *evidence.signs(_DIRECTIONS).unsqueeze(1)):
            # The largest value of the direction along the gradient can be many times its mean.
            scaled = direction / direction.abs().amax((1, 2, 3), keepdim=True).clamp_min(1.0)
            slope = (score(scorer, images + step * scaled) - score(scorer, images - step * scaled)) / (2 * step)
            gaps.append((slope, (gradient * scaled).sum((1, 2, 3))))
            yield
        along.append(_gap(*gaps[0]))
        random.append(_gap(torch.cat([slope for slope, _ in gaps[1:]]), torch.cat([given for _, given in gaps[1:]])))
    best = min(zip(along, random, strict=True), key=max)
    return Measured(
        all(gap <= 0.05 for gap in best),
        (
            Figure("gap along the gradient", 100 * best[0], "%", "at most 5"),
            Figure("gap along random directions", 100 * best[1], "%", "at most 5"),
        ),
    )


def reach(evidence: Evidence) -> Work[Measured]:
    """Measure what a step of a quarter of a grey level does, as a share of what the gradient promises."""
    scorer, images = evidence.precise
    scores, gradient = score_gradient(scorer, images)
    yield
    moved = images + _REACH * gradient.sign()
    promised = ((moved - images) * gradient).sum((1, 2, 3)).clamp_min(torch.finfo(gradient.dtype).tiny)
    kept = 100 * float(((score(scorer, moved) - scores) / promised).median())
    yield
    return Measured(
        kept >= 10, (Figure("change by a quarter of a level, of what the slope promises", kept, "%", "10 or more"),)
    )


def _leads_uphill(evidence: Evidence) -> Work[Measured]:
    """Measure by how much more a step along a stand-in raises the score than one along random signs changes it.

    From the photo as it is and over whole grey levels, which is what a stand-in bridges; the best size counts.
    """
    scorer, images = evidence.scorer, evidence.images
    _, gradient = score_gradient(scorer, images)
    yield
    ratios = []
    for step in _LEVELS:
        rise = score(scorer, images + step * gradient.sign()) - score(scorer, images - step * gradient.sign())
        by_chance = []
        for direction in evidence.signs(_CHANCES).to(images):
            by_chance.append(score(scorer, images + step * direction) - score(scorer, images - step * direction))
            yield
        usual = torch.stack(by_chance).square().mean(0).sqrt().clamp_min(torch.finfo(rise.dtype).tiny)
        ratios.append(float((rise / usual).median()))
    return Measured(
        max(ratios) >= 2,
        (Figure("rise along the stand-in, of the usual change along random signs", max(ratios), "times", "2 or more"),),
        meaning="The gradient is declared to be a stand-in, and "
        + ("following it raises the score." if max(ratios) >= 2 else "following it leads nowhere."),
    )


def _gap(measured: Tensor, given: Tensor) -> float:
    """Return the root mean square of measured - given (M,), relative to the larger of the two; 0 for nothing at all."""
    larger = max(float(measured.norm()), float(given.norm()))
    return 0.0 if larger == 0.0 else float((measured - given).norm()) / larger
