"""Checks that the attack in use is as strong as possible on this model; they reveal hidden gradients."""

import dataclasses
import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from robustiqa_core.attacks import ATTACKS, PGD, AttackResult, run
from robustiqa_core.attacks.objective import score
from robustiqa_core.auditing.evidence import BLACK_BOXES, Evidence
from robustiqa_core.auditing.records import Figure, Measured, Work

RIVALS = ("noise", "fgsm", "pgd", "apgd", "low_frequency")
"""Attacks that are run beside the one in use, for the worst case of each photo."""

_NOISES = 3
_FACTORS = {"half": 0.5, "once": 1.0, "twice": 2.0, "4 times": 4.0}
_SEVERAL = 10
_UNBOUNDED = PGD(eps=1.0, step_size=2 / 255, steps=60, random_start=False)


def order(evidence: Evidence) -> Work[Measured]:
    """Measure the mean gains of noise, of the best single step, of ten steps and of the attack in use.

    A score can peak within the budget, so that one step to its border overshoots: that is not a hidden
    gradient. So a single step may have several sizes, of a grey level and more, and the best of them counts for each
    photo; noise gets the same chances.
    """
    sizes = _one_step_sizes(evidence.ball.eps)
    noises = []
    for number in range(1, _NOISES + 1):
        noises.append((yield from _best_gain(evidence, "noise", sizes, seed=evidence.plan.seed + number)))
    noise = float(torch.stack(noises).mean())
    one_step = float((yield from _best_gain(evidence, "fgsm", sizes)).mean())
    several = float((yield from _gain(evidence, "pgd", steps=_SEVERAL)).mean())
    used = float((yield from _gain(evidence)).mean())
    climbs = one_step > 0.0 and not any(_below(gain, 2 * noise) for gain in (one_step, several))
    return Measured(
        climbs and not _below(several, one_step) and not _below(used, one_step),
        (
            _figure("noise", noise),
            _figure(
                f"the best step of {' or '.join(map(_levels, sizes))}/255", one_step, "at least twice that of noise"
            ),
            _figure(f"{_SEVERAL} steps", several, "at least that of one step, and twice that of noise"),
            _figure("the attack", used, "at least that of one step"),
        ),
        _cost(used, max(one_step, several)),
    )


def _one_step_sizes(eps: float) -> list[float]:
    """Return the budget, its half and its quarter, as far as they are a grey level, which a photo can store."""
    return [eps, *(size for size in (eps / 2, eps / 4) if size >= (1 - 1e-6) / 255)]


def _levels(size: float) -> str:
    return f"{255 * size:.3g}"


def _best_gain(evidence: Evidence, name: str, sizes: list[float], **settings: object) -> Work[Tensor]:
    """Return the largest gain (N,) of each photo under an attack of several sizes, 0 where none helps."""
    gains = []
    for size in sizes:
        gains.append((yield from _gain(evidence, name, eps=size, **settings)))
    return torch.stack(gains).amax(0).clamp_min(0.0)


def grows_with_eps(evidence: Evidence) -> Work[Measured]:
    """Measure the mean gain at half, once, twice and four times the budget."""
    gains = {}
    for name, factor in _FACTORS.items():
        attacked = yield from evidence.attack(evidence.rescaled(factor) if factor != 1.0 else None)
        gains[f"{name} the budget"] = float(evidence.gains(attacked.result.adversarial_scores).mean())
    return _rising(gains, used="once the budget", allowed=("half the budget",))


def grows_with_steps(evidence: Evidence) -> Work[Measured]:
    """Measure the mean gain with a quarter, half and all of the steps."""
    steps = evidence.plan.attack.steps
    gains = {}
    for count in sorted({max(1, steps // 4), max(1, steps // 2), steps}):
        gains[f"{count} steps"] = yield from _gain_with_steps(evidence, count)
    return _rising(gains, used=f"{steps} steps", allowed=tuple(gains))


def converged(evidence: Evidence) -> Work[Measured]:
    """Measure what twice the steps change in the mean gain."""
    steps = evidence.plan.attack.steps
    used = yield from _gain_with_steps(evidence, steps)
    twice = yield from _gain_with_steps(evidence, 2 * steps)
    change = 100 * (twice - used) / max(abs(used), 1e-3)
    return Measured(
        abs(change) < 5,
        (
            _figure(f"{steps} steps", used),
            _figure(f"{2 * steps} steps", twice),
            Figure("change", change, "%", "less than 5"),
        ),
        _cost(used, twice),
    )


def unbounded(evidence: Evidence) -> Work[Measured]:
    """Measure how near to the end of the score range each photo gets when every change is allowed."""
    goal, model, clean = evidence.plan.goal, evidence.scorer, evidence.clean_scores
    low, high = (torch.full_like(clean, end) for end in (model.score_range.low, model.score_range.high))
    ends = torch.where(goal.signs(clean, clean, model) > 0, high, low)
    if goal.target is not None:
        ends = torch.full_like(clean, goal.target)
    wanted, missing = evidence.gains(ends), 1.0
    for record in run(
        dataclasses.replace(_UNBOUNDED, direction=goal.direction, target=goal.target), model, evidence.images
    ):
        yield
        reached = record.adversarial_scores if isinstance(record, AttackResult) else record.best_scores
        missing = float((wanted - evidence.gains(reached)).max())
        if missing <= 0.05:
            break
    name = "distance of the slowest photo from the end of the range"
    return Measured(missing <= 0.05, (Figure(name, 100 * max(missing, 0.0), "% of the range", "at most 5"),))


def black_box(evidence: Evidence) -> Work[Measured]:
    """Measure whether an attack that sees scores only gets farther on any photo than the one in use.

    Where the one in use cannot work at all it counts as having gained nothing.
    """
    name = next(name for name in BLACK_BOXES if name in ATTACKS)
    budget = evidence.plan.queries
    blind = yield from _gain(evidence, name, queries=budget, seed=evidence.plan.seed)
    return (yield from _outdone(evidence, f"{name}, {budget} queries", blind))


def transfer(evidence: Evidence) -> Work[Measured]:
    """Measure whether images made on the reference get farther on any photo than those made on the model."""
    made = yield from evidence.attack(on=evidence.compared)
    borrowed = evidence.gains(score(evidence.scorer, made.result.adversarial))
    return (yield from _outdone(evidence, "images made on the reference", borrowed))


def worst_case(evidence: Evidence) -> Work[Measured]:
    """Measure how much the worst of several attacks on each photo exceeds the attack in use."""
    names = [name for name in RIVALS if ATTACKS[name] is not type(evidence.plan.attack)]
    # A rival with as few steps as FGSM would be none, one with as many as a long attack would cost as much.
    steps = min(max(evidence.plan.attack.steps, 10), 40)
    used = yield from _gain(evidence)
    gains = [used]
    for name in names:
        gains.append((yield from _gain(evidence, name, seed=evidence.plan.seed + 1, steps=steps)))
    mean, worst = float(used.mean()), float(torch.stack(gains).amax(0).mean())
    return Measured(
        worst <= 1.05 * mean + _SLACK,
        (
            _figure("the attack", mean),
            _figure(f"each photo's worst of it, {', '.join(names)}", worst, "at most 5 % more"),
        ),
        _cost(mean, worst),
    )


_SLACK = 1e-3
"""Share of the score range that no verdict depends on."""


def _gain(evidence: Evidence, name: str | None = None, **settings: object) -> Work[Tensor]:
    """Return the gains (N,), as shares of the range, of the attack called `name`; by default of the one in use."""
    attacked = yield from evidence.attack(None if name is None else evidence.sibling(name, **settings))
    return evidence.gains(attacked.result.adversarial_scores)


def _gain_with_steps(evidence: Evidence, steps: int) -> Work[float]:
    """Return the mean gain of the attack in use with so many steps."""
    attack = evidence.plan.attack
    attacked = yield from evidence.attack(None if steps == attack.steps else evidence.changed(steps=steps))
    return float(evidence.gains(attacked.result.adversarial_scores).mean())


def _outdone(evidence: Evidence, rival: str, gains: Tensor) -> Work[Measured]:
    """Compare the gains (N,) of a rival that knows less with those of the attack in use, photo by photo."""
    used = (yield from _gain(evidence)) if evidence.can_attack else torch.zeros_like(gains)
    ahead = sum(_below(float(own), float(other)) for own, other in zip(used, gains, strict=True))
    return Measured(
        ahead == 0,
        (
            _figure(rival, float(gains.mean())),
            _figure("the attack", float(used.mean())),
            Figure("photos on which the attack is outdone", ahead, limit="none"),
        ),
        _cost(float(used.mean()), float(torch.maximum(used, gains).mean())),
    )


def _cost(used: float, found: float) -> tuple[float, float] | None:
    """Return the gain of the attack in use and a larger one that was found, in percent; None where it is not larger."""
    return (100 * used, 100 * found) if found > used + _SLACK else None


def _rising(gains: dict[str, float], *, used: str, allowed: Sequence[str]) -> Measured:
    """Return the verdict on gains that should not fall from one to the next by more than 5 %.

    Args:
        gains: by what they were gained with, in order.
        used: key of the attack in use.
        allowed: keys of what its budget allows as well.
    """
    values = list(gains.values())
    falls = any(after < 0.95 * before - _SLACK for before, after in itertools.pairwise(values))
    return Measured(
        not falls,
        tuple(_figure(name, gain, "" if i == 0 else "not less") for i, (name, gain) in enumerate(gains.items())),
        _cost(gains[used], max(gains[name] for name in allowed)),
    )


def _below(less: float, more: float) -> bool:
    """Return whether `less` is below `more` by more than 2 % of it."""
    return not less >= more - 0.02 * abs(more) - _SLACK


def _figure(name: str, gain: float, limit: str = "") -> Figure:
    """Return a mean gain as a figure."""
    return Figure(f"gain: {name}", 100 * gain, "% of the range", limit)
