"""How long a run will take: calls of the model times seconds a call. Knows nothing of Streamlit."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch

from robustiqa_core.attacks import Attack, complete, parse_attack, spell_attack
from robustiqa_core.attacks.objective import score, score_gradient
from robustiqa_core.auditing import AuditPlan, AuditReport, audit
from robustiqa_core.errors import InputError, RobustIQAError
from robustiqa_core.scorer import Scorer
from robustiqa_core.selfcheck import LinearScorer

_SIDE = 32
"""Of the photo on which calls are counted: large enough for what looks at windows of it."""
_PROBE_SIDE = 224
_PROBES, _PATIENCE = 4, 1.0
"""Most calls that a speed is measured by, and the seconds after which no more are made."""


@dataclass(frozen=True, slots=True)
class Calls:
    """How often a run asks the model.

    Args:
        gradients: for a gradient.
        queries: for scores alone.
    """

    gradients: int
    queries: int


@dataclass(frozen=True, slots=True)
class Speed:
    """How long a model takes for a million pixels, in seconds.

    Args:
        gradient: for a gradient.
        query: for a score alone.
    """

    gradient: float
    query: float

    def seconds(self, calls: Calls, pixels: int) -> float:
        """Return how long so many calls take for photos of so many pixels in all.

        Example:
            >>> Speed(gradient=2.0, query=1.0).seconds(Calls(gradients=10, queries=5), pixels=200_000)
            5.0
        """
        return (calls.gradients * self.gradient + calls.queries * self.query) * pixels / 1e6


def attack_calls(attack: Attack) -> Calls:
    """Return the calls of the model that an attack makes for each photo, counted on a trivial scorer."""
    return _attack_calls(spell_attack(attack))


@lru_cache(maxsize=128)
def _attack_calls(text: str) -> Calls:
    try:
        result = complete(parse_attack(text), _free_scorer(), _photo())
    except RobustIQAError:
        # E.g. an attack whose file is missing: the error appears when it is run.
        return Calls(0, 0)
    return Calls(result.gradient_calls, result.queries)


@lru_cache(maxsize=32)
def audit_calls(plan: AuditPlan, *, with_reference: bool) -> Calls:
    """Return the calls of its models that an audit makes, counted on a trivial scorer. Takes half a second.

    Real models need this within a few percent: one check ends as soon as it has its answer.
    """
    reference = _free_scorer() if with_reference else None
    calls = Calls(0, 0)
    for record in audit(_free_scorer(), _photo(), plan, reference=reference):
        if isinstance(record, AuditReport):
            calls = Calls(record.gradient_calls, record.queries)
    return calls


def measure_speed(scorer: Scorer, device: torch.device) -> Speed:
    """Return how long a model takes for a small grey photo: the fastest of several calls, after one that warms up.

    Other load can only make a call slower, on a busy machine fifty times.
    """
    images = torch.full((1, 3, _PROBE_SIDE, _PROBE_SIDE), 0.5, device=device)
    pixels = _PROBE_SIDE**2 / 1e6
    # Reading a score waits for devices that work on their own.
    try:
        float(score_gradient(scorer, images)[0])
    except InputError:
        # A black box, which is asked for scores alone.
        query = _fastest(lambda: float(score(scorer, images)))
        return Speed(query / pixels, query / pixels)
    gradient = _fastest(lambda: float(score_gradient(scorer, images)[0]))
    query = _fastest(lambda: float(score(scorer, images)))
    return Speed(gradient / pixels, query / pixels)


def _fastest(call: Callable[[], object]) -> float:
    """Return the seconds of the fastest of several calls; a slow model is called twice."""
    taken: list[float] = []
    while len(taken) < 2 or (len(taken) < _PROBES and sum(taken) < _PATIENCE):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return min(taken)


def spoken(seconds: float) -> str:
    """Return a duration as people say it, rounded up.

    Example:
        >>> spoken(3.2), spoken(41.0), spoken(75.0), spoken(4000.0)
        ('4 s', '45 s', '1.5 minutes', '1.5 hours')
    """
    if seconds < 10:
        return f"{max(1, math.ceil(seconds))} s"
    if seconds < 60:
        return f"{5 * math.ceil(seconds / 5)} s"
    size, unit = (60, "minute") if seconds < 3600 else (3600, "hour")
    count = math.ceil(2 * seconds / size) / 2
    return f"{count:g} {unit}{'' if count == 1 else 's'}"


def _free_scorer() -> LinearScorer:
    return LinearScorer(torch.randn(3, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0)) / 50)


def _photo() -> torch.Tensor:
    return torch.rand(1, 3, _SIDE, _SIDE, generator=torch.Generator().manual_seed(1))
