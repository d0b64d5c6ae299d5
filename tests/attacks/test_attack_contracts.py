"""What every attack promises: its budget, its gain, its settings; a new line in ATTACKS is tested by being there.

More promises to all: the records and what they count (test_attack_records), the same bits again (test_attack_repeats),
no effects on the caller's things (test_attack_effects). Not here: known optima (test_attack_oracles), other
implementations (test_attack_parity), the runner's own duties with bad scorers (test_attack_run).
"""

import dataclasses
import itertools
import json

import pytest
import torch
from attack_scorers import EPS, SmallNet, configurations, label, linear, norm_of, photos
from every_attack import ALL
from torch import Tensor

from robustiqa_core.attacks import (
    APGD,
    ATTACKS,
    FGSM,
    MIFGSM,
    PGD,
    SETTINGS,
    Attack,
    AttackResult,
    complete,
    make_attack,
    projections,
    run,
)
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.images.photo import round_to_8bit

CLIMBERS = (FGSM, MIFGSM, PGD, APGD)
"""Attacks that follow the gradient alone: for these it can be shown that a larger ball gives no less."""


def keeps_best(attack: Attack) -> bool:
    """Say whether the attack promises never to be worse than the photo: only then a tie is no improvement."""
    return attack.goal is not None


BEST = pytest.mark.parametrize("attack", [a for a in configurations() if keeps_best(a)], ids=label)
WITH_EPS = pytest.mark.parametrize("attack", [a for a in configurations() if norm_of(a)], ids=label)


def size(perturbation: Tensor, attack: Attack) -> Tensor:
    """Return the size of the perturbations in the unit of the attack's eps, computed in float64."""
    norm = norm_of(attack)
    assert norm is not None
    return projections.size(perturbation.double(), norm)


def values(attack: Attack, scores: Tensor, clean_scores: Tensor) -> Tensor:
    """Return what the attack maximises."""
    assert attack.goal is not None
    return attack.goal.value(scores, clean_scores, SmallNet())


def gains(attack: Attack, result: AttackResult) -> Tensor:
    """Return how far the scores moved in the attack's direction."""
    before, after = (
        values(attack, scores, result.clean_scores) for scores in (result.clean_scores, result.adversarial_scores)
    )
    return after - before


def test_all_attacks_but_those_that_do_not_ask_the_model_promise_never_to_be_worse_than_the_photo() -> None:
    blind = {type(attack) for attack in configurations() if not keeps_best(attack)}
    assert blind == {ATTACKS["noise"], ATTACKS["uap"]}


@ALL
def test_every_step_and_the_result_stay_in_the_budget_and_in_0_1(attack: Attack) -> None:
    images = photos()
    for record in run(attack, SmallNet(), images):
        assert torch.equal(attack.project(record.adversarial, images), record.adversarial)
        assert record.adversarial.min() >= 0.0
        assert record.adversarial.max() <= 1.0
        if norm_of(attack):
            assert (size(record.adversarial.double() - images.double(), attack) <= EPS * (1 + 1e-5)).all()


@WITH_EPS
def test_the_rounded_image_exceeds_the_budget_by_no_more_than_its_rounding(attack: Attack) -> None:
    result = complete(attack, SmallNet(), photos())
    assert torch.equal(result.rounded, round_to_8bit(result.adversarial))
    rounding = size(result.rounded - result.adversarial, attack)
    assert (rounding <= 0.5 / 255 + 1e-6).all()
    assert (size(result.rounded - result.images, attack) <= EPS * (1 + 1e-5) + rounding).all()


@pytest.mark.parametrize("attack", [a for a in configurations() if norm_of(a) == "linf"], ids=label)
def test_rounding_keeps_a_budget_of_whole_levels_round_an_8_bit_photo(attack: Attack) -> None:
    result = complete(attack, SmallNet(), photos())
    assert (size(result.rounded - result.images, attack) <= EPS + 1e-6).all()


@ALL
def test_the_projection_changes_nothing_within_the_budget(attack: Attack) -> None:
    images = photos()
    for trial in attack.iterate(SmallNet(), images):
        assert torch.equal(attack.project(trial.adversarial, images), trial.adversarial)


@BEST
@pytest.mark.parametrize("curvature", [0.0, 5.0, -500.0])
def test_the_result_is_never_worse_than_the_photo(attack: Attack, curvature: float) -> None:
    images = photos()
    assert (gains(attack, complete(attack, linear(images, curvature=curvature), images)) >= 0.0).all()


@BEST
def test_the_best_so_far_never_gets_worse_and_is_the_best_of_all_trials(attack: Attack) -> None:
    images = photos()
    scorer = linear(images, curvature=-500.0)
    *steps, result = run(attack, scorer, images)
    seen = torch.stack(
        [values(attack, s, result.clean_scores) for s in (result.clean_scores, *(r.scores for r in steps))]
    )
    kept = torch.stack([values(attack, step.best_scores, result.clean_scores) for step in steps])
    assert torch.equal(kept, seen.cummax(0).values[1:])


@pytest.mark.parametrize(
    "attack",
    [a for a in configurations() if isinstance(a, CLIMBERS) and a.direction in ("up", "down")],
    ids=label,
)
def test_a_larger_eps_never_gains_less_on_a_convex_score(attack: Attack) -> None:
    images = photos()
    scorer = linear(images, curvature=0.5 if getattr(attack, "direction", "up") == "up" else -0.5)
    strengths = [eps / 255 for eps in (0.5, 1, 2, 4, 8, 16)]
    reached = [gains(attack, complete(dataclasses.replace(attack, eps=eps), scorer, images)) for eps in strengths]
    assert all((more >= less).all() for less, more in itertools.pairwise(reached))
    assert (reached[-1] > reached[0]).all()


@ALL
def test_a_configuration_survives_json(attack: Attack) -> None:
    name = next(key for key, kind in ATTACKS.items() if type(attack) is kind)
    text = json.dumps(dataclasses.asdict(attack))
    assert make_attack(name, json.loads(text)) == attack


BAD: tuple[tuple[str, object], ...] = (
    ("eps", 0.0),
    ("eps", 8),
    ("eps", float("nan")),
    ("eps", "4/255"),
    ("norm", "l1"),
    ("direction", "sideways"),
    ("target", 0.5),
    ("seed", -1),
    ("seed", 2**63),
    ("steps", 0),
    ("steps", 2.0),
    ("step_size", 2.0),
    ("decay", 1.5),
    ("restarts", 0),
    ("queries", 0),
    ("samples", 3),
    ("sigma", 0.0),
    ("cell", 0),
    ("spacing", 1),
    ("area", 0.0),
    ("max_flow", 0.0),
    ("smoothness", -1.0),
    ("min_ssim", 1.5),
    ("perturbation", "../elsewhere"),
    ("random_start", "false"),
)
"""A value that no attack may take, of every setting that there is; `target` without the direction that needs it."""


def settings_of(name: str) -> set[str]:
    return {field.name for field in dataclasses.fields(ATTACKS[name])}


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [(name, setting, value) for name in ATTACKS for setting, value in BAD if setting in settings_of(name)],
)
def test_a_bad_value_is_refused_when_the_configuration_is_made(name: str, setting: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=setting) as caught:
        make_attack(name, {setting: value})
    # Refused for its value, not because the attack has no such setting.
    assert "a setting of" not in str(caught.value)


def test_a_bad_value_of_every_setting_is_tried() -> None:
    assert {setting for setting, _ in BAD} == set(SETTINGS)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_setting_that_an_attack_lacks_is_refused_with_those_that_it_has(name: str) -> None:
    lacking = [*sorted(SETTINGS.keys() - settings_of(name)), "alpha"]
    for setting in lacking:
        with pytest.raises(ConfigurationError, match=f"a setting of {name} must be one of .*got '{setting}'") as caught:
            make_attack(name, {setting: 1})
        assert all(known in str(caught.value) for known in settings_of(name))


def test_an_unknown_attack_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=", ".join(ATTACKS)):
        make_attack("fsgm", {})
