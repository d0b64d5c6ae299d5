"""The page that audits: nothing yet, running, done, cancelled, failed; its findings, its files and its address."""

import csv
import io
import json
import shlex
from pathlib import Path

import pytest
from job_pages import TIMEOUT, finish, png, run, text, use
from streamlit.testing.v1 import AppTest
from tiny_scorer import CARD, SLOPE, Gate, TinyScorer

from robustiqa_core import cli
from robustiqa_core.auditing import CHECKS
from robustiqa_core.auditing.photos import SAMPLES
from robustiqa_core.cli import audit as audit_command
from robustiqa_core.jobs import OUT_OF_MEMORY
from ui.audit import view
from ui.audit.job import AuditOutcome, findings_csv
from ui.audit.texts import conclusion, groups, summary
from ui.jobs import cache as jobs_cache
from ui.shell import cache, state
from ui.shell.markdown import sentence

ROOT = Path(__file__).parents[3]
APP = ROOT / "app.py"
JOBS = "audit_jobs"
QUICK = {"photos": SAMPLES[0], "side": "64", "attack": "fgsm", "eps": "4/255", "audit_queries": "60"}
"""An audit that takes two seconds."""


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    use(monkeypatch, TinyScorer())
    return open_page(QUICK)


def open_page(address: dict[str, str] | None = None) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=TIMEOUT)
    page.switch_page("pages/audit.py")
    for key, value in (address or {}).items():
        page.query_params[key] = value
    return page.run()


def outcome(page: AppTest) -> AuditOutcome:
    shown = page.session_state[JOBS].shown
    found = jobs_cache.shelf().get(shown) or cache.jobs().result(shown)
    assert isinstance(found, AuditOutcome)
    return found


def run_out_of_memory() -> None:
    raise MemoryError


def test_a_first_visit_lists_all_questions_and_says_how_long_the_answers_take(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, TinyScorer())
    page = open_page()
    assert not page.exception
    assert page.session_state["audit_samples"] == list(SAMPLES)
    assert page.session_state[JOBS].active is None
    for check in CHECKS.values():
        assert check.question in text(page)
    assert f"There are {len(CHECKS)} questions." in text(page)
    assert "Takes about" in text(page)


def test_each_check_has_one_place_on_the_page() -> None:
    listed = [name for names in groups().values() for name in names]
    assert sorted(listed) == sorted(CHECKS)


def test_an_audit_shows_each_finding_with_its_figures(page: AppTest) -> None:
    finish(page, JOBS)
    findings = outcome(page).report.findings
    assert page.header[0].value == summary(findings)
    assert conclusion(findings) in text(page)
    for finding in findings:
        assert finding.question in text(page)
        assert finding.meaning in text(page)
    canary = next(finding for finding in findings if finding.name == "canary")
    assert canary.verdict == "pass"
    assert canary.figures[0].value == pytest.approx(0.0, abs=1e-3)
    gains = next(finding for finding in findings if finding.name == "order").figures
    expected = 100 * SLOPE * 4 / 255 / TinyScorer.score_range.width
    assert any(figure.value == pytest.approx(expected, rel=0.05) for figure in gains), "as on a linear scorer"
    assert "transfer" in [finding.name for finding in findings if finding.verdict == "not run"], "no reference"


def test_the_files_have_all_findings(page: AppTest) -> None:
    finish(page, JOBS)
    found = outcome(page)
    lines = list(csv.DictReader(io.StringIO(findings_csv(found.report.findings))))
    assert list(dict.fromkeys(line["check"] for line in lines)) == list(CHECKS)
    assert sum(line["figure"] != "" for line in lines) == sum(len(item.figures) for item in found.report.findings)
    assert [item["name"] for item in found.to_json()["findings"]] == list(CHECKS)
    assert [button.label for button in page.download_button] == ["Findings (CSV)", "Findings (JSON)"]


def test_the_command_gives_the_same_findings(
    monkeypatch: pytest.MonkeyPatch, page: AppTest, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(page, JOBS)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(audit_command, "resolve_scorer", lambda model, variant, device: TinyScorer())
    assert page.code[-1].value == outcome(page).command
    assert cli.main(shlex.split(page.code[-1].value)[1:]) in (0, 1)
    again = json.loads(capsys.readouterr().out)
    mine = outcome(page).to_json()
    for key in set(mine) - {"seconds", "findings"}:
        assert again[key] == mine[key], key
    for found, before in zip(again["findings"], mine["findings"], strict=True):
        assert (found["name"], found["verdict"]) == (before["name"], before["verdict"])
        values = [figure["value"] for figure in before["figures"]]
        assert [figure["value"] for figure in found["figures"]] == pytest.approx(values, rel=1e-4, abs=1e-6)


def test_a_finished_audit_survives_a_reload_and_another_page(page: AppTest) -> None:
    finish(page, JOBS)
    headline, address = page.header[0].value, {key: str(value) for key, value in page.query_params.items()}
    assert address["result"] == view.kept_as(outcome(page).recipe)
    page.switch_page("pages/how_it_works.py").run()
    page.switch_page("pages/audit.py").run()
    assert page.header[0].value == headline
    again = open_page(address)
    assert again.header[0].value == headline
    assert again.session_state[JOBS].active is None
    assert (again.session_state["audit_side"], again.session_state["audit_attack"]) == (64, "fgsm")
    assert again.session_state["audit_eps_levels"] == pytest.approx(4.0)


def test_other_controls_leave_the_findings_and_say_so(page: AppTest) -> None:
    finish(page, JOBS)
    headline = page.header[0].value
    page.number_input(key="audit_black_box_queries").set_value(80).run()
    assert page.header[0].value == headline
    assert "The controls have changed since this audit." in page.info[0].value


def test_a_running_audit_shows_its_check_and_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, TinyScorer())
    page = open_page(QUICK)
    stop = Gate(calls=1)
    monkeypatch.setattr(cache, "scorer", lambda model, variant: TinyScorer(before_call=stop))
    run(page, JOBS)
    assert stop.waiting.wait(TIMEOUT)
    page.run()
    assert str(page.get("progress")[0].text).startswith((f"Check 1 of {len(CHECKS)}", "Reading the photos"))
    assert "At work" in text(page)
    page.button(key=state.CANCEL).click().run()
    stop.open()
    assert page.info[0].value == "Cancelled before the first check ended."
    assert not [header for header in page.header if "pass" in header.value]


def test_a_failed_audit_says_why_and_the_page_goes_on(monkeypatch: pytest.MonkeyPatch, page: AppTest) -> None:
    monkeypatch.setattr(cache, "scorer", lambda model, variant: TinyScorer(before_call=run_out_of_memory))
    job = run(page, JOBS)
    assert cache.jobs().wait(job, timeout=TIMEOUT).state == "failed"
    page.run()
    assert page.error[0].value == f"The audit failed. {sentence(OUT_OF_MEMORY)}"
    monkeypatch.setattr(cache, "scorer", lambda model, variant: TinyScorer())
    finish(page, JOBS)
    assert not page.error


def test_a_defence_is_audited_beside_the_model_without_it(page: AppTest) -> None:
    again = open_page({**QUICK, "defence": "jpeg:quality=50", "reference": "automatic"})
    finish(again, JOBS)
    found = outcome(again)
    assert (found.recipe.defence, found.recipe.reference) == ("jpeg:quality=50", CARD.stem)
    assert "--defence jpeg:quality=50" in found.command
    assert "transfer" not in [finding.name for finding in found.report.findings if finding.verdict == "not run"]
    assert "reach" in [finding.name for finding in found.report.findings if finding.verdict == "doubt"]
    assert "The checks in doubt say what to do." in text(again)


def test_bad_uploads_are_left_out_with_the_reason_and_the_good_ones_go_on(page: AppTest) -> None:
    page.segmented_control(key="audit_source").set_value("uploads").run()
    assert next(button for button in page.button if button.label == "Run the audit").disabled
    page.file_uploader[0].set_value(
        [
            ("good.png", png((96, 80)), "image/png"),
            ("bad.png", b"this is no photo", "image/png"),
            ("small.png", png((96, 40)), "image/png"),
        ]
    ).run()
    refused = [message.value.replace("\\", "") for message in page.error]
    assert refused[0].startswith("**bad.png is left out.** Expected a photo (JPEG")
    assert refused[1].startswith("**small.png is left out.** Expected photos of at least 64 x 64 px, got 96 x 40")
    finish(page, JOBS)
    assert outcome(page).recipe.photos.names == ("good.png",)
    assert "photos" not in page.query_params, "an address cannot carry an upload"
    assert "result" not in page.query_params, "what belongs to a visitor is not kept for others"


@pytest.mark.parametrize(
    "address",
    [
        {"model": "magic"},
        {"reference": "magic"},
        {"attack": "magic"},
        {"defence": "magic"},
        {"side": "99999"},
        {"audit_queries": "1000000"},
        {"audit_seed": "-1"},
        {"photos": "../../etc/passwd"},
    ],
    ids=lambda address: ",".join(address),
)
def test_an_address_that_makes_no_sense_ends_in_the_default_view_and_a_sentence(
    page: AppTest, address: dict[str, str]
) -> None:
    again = open_page(address)
    assert not again.exception
    assert again.error[0].value.startswith("The address is not valid")
    assert again.session_state["audit_samples"] == list(SAMPLES)
