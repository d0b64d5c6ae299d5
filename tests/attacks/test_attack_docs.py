"""The attack in docs/guide/adding_an_attack.md does what that page promises."""

import re
import sys
import types
from pathlib import Path

import pytest
import torch
from attack_scorers import EPS, SmallNet, linear, photos

from robustiqa_core.attacks import Norm, complete

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "adding_an_attack.md"


@pytest.fixture
def documented(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Return the page's file as a module."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    module = types.ModuleType("ni_fgsm")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(code, str(PAGE), "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_attack_on_the_page_reaches_the_optimum_of_a_linear_scorer(
    documented: types.ModuleType, norm: Norm
) -> None:
    images = photos(inner=True)
    scorer = linear(images)
    length = 3 * 12 * 20
    best = scorer.weight.abs().sum() if norm == "linf" else length**0.5 * scorer.weight.norm()
    for direction, sign in (("up", 1.0), ("down", -1.0)):
        result = complete(documented.NIFGSM(EPS, norm=norm, direction=direction), scorer, images)
        gain = result.adversarial_scores - result.clean_scores
        torch.testing.assert_close(gain, (sign * EPS * best).expand(3), rtol=1e-4, atol=0)


def test_the_attack_on_the_page_keeps_its_budget_and_its_steps(documented: types.ModuleType) -> None:
    images = photos()
    attack = documented.NIFGSM(EPS, steps=4)
    trials = list(attack.iterate(SmallNet(), images))
    assert len(trials) == attack.steps + 1
    assert trials[0].adversarial is images
    assert all(torch.equal(attack.project(trial.adversarial, images), trial.adversarial) for trial in trials)
