"""How long a run will take: the calls that it needs, and what a call costs."""

import pytest
import torch
from tiny_scorer import TinyScorer

from robustiqa_core.attacks import ATTACKS, FGSM, NES, PGD, UAP, Noise, Square, complete, spell_attack
from robustiqa_core.auditing import AuditPlan, AuditReport, audit
from ui.jobs.estimate import Calls, Speed, attack_calls, audit_calls, measure_speed, spoken

PHOTO = torch.rand(1, 3, 48, 40, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "attack",
    [FGSM(), PGD(steps=7), Noise(), Square(queries=50), NES(queries=60)],
    ids=lambda attack: type(attack).__name__,
)
def test_the_calls_of_an_attack_are_those_that_it_makes(attack: object) -> None:
    result = complete(attack, TinyScorer(), PHOTO)  # type: ignore[arg-type]
    assert attack_calls(attack) == Calls(result.gradient_calls, result.queries)  # type: ignore[arg-type]


def test_every_attack_has_an_estimate() -> None:
    assert all(attack_calls(kind()).queries > 0 for kind in ATTACKS.values() if kind is not UAP), list(ATTACKS)


def test_an_attack_whose_file_is_missing_costs_nothing_until_it_is_run() -> None:
    attack = UAP(perturbation="there-is-no-such-file")
    assert "there-is-no-such-file" in spell_attack(attack)
    assert attack_calls(attack) == Calls(0, 0)


def test_the_calls_of_an_audit_are_nearly_those_that_it_makes() -> None:
    plan = AuditPlan(FGSM(), queries=60)
    *_, report = audit(TinyScorer(), PHOTO.repeat(1, 1, 1, 1), plan)
    assert isinstance(report, AuditReport)
    calls = audit_calls(plan, with_reference=False)
    assert calls.gradients == pytest.approx(report.gradient_calls, rel=0.2)
    assert calls.queries == pytest.approx(report.queries, rel=0.2)
    assert audit_calls(plan, with_reference=True).gradients > calls.gradients


def test_the_speed_of_a_model_is_measured_by_its_calls() -> None:
    waited = []

    def wait() -> None:
        waited.append(torch.is_grad_enabled())

    speed = measure_speed(TinyScorer(before_call=wait), torch.device("cpu"))
    assert speed.gradient > 0
    assert speed.query > 0
    assert waited.count(True) == 5, "the first is not counted"
    assert waited.count(False) == 4


def test_twice_the_pixels_take_twice_the_time() -> None:
    speed, calls = Speed(gradient=0.4, query=0.1), Calls(gradients=10, queries=20)
    assert speed.seconds(calls, 1_000_000) == pytest.approx(6.0)
    assert speed.seconds(calls, 2_000_000) == pytest.approx(12.0)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "1 s"), (9.2, "10 s"), (58.0, "60 s"), (60.0, "1 minute"), (61.0, "1.5 minutes"), (3600.0, "1 hour")],
)
def test_a_duration_is_rounded_up_as_people_say_it(seconds: float, words: str) -> None:
    assert spoken(seconds) == words
