"""Each check doubts what it is there to catch, and the whole audit a broken model."""

import dataclasses
from collections.abc import Callable, Iterator

import pytest
from audit_runs import TEN, WEAK, find, finish
from audit_scorers import Broken, broken, linear, net
from torch import Tensor

from robustiqa_core.attacks import PGD
from robustiqa_core.attacks.records import Trial
from robustiqa_core.auditing import CHECKS, AuditPlan, Finding
from robustiqa_core.scorer import Scorer, ScoreRange


@dataclasses.dataclass(frozen=True, slots=True)
class Overstepping(PGD):
    """PGD that forgets its budget."""

    def project(self, adversarial: Tensor, images: Tensor) -> Tensor:
        return adversarial.clamp(images - 2 * self.eps, images + 2 * self.eps).clamp(0.0, 1.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Lying(PGD):
    """PGD that reports scores that its images do not have."""

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        for trial in PGD.iterate(self, scorer, images):
            yield Trial(trial.adversarial, trial.scores + 0.1 * (trial.adversarial is not images))


def honest() -> Broken:
    """Return a model that squeezes its scores and states the range that they then have."""
    model = broken("contracts")
    model.score_range = ScoreRange(0.35, 0.65)
    return model


CATCHES: dict[str, list[Callable[[], Finding]]] = {
    "gradient": [
        lambda: find("gradient", broken("quantised")),
        lambda: find("gradient", broken("detached")),
        lambda: find("gradient", broken("saturates")),
        lambda: find("gradient", broken("not a number")),
    ],
    "finite differences": [
        lambda: find("finite differences", broken("partly detached")),
        lambda: find("finite differences", broken("quantised, gradient made up")),
        lambda: find("finite differences", broken("photos quantised")),
        lambda: find("finite differences", broken("noisy")),
        lambda: find("finite differences", broken("slightly noisy")),
        lambda: find("finite differences", broken("normalises differently when attacked")),
    ],
    "reach": [lambda: find("reach", broken("shatters")), lambda: find("reach", broken("saturates"))],
    "repeat": [lambda: find("repeat", broken("noisy")), lambda: find("repeat", broken("slightly noisy"))],
    "batch": [lambda: find("batch", broken("depends on its batch"))],
    "same path": [lambda: find("same path", broken("normalises differently when attacked"))],
    "resolution": [
        lambda: find("resolution", broken("quantised")),
        lambda: find("resolution", broken("quantised, gradient made up")),
    ],
    "score range": [
        lambda: find("score range", broken("expects 0 to 255")),
        lambda: find("score range", broken("normalises twice")),
        lambda: find("score range", broken("contracts")),
    ],
    "degradations": [
        lambda: find("degradations", broken("expects 0 to 255")),
        lambda: find("degradations", broken("normalises twice")),
        lambda: find("degradations", broken("normalises twice"), reference=net()),
    ],
    "canary": [lambda: find("canary", linear(), WEAK)],
    "best point": [
        lambda: find("best point", broken("noisy")),
        lambda: find("best point", linear(), AuditPlan(Lying(steps=3), queries=60)),
    ],
    "budget": [lambda: find("budget", linear(), AuditPlan(Overstepping(steps=3), queries=60))],
    "order": [
        lambda: find("order", broken("shatters"), TEN),
        lambda: find("order", broken("quantised")),
        lambda: find("order", linear(), WEAK),
    ],
    "larger budget": [
        lambda: find("larger budget", broken("shatters"), AuditPlan(PGD(0.5 / 255, steps=3), queries=60))
    ],
    "more steps": [lambda: find("more steps", broken("shatters"))],
    "twice the steps": [lambda: find("twice the steps", linear(), WEAK)],
    "no bounds": [
        lambda: find("no bounds", broken("quantised")),
        lambda: find("no bounds", broken("expects 0 to 255")),
    ],
    "black box": [
        lambda: find("black box", broken("detached")),
        lambda: find("black box", broken("shatters"), TEN),
    ],
    "transfer": [
        lambda: find("transfer", broken("quantised"), reference=net()),
        lambda: find("transfer", broken("shatters"), reference=net()),
    ],
    "squeezed scores": [
        lambda: find("squeezed scores", broken("contracts"), reference=net()),
        lambda: find("squeezed scores", honest(), reference=net()),
    ],
    "worst case": [lambda: find("worst case", broken("shatters")), lambda: find("worst case", linear(), WEAK)],
}


def test_every_check_is_shown_to_catch_something() -> None:
    assert CATCHES.keys() == CHECKS.keys()


@pytest.mark.parametrize(
    "catch",
    [
        pytest.param(catch, id=f"{name} {number}")
        for name, list_ in CATCHES.items()
        for number, catch in enumerate(list_)
    ],
)
def test_a_check_doubts_what_it_is_there_to_catch(catch: Callable[[], Finding]) -> None:
    finding = catch()
    assert finding.verdict == "doubt", [str(figure) for figure in finding.figures]
    assert finding.advice
    assert "{" not in finding.advice


@pytest.mark.parametrize(
    "name",
    [
        *("quantised", "detached", "noisy", "contracts", "expects 0 to 255", "normalises twice"),
        "normalises differently when attacked",
    ],
)
def test_a_broken_model_is_doubted_by_the_whole_audit(name: str) -> None:
    report = finish(broken(name, linear()), AuditPlan(PGD(steps=4), queries=60), reference=linear())
    assert not report.sound
    assert [finding.name for finding in report.findings] == list(CHECKS)
