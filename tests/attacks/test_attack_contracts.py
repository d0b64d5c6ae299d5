"""What every attack promises; a new line in ATTACKS is tested by being there.

Not here: known optima (test_attack_oracles), other implementations (test_attack_parity), the runner's own duties with
bad scorers (test_attack_run).
"""

import dataclasses
import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from attack_scorers import EPS, Quadratic, SmallNet, configurations, draw, label, linear, norm_of, photos
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from robustiqa_core.attacks import (
    APGD,
    ATTACKS,
    FGSM,
    MIFGSM,
    PGD,
    Attack,
    AttackResult,
    AttackStep,
    complete,
    make_attack,
    projections,
    run,
)
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.images import round_to_8bit

ALL = pytest.mark.parametrize("attack", configurations(), ids=label)
CLIMBERS = (FGSM, MIFGSM, PGD, APGD)
"""Attacks that follow the gradient alone: for these it can be shown that a larger ball gives no less."""


def goal_is(attack: Attack, direction: str) -> bool:
    """Say whether the attack has the direction, or none."""
    return attack.goal is None or attack.goal.direction == direction


def keeps_best(attack: Attack) -> bool:
    """Say whether the attack promises never to be worse than the photo: only then a tie is no improvement."""
    return attack.goal is not None


BEST = pytest.mark.parametrize("attack", [a for a in configurations() if keeps_best(a)], ids=label)
EACH = pytest.mark.parametrize("attack", [a for a in configurations() if goal_is(a, "away")], ids=label)
"""One direction will do, where none can matter: the one that scores the photos first."""

SEEDED = pytest.mark.parametrize("attack", [a for a in configurations() if hasattr(a, "seed")], ids=label)
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


@BEST
@pytest.mark.parametrize("curvature", [0.0, 5.0, -500.0])
def test_the_result_is_never_worse_than_the_photo(attack: Attack, curvature: float) -> None:
    images = photos()
    assert (gains(attack, complete(attack, linear(images, curvature=curvature), images)) >= 0.0).all()


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
def test_the_same_configuration_gives_the_same_bits(attack: Attack) -> None:
    first, again = (complete(attack, SmallNet(), photos()) for _ in range(2))
    assert torch.equal(first.adversarial, again.adversarial)
    assert torch.equal(first.adversarial_scores, again.adversarial_scores)


@SEEDED
def test_another_seed_gives_other_images(attack: Attack) -> None:
    trials = [list(dataclasses.replace(attack, seed=seed).iterate(SmallNet(), photos())) for seed in (0, 1)]
    assert any(not torch.equal(a.adversarial, b.adversarial) for a, b in zip(*trials, strict=True))


@ALL
def test_an_image_gets_the_same_bits_alone_and_anywhere_in_a_batch(attack: Attack) -> None:
    images = photos(3)
    scorer = linear(images, curvature=-20.0)
    together = complete(attack, scorer, images)
    turned = complete(attack, scorer, images.flip(0))
    assert torch.equal(together.adversarial, turned.adversarial.flip(0))
    for index in range(3):
        alone = complete(attack, scorer, images[index : index + 1])
        assert torch.equal(alone.adversarial[0], together.adversarial[index])


@EACH
@pytest.mark.parametrize("shape", [(1, 12, 20), (3, 20, 12), (2, 1, 1)])
def test_any_number_and_shape_of_images_is_attacked(attack: Attack, shape: tuple[int, int, int]) -> None:
    count, height, width = shape
    images = photos(count, height=height, width=width)
    result = complete(attack, linear(images), images)
    assert result.images.shape == result.adversarial.shape == result.rounded.shape == images.shape
    assert result.clean_scores.shape == result.adversarial_scores.shape == result.rounded_scores.shape == (count,)
    *_, last = attack.iterate(linear(images), images)
    # There is nothing to warp or to smooth in a single pixel.
    assert norm_of(attack) is None or not torch.equal(last.adversarial, images), "it tried something"


@EACH
def test_float64_stays_float64(attack: Attack) -> None:
    result = complete(attack, SmallNet(dtype=torch.float64), photos().double())
    tensors = [value for value in vars_of(result).values() if isinstance(value, Tensor)]
    assert len(tensors) >= 6
    assert all(tensor.dtype == torch.float64 for tensor in tensors)


@ALL
def test_the_records_are_the_steps_from_0_and_then_one_result(attack: Attack) -> None:
    *steps, result = run(attack, SmallNet(), photos())
    assert isinstance(result, AttackResult)
    assert all(isinstance(step, AttackStep) and step.steps == attack.steps for step in steps)
    assert [step.step for step in steps] == list(range(attack.steps + 1))
    assert torch.equal(steps[-1].adversarial, result.adversarial)
    assert torch.equal(steps[-1].best_scores, result.adversarial_scores)
    assert steps[-1].gradient_calls == result.gradient_calls
    assert steps[-1].queries == result.queries - 1, "all that follows the last step is the score after rounding"


@EACH
def test_reported_scores_are_those_of_the_reported_images(attack: Attack) -> None:
    scorer, images = SmallNet(dtype=torch.float64), photos().double()
    *steps, result = run(attack, scorer, images)
    for step in steps:
        torch.testing.assert_close(step.best_scores, scorer(step.adversarial), rtol=0, atol=1e-12)
    torch.testing.assert_close(result.clean_scores, scorer(images), rtol=0, atol=1e-12)
    torch.testing.assert_close(result.adversarial_scores, scorer(result.adversarial), rtol=0, atol=1e-12)
    torch.testing.assert_close(result.rounded_scores, scorer(result.rounded), rtol=0, atol=1e-12)


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


@ALL
def test_the_projection_changes_nothing_within_the_budget(attack: Attack) -> None:
    images = photos()
    for trial in attack.iterate(SmallNet(), images):
        assert torch.equal(attack.project(trial.adversarial, images), trial.adversarial)


@ALL
def test_gradients_and_scores_are_counted_and_no_more_than_the_attack_says(attack: Attack) -> None:
    calls = {True: 0, False: 0}
    net = SmallNet()

    class Counting:
        score_range = net.score_range

        def __call__(self, images: Tensor) -> Tensor:
            calls[images.requires_grad] += 1
            return net(images)

    result = complete(attack, Counting(), photos())
    assert calls == {True: result.gradient_calls, False: result.queries}
    if hasattr(attack, "queries"):
        assert result.gradient_calls == 0
        assert result.queries <= attack.queries + 1, "its own, and the rounded image"
    else:
        assert result.gradient_calls in (0, attack.steps)
        asks_for_clean = attack.goal is not None and attack.goal.direction == "away"
        assert result.queries <= 3 + asks_for_clean, "clean, end, rounded"


@EACH
def test_nothing_that_is_passed_in_is_changed(attack: Attack) -> None:
    scorer, images = SmallNet(frozen=False), photos().requires_grad_()
    before, state, random_state = images.detach().clone(), snapshot(scorer), torch.get_rng_state()
    complete(attack, scorer, images)
    assert torch.equal(images, before)
    assert images.grad is None
    assert images.requires_grad
    assert images.is_leaf
    assert all(p.grad is None and p.requires_grad for p in scorer.parameters())
    assert not scorer.training
    assert all(torch.equal(value, state[name]) for name, value in scorer.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)


@EACH
def test_results_carry_no_graph(attack: Attack) -> None:
    *steps, result = run(attack, SmallNet(frozen=False), photos().requires_grad_())
    tensors = [v for record in (*steps, result) for v in vars_of(record).values() if isinstance(v, Tensor)]
    assert len(tensors) >= 3 * (attack.steps + 1) + 6
    assert not any(tensor.requires_grad for tensor in tensors)


@EACH
def test_the_callers_modes_are_its_own_between_the_records(attack: Attack) -> None:
    for _ in run(attack, SmallNet(), photos()):
        assert torch.is_grad_enabled()
    with torch.no_grad():
        for _ in run(attack, SmallNet(), photos()):
            assert not torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()


@EACH
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_result_is_the_same_inside_no_grad_and_inference_mode(attack: Attack, mode: Any) -> None:
    scorer = SmallNet()
    expected = complete(attack, scorer, photos())
    with mode():
        result = complete(attack, scorer, photos())
    assert torch.equal(result.adversarial, expected.adversarial)
    assert torch.equal(result.rounded_scores, expected.rounded_scores)


@EACH
@pytest.mark.parametrize("records", [0, 1])
def test_closing_early_leaves_nothing_behind(attack: Attack, records: int) -> None:
    scorer, random_state = SmallNet(frozen=False), torch.get_rng_state()
    steps = run(attack, scorer, photos())
    for _ in range(records):
        next(steps)
    steps.close()
    assert next(steps, None) is None
    assert torch.is_grad_enabled()
    assert all(p.grad is None and p.requires_grad for p in scorer.parameters())
    assert torch.equal(torch.get_rng_state(), random_state)


@EACH
def test_yielded_images_are_never_changed_afterwards(attack: Attack) -> None:
    kept = [(record, record.adversarial.clone()) for record in run(attack, SmallNet(), photos())]
    assert all(torch.equal(record.adversarial, copy) for record, copy in kept)


@ALL
def test_a_configuration_survives_json(attack: Attack) -> None:
    name = next(key for key, kind in ATTACKS.items() if type(attack) is kind)
    text = json.dumps(dataclasses.asdict(attack))
    assert make_attack(name, json.loads(text)) == attack


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("eps", 0.0),
        ("eps", 8),
        ("eps", float("nan")),
        ("norm", "l1"),
        ("direction", "sideways"),
        ("seed", -1),
        ("seed", 2**63),
        ("steps", 0),
        ("step_size", 2.0),
        ("random_start", "false"),
        ("alpha", 0.1),
    ],
)
def test_a_bad_setting_is_refused_when_the_configuration_is_made(name: str, setting: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        make_attack(name, {setting: value})


def test_an_unknown_attack_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=", ".join(ATTACKS)):
        make_attack("fsgm", {})


class Devices(TorchDispatchMode):
    """Notes each operation whose result is not on the `meta` device."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere: set[str] = set()
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.operations += 1
        for value in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(value, Tensor) and not value.is_meta:
                self.elsewhere.add(func.overloadpacket.__name__)
        return out


@ALL
def test_no_value_is_read_and_no_tensor_made_on_another_device_but_a_random_draw_or_a_file(attack: Attack) -> None:
    images = torch.empty((2, 3, 12, 20), device="meta")
    scorer = Quadratic(torch.empty((3, 12, 20), device="meta"), -1.0)
    with Devices() as devices:
        records = list(run(attack, scorer, images))
    tensors = [v for record in records for v in vars_of(record).values() if isinstance(v, Tensor)]
    assert all(tensor.is_meta for tensor in tensors)
    assert devices.operations > 20
    drawn = {"rand", "randn"} if hasattr(attack, "seed") else set()
    stored = {"lift_fresh"} if hasattr(attack, "perturbation") else set()
    assert devices.elsewhere <= drawn | stored


def test_64_attacks_from_8_threads_are_bit_identical_to_one_after_the_other() -> None:
    scorer = SmallNet()
    images = [0.5 + 0.1 * draw(number, 1, 3, 24, 32).clamp(-5, 5) for number in range(64)]
    attacks = [
        PGD(EPS, steps=5, norm=("linf", "l2")[n % 2], direction=("up", "down")[n // 32], random_start=True, seed=n)
        for n in range(64)
    ]
    expected = [complete(attack, scorer, image) for attack, image in zip(attacks, images, strict=True)]

    results: dict[int, AttackResult] = {}
    work: Iterator[int] = iter(range(64))
    lock, start = threading.Lock(), threading.Barrier(8)

    def attack_until_done() -> None:
        start.wait(timeout=30)
        while True:
            with lock:
                number = next(work, None)
            if number is None:
                return
            results[number] = complete(attacks[number], scorer, images[number])

    threads = [threading.Thread(target=attack_until_done) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(64))
    for number, one in enumerate(expected):
        for name, value in vars_of(one).items():
            if isinstance(value, Tensor):
                assert torch.equal(value, vars_of(results[number])[name]), (number, name)


def vars_of(record: AttackStep | AttackResult) -> dict[str, object]:
    """Return the fields of a record by name, without copying."""
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def snapshot(scorer: SmallNet) -> dict[str, Tensor]:
    """Return a copy of the model's state."""
    return {name: value.clone() for name, value in scorer.state_dict().items()}
