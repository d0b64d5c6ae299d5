"""What an audit is: its records, what it may be given, what it refuses; and that it changes nothing."""

import copy
import json
from pathlib import Path

import pytest
import torch
from audit_runs import QUICK, finish
from audit_scorers import broken, linear, net, photos
from PIL import Image
from torch import Tensor

from robustiqa_core.attacks import FGSM, PGD, Noise
from robustiqa_core.auditing import CHECKS, AuditPlan, AuditReport, AuditStep, Figure, audit, read_photos
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.jobs import JobQueue


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


@pytest.mark.thorough
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
    with pytest.raises(ConfigurationError, match="an attack with a direction"):
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
