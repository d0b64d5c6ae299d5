"""The audit passes what is healthy, doubts what is broken, each check on its own, and changes nothing."""

import copy
import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from audit_scorers import Broken, broken, linear, net, photos, stand_in
from PIL import Image
from torch import Tensor

from robustiqa_core import cli
from robustiqa_core.attacks import FGSM, PGD, Noise, parse_attack
from robustiqa_core.attacks.records import Trial
from robustiqa_core.auditing import CHECKS, AuditPlan, AuditReport, AuditStep, Figure, Finding, audit, read_photos
from robustiqa_core.auditing.catalogue import advice
from robustiqa_core.cli import audit as command
from robustiqa_core.defences import parse_defence
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.jobs import JobQueue
from robustiqa_core.scorer import Scorer, ScoreRange

QUICK = AuditPlan(PGD(steps=8), queries=60)


def finish(scorer: Scorer, plan: AuditPlan = QUICK, **settings: object) -> AuditReport:
    *_, report = audit(scorer, photos(), plan, **settings)  # type: ignore[arg-type]
    assert isinstance(report, AuditReport)
    return report


def find(name: str, scorer: Scorer, plan: AuditPlan = QUICK, reference: Scorer | None = None) -> Finding:
    (finding,) = finish(scorer, plan, reference=reference, checks=(name,)).findings
    return finding


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


TEN = AuditPlan(PGD(steps=10))
WEAK = AuditPlan(PGD(step_size=0.02 / 255, steps=3, random_start=False), queries=60)


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


@pytest.mark.parametrize("seed", [0, 1])
def test_a_random_network_passes_every_check(seed: int) -> None:
    report = finish(net(seed), AuditPlan(PGD(steps=10)), reference=net(1 - seed))
    assert [(f.name, f.verdict, list(map(str, f.figures))) for f in report.findings if f.verdict != "pass"] == []


def test_the_usual_audit_stays_within_its_budget_of_calls() -> None:
    # 0.08 s a gradient of four photos of 224 px on two cores: what is counted here takes about a minute.
    report = finish(linear(), AuditPlan(), reference=net())
    assert report.sound
    assert 200 < report.gradient_calls <= 500
    assert report.queries <= 250


def test_a_scorer_that_is_no_module_is_audited_too() -> None:
    class Plain:
        score_range = linear().score_range

        def __call__(self, images: Tensor) -> Tensor:
            return images.float().flatten(1) @ linear().weight + 0.5

    assert finish(Plain()).sound


def test_a_scorer_that_insists_on_float32_is_audited_in_float32() -> None:
    weight = linear().weight

    class Stubborn(torch.nn.Module):
        score_range = linear().score_range

        def forward(self, images: Tensor) -> Tensor:
            return torch.mv(images.flatten(1), weight) + 0.5

    assert finish(Stubborn().eval(), checks=("finite differences", "reach", "resolution")).sound


def test_what_does_not_apply_is_not_run_and_says_why() -> None:
    verdicts = {finding.name: finding for finding in finish(linear(), AuditPlan(FGSM(), queries=60)).findings}
    assert {name for name, finding in verdicts.items() if finding.verdict == "not run"} == {
        *("more steps", "twice the steps", "transfer", "squeezed scores")
    }
    assert "reference" in verdicts["transfer"].advice


def test_without_a_gradient_the_other_checks_still_run() -> None:
    report = finish(broken("detached"))
    verdicts = {finding.name: finding.verdict for finding in report.findings}
    assert verdicts["gradient"] == "doubt"
    assert verdicts["finite differences"] == verdicts["twice the steps"] == "not run"
    assert verdicts["black box"] == "doubt"
    assert verdicts["repeat"] == verdicts["score range"] == "pass"


def test_scores_that_are_no_numbers_end_a_check_in_doubt_and_not_the_audit() -> None:
    report = finish(broken("not a number"), checks=("no bounds", "repeat", "canary"))
    assert [finding.verdict for finding in report.findings] == ["doubt", "doubt", "pass"]
    assert "NaN" in report.findings[0].meaning
    json.dumps([finding.to_json() for finding in report.findings], allow_nan=False)


def test_nothing_that_is_given_is_changed() -> None:
    scorer, images = copy.deepcopy(net()), photos().clone()
    before, state = copy.deepcopy(scorer.state_dict()), torch.get_rng_state()
    list(audit(scorer, images, AuditPlan(PGD(steps=2), queries=60), reference=linear()))
    assert torch.equal(images, photos())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in scorer.state_dict().items())
    assert not scorer.training


def test_the_records_count_up_and_can_be_stopped_between_the_steps_of_an_attack() -> None:
    records = audit(linear(), photos(), QUICK, checks=("order", "canary"))
    steps = []
    for record in records:
        if isinstance(record, AuditReport):
            break
        steps.append(record)
    assert all(isinstance(step, AuditStep) for step in steps)
    assert [step.number for step in steps] == sorted(step.number for step in steps)
    assert sum(step.number == 1 for step in steps) > QUICK.attack.steps
    assert [len(step.findings) for step in steps][-1] == 2
    calls = [step.gradient_calls for step in steps]
    assert calls == sorted(calls)

    class Witness:
        score_range = linear().score_range
        calls = 0

        def __call__(self, images: Tensor) -> Tensor:
            self.calls += 1
            return linear()(images)

    witness = Witness()
    stopped = audit(witness, photos(), QUICK, checks=("twice the steps",))
    next(stopped)
    stopped.close()
    assert witness.calls <= 3


def test_an_audit_runs_as_a_job() -> None:
    jobs = JobQueue()
    job = jobs.submit(lambda: audit(linear(), photos(), QUICK, checks=("repeat", "canary")), owner="test")
    jobs.wait(job, timeout=30)
    report = jobs.result(job)
    jobs.close()
    assert isinstance(report, AuditReport)
    assert report.sound


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_asks_a_question_and_has_its_texts(name: str) -> None:
    check = CHECKS[name]
    assert check.question.endswith("?")
    for text in (check.passed, check.doubted, check.advice):
        assert text.endswith((".", ")"))
        assert "  " not in text


def test_what_cannot_be_audited_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="a check must be one of"):
        audit(linear(), photos(), QUICK, checks=("colour",))
    with pytest.raises(ConfigurationError, match="no goal"):
        AuditPlan(Noise())
    with pytest.raises(ConfigurationError, match="queries"):
        AuditPlan(queries=3)
    with pytest.raises(InputError, match="training mode"):
        audit(copy.deepcopy(linear()).train(), photos())
    with pytest.raises(InputError, match="training mode"):
        audit(linear(), photos(), reference=copy.deepcopy(linear()).train())
    with pytest.raises(InputError, match="float tensor"):
        audit(linear(), photos()[0])


def test_the_usual_photos_are_squares_in_whole_grey_levels() -> None:
    images = read_photos()
    assert images.shape == (4, 3, 224, 224)
    assert torch.equal((images * 255).round() / 255, images)


def test_a_photo_that_is_too_small_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (100, 300)).save(tmp_path / "narrow.png")
    with pytest.raises(InputError, match=r"100 x 300 in narrow\.png"):
        read_photos([tmp_path / "narrow.png"])
    assert read_photos([tmp_path / "narrow.png"], side=64).shape == (1, 3, 64, 64)


def test_a_figure_reads_as_a_sentence_part() -> None:
    assert str(Figure("change", 12.3456, "%", "less than 5")) == "change 12.3 % (less than 5)"
    assert str(Figure("photos", 0)) == "photos 0"


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command find a healthy linear scorer and a contracted one under the names of models."""
    monkeypatch.setitem(cli.COMMANDS, "audit", "say whether a model is robust or only looks so")
    named = {("linearity", "baseline"): linear(), ("linearity", "squeezed"): broken("contracts", linear())}
    monkeypatch.setattr(command, "resolve_scorer", lambda model, variant, device: named[model, variant])

    @dataclasses.dataclass
    class Card:
        model: str
        variant: str

    monkeypatch.setattr(command, "list_cards", lambda: [Card(*name) for name in named])


OPTIONS = ("--attack", "pgd:steps=4", "--queries", "60", "--side", "64", "--device", "cpu")


@pytest.mark.usefixtures("models")
def test_the_command_prints_each_check_and_ends_with_0_where_all_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["audit", *OPTIONS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "linearity baseline, against no reference"
    for name in CHECKS:
        assert any(line[9:].startswith(name) for line in lines), name
    assert lines[-1].startswith("19 pass, 0 doubt, 2 not run")


@pytest.mark.usefixtures("models")
def test_the_command_ends_with_1_where_one_is_in_doubt_and_compares_with_the_baseline(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["audit", "--variant", "squeezed", *OPTIONS, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["reference"] == "linearity-baseline"
    assert not report["sound"]
    verdicts = {finding["name"]: finding["verdict"] for finding in report["findings"]}
    assert verdicts["squeezed scores"] == "doubt"
    assert cli.main([*report["command"].split()[1:]]) == 1
    again = json.loads(capsys.readouterr().out)
    assert again["findings"] == report["findings"]


@pytest.mark.usefixtures("models")
def test_the_command_puts_the_model_behind_defences(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["audit", *OPTIONS, "--defence", "resize:scale=0.7", "--defence", "resize:scale=0.9", "--json"]
    assert cli.main(words) in (0, 1)
    report = json.loads(capsys.readouterr().out)
    assert report["defences"] == ["resize:scale=0.7", "resize:scale=0.9"]
    assert report["reference"] == "linearity-baseline"
    assert cli.main(["audit", *OPTIONS, "--defence", "mist"]) == 2
    assert "jpeg" in capsys.readouterr().err
