"""The audit passes what is healthy, and doubts nobody for what the attack or the pattern did."""

import re

import pytest
import torch
from audit_runs import QUICK, WEAK, find, finish
from audit_scorers import Broken, linear, net, photos, stand_in
from torch import Tensor

from robustiqa_core.attacks import PGD, parse_attack
from robustiqa_core.auditing import CHECKS, AuditPlan
from robustiqa_core.auditing.catalogue import advice
from robustiqa_core.defences import parse_defence
from robustiqa_core.scorer import ScoreRange


@pytest.mark.parametrize(
    "text",
    ["pgd", "pgd:direction=down", "apgd:norm=l2", "pgd:direction=away,eps=1/255", "pgd:direction=towards,target=0.9"],
)
def test_a_linear_scorer_passes_every_check_with_every_goal(text: str) -> None:
    report = finish(linear(), AuditPlan(parse_attack(text)), reference=net())
    assert [(f.name, f.verdict, list(map(str, f.figures))) for f in report.findings if f.verdict != "pass"] == []
    assert [finding.name for finding in report.findings] == list(CHECKS)


class Overshooting(torch.nn.Module):
    """A score that rises and falls with the linear one: one step of 4/255 comes out where it began."""

    score_range = ScoreRange(0.0, 1.0)

    def forward(self, images: Tensor) -> Tensor:
        once_round = 2 * torch.pi / float(4 / 255 * linear().weight.abs().sum())
        return 0.5 + 0.4 * torch.sin(once_round * linear()(images))


def test_a_model_on_which_one_whole_step_overshoots_is_not_doubted_for_that() -> None:
    finding = find("order", Overshooting().eval(), AuditPlan(parse_attack("apgd:steps=20")))
    assert finding.verdict == "pass", [str(figure) for figure in finding.figures]
    (noise, one_step, *_) = finding.figures
    assert one_step.name == "gain: the best step of 4 or 2 or 1/255"
    assert one_step.value > 10 * abs(noise.value)


def test_order_holds_several_steps_against_noise_and_the_attack_against_them() -> None:
    names = [figure.name for figure in find("order", linear()).figures]
    assert names == ["gain: noise", "gain: the best step of 4 or 2 or 1/255", "gain: 10 steps", "gain: the attack"]
    weak = find("order", linear(), WEAK)
    assert weak.cost is not None
    assert weak.cost[0] < 0.2 * weak.cost[1]


def test_budgets_below_a_grey_level_have_one_size_of_step() -> None:
    plan = AuditPlan(parse_attack("pgd:eps=0.5/255"))
    assert [figure.name for figure in find("order", linear(), plan).figures][1] == "gain: the best step of 0.5/255"


def test_a_pattern_of_low_frequencies_is_among_the_rivals_and_finds_what_grain_hides() -> None:
    ramp = torch.linspace(-1.0, 1.0, photos().shape[-1])

    def hidden(images: Tensor) -> Tensor:
        return 0.5 + 2.0 * (ramp * images).mean((1, 2, 3)) + 0.05 * torch.sin(3000 * images).mean((1, 2, 3))

    class Hidden(torch.nn.Module):
        score_range = ScoreRange(0.0, 1.0)

        def forward(self, images: Tensor) -> Tensor:
            return hidden(images)

    finding = find("worst case", Hidden().eval(), QUICK)
    assert "low_frequency" in finding.figures[1].name
    assert finding.verdict == "doubt"
    assert finding.cost is not None
    assert finding.cost[1] > 1.2 * finding.cost[0]


def test_a_declared_stand_in_is_judged_by_whether_it_leads_uphill() -> None:
    behind_jpeg = find("finite differences", parse_defence("jpeg:quality=90").wrap(net()))
    assert behind_jpeg.verdict == "pass", [str(figure) for figure in behind_jpeg.figures]
    assert "stand-in" in behind_jpeg.meaning
    wrong = Broken(net(), lambda scorer, x: stand_in(scorer(x), net(1)(x.flip(3))))
    wrong.gradient_is_stand_in = True
    finding = find("finite differences", wrong)
    assert finding.verdict == "doubt"
    assert "leads nowhere" in finding.meaning


@pytest.mark.thorough
@pytest.mark.parametrize("text", ["jpeg:quality=50", "smoothing:samples=3"])
def test_a_stand_in_is_declared_through_every_wrapper_and_judged_by_as_many_checks_as_others(text: str) -> None:
    defended = parse_defence("resize:scale=0.9").wrap(parse_defence(text).wrap(net()))
    report = finish(defended, reference=net())
    assert defended.gradient_is_stand_in
    assert [finding.name for finding in report.findings if finding.verdict == "not run"] == []
    (judged,) = (finding for finding in report.findings if finding.name == "finite differences")
    assert "declared" in judged.meaning
    assert not parse_defence("smoothing:samples=3,gradient=median").wrap(net()).gradient_is_stand_in


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("text", ["fgsm", "pgd", "apgd", "square", "nes"])
def test_advice_does_not_recommend_what_was_used(name: str, text: str) -> None:
    told = advice(CHECKS[name], parse_attack(text))
    assert "{" not in told
    assert not re.search(rf"[Uu]se {text}|such as {text}\b|[Ww]ith {text}\b", told)
    if text == "apgd":
        assert "apgd" not in told


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [0, 1])
def test_a_random_network_passes_every_check(seed: int) -> None:
    report = finish(net(seed), AuditPlan(PGD(steps=10)), reference=net(1 - seed))
    assert [(f.name, f.verdict, list(map(str, f.figures))) for f in report.findings if f.verdict != "pass"] == []


@pytest.mark.thorough
def test_the_usual_audit_stays_within_its_budget_of_calls() -> None:
    # 0.08 s a gradient of four photos of 224 px on two cores: what is counted here takes about a minute.
    report = finish(linear(), AuditPlan(), reference=net())
    assert report.sound
    assert 200 < report.gradient_calls <= 500
    assert report.queries <= 250
