"""`robustiqa audit`: what it prints, its status, a baseline and defences."""

import dataclasses
import json

import pytest
from audit_scorers import broken, linear

from robustiqa_core import cli
from robustiqa_core.auditing import CHECKS
from robustiqa_core.cli import audit as command


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


@pytest.mark.thorough
@pytest.mark.usefixtures("models")
def test_the_command_puts_the_model_behind_defences(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["audit", *OPTIONS, "--defence", "resize:scale=0.7", "--defence", "resize:scale=0.9", "--json"]
    assert cli.main(words) in (0, 1)
    report = json.loads(capsys.readouterr().out)
    assert report["defences"] == ["resize:scale=0.7", "resize:scale=0.9"]
    assert report["reference"] == "linearity-baseline"
    assert cli.main(["audit", *OPTIONS, "--defence", "mist"]) == 2
    assert "jpeg" in capsys.readouterr().err
