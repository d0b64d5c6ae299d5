"""Checks of the attack: it reaches a known optimum, returns its best point, and stays within its budget."""

import math

import torch

from robustiqa_core.attacks import complete, projections
from robustiqa_core.attacks.objective import score
from robustiqa_core.auditing.evidence import Evidence
from robustiqa_core.auditing.records import Figure, Measured, Work
from robustiqa_core.images.photo import round_to_8bit
from robustiqa_core.selfcheck import LinearScorer

_SIDE = 8


def canary(evidence: Evidence) -> Work[Measured]:
    """Measure the gap between the attack's gain on a linear scorer and the known optimum.

    eps * ||w||_1 in l_inf, eps * sqrt(n) * ||w||_2 in l_2 with n values, whose root mean square eps limits.
    """
    generator = torch.Generator().manual_seed(evidence.plan.seed + 17)
    weights = torch.randn(3, _SIDE, _SIDE, generator=generator, dtype=torch.float64)
    photo = round_to_8bit(0.3 + 0.4 * torch.rand(1, 3, _SIDE, _SIDE, generator=generator)).double()
    eps = min(evidence.ball.eps, 0.05)
    result = complete(evidence.changed(eps=eps, direction="up", target=None), LinearScorer(weights), photo)
    yield
    length = weights.abs().sum() if evidence.ball.norm == "linf" else math.sqrt(weights.numel()) * weights.norm()
    gap = abs(float((result.adversarial_scores - result.clean_scores)[0] / (eps * length)) - 1)
    # Without gradients, directions have to be tried: the optimum is approached, not reached.
    limit = 0.0001 if result.gradient_calls else 0.2
    return Measured(gap <= limit, (Figure("gap to the known optimum", 100 * gap, "%", f"at most {100 * limit:g}"),))


def best_returned(evidence: Evidence) -> Work[Measured]:
    """Measure how much better than the result the best point on the attack's path was."""
    attacked = yield from evidence.attack()
    returned = evidence.gains(score(evidence.scorer, attacked.result.adversarial))
    lost = float((evidence.gains(attacked.path).amax(0) - returned).max())
    name = "better point on the path of any photo"
    return Measured(lost <= 1e-3, (Figure(name, 100 * max(lost, 0.0), "% of the range", "at most 0.1"),))


def budget(evidence: Evidence) -> Work[Measured]:
    """Measure by how much the image, as computed and in 8 bits, exceeds the budget, and what rounding costs."""
    attacked = yield from evidence.attack()
    result, attack = attacked.result, evidence.plan.attack
    outside = float(torch.maximum(-result.adversarial, result.adversarial - 1.0).max())
    excess = float((attack.project(result.adversarial, result.images) - result.adversarial).abs().max())
    figures = [Figure("excess as computed", 255 * max(excess, outside, 0.0), "grey levels", "at most 0.001")]
    rounding = 0.0
    if evidence.in_ball:
        # A budget of whole levels round a photo of whole levels holds after rounding, too.
        levels, photos_on_grid = 255 * evidence.ball.eps, torch.equal(round_to_8bit(result.images), result.images)
        exact = evidence.ball.norm == "linf" and photos_on_grid and abs(levels - round(levels)) < 1e-6
        allowed = evidence.ball.eps + (0.0 if exact else 0.5 / 255)
        size = projections.size((result.rounded - result.images).cpu().double(), evidence.ball.norm)
        rounding = float(size.max()) - allowed
        figures.append(Figure("excess in 8 bits", 255 * max(rounding, 0.0), "grey levels", "at most 0.001"))
    for name, scores in (("as computed", result.adversarial_scores), ("in 8 bits", result.rounded_scores)):
        figures.append(Figure(f"gain {name}", 100 * float(evidence.gains(scores).mean()), "% of the range"))
    return Measured(255 * max(excess, outside, rounding) <= 1e-3, tuple(figures))
