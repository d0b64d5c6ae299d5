"""The records of every attack: their order, shapes and types, scores that are true, calls that are counted."""

import pytest
import torch
from attack_scorers import SmallNet, linear, norm_of, photos
from every_attack import ALL, EACH, vars_of
from torch import Tensor

from robustiqa_core.attacks import Attack, AttackResult, AttackStep, Worst, complete, run


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


@EACH
def test_reported_scores_are_those_of_the_reported_images(attack: Attack) -> None:
    scorer, images = SmallNet(dtype=torch.float64), photos().double()
    *steps, result = run(attack, scorer, images)
    for step in steps:
        torch.testing.assert_close(step.best_scores, scorer(step.adversarial), rtol=0, atol=1e-12)
    torch.testing.assert_close(result.clean_scores, scorer(images), rtol=0, atol=1e-12)
    torch.testing.assert_close(result.adversarial_scores, scorer(result.adversarial), rtol=0, atol=1e-12)
    torch.testing.assert_close(result.rounded_scores, scorer(result.rounded), rtol=0, atol=1e-12)


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
    if isinstance(attack, Worst):
        assert result.gradient_calls == attack.steps
        assert result.queries <= attack.queries + 4 + 3, "Square's, the ends of four openings, clean, end, rounded"
    elif hasattr(attack, "queries"):
        assert result.gradient_calls == 0
        assert result.queries <= attack.queries + 1, "its own, and the rounded image"
    else:
        assert result.gradient_calls in (0, attack.steps)
        asks_for_clean = attack.goal is not None and attack.goal.direction == "away"
        assert result.queries <= 3 + asks_for_clean, "clean, end, rounded"


@EACH
def test_results_carry_no_graph(attack: Attack) -> None:
    *steps, result = run(attack, SmallNet(frozen=False), photos().requires_grad_())
    tensors = [v for record in (*steps, result) for v in vars_of(record).values() if isinstance(v, Tensor)]
    assert len(tensors) >= 3 * (attack.steps + 1) + 6
    assert not any(tensor.requires_grad for tensor in tensors)


@EACH
def test_yielded_images_are_never_changed_afterwards(attack: Attack) -> None:
    kept = [(record, record.adversarial.clone()) for record in run(attack, SmallNet(), photos())]
    assert all(torch.equal(record.adversarial, copy) for record, copy in kept)
