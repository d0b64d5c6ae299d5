"""Every attack gives the same bits again: alone, in a batch, inside no_grad, from many threads; a new seed does not."""

import dataclasses
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from attack_scorers import EPS, SmallNet, configurations, draw, label, linear, photos
from every_attack import ALL, EACH, vars_of
from torch import Tensor

from robustiqa_core.attacks import PGD, Attack, AttackResult, Worst, complete

SEEDED = pytest.mark.parametrize(
    "attack", [a for a in configurations() if hasattr(a, "seed") and not isinstance(a, Worst)], ids=label
)
"""But `worst`, which keeps what its seed changes only where that is the best; see test_worst."""


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
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_result_is_the_same_inside_no_grad_and_inference_mode(attack: Attack, mode: Any) -> None:
    scorer = SmallNet()
    expected = complete(attack, scorer, photos())
    with mode():
        result = complete(attack, scorer, photos())
    assert torch.equal(result.adversarial, expected.adversarial)
    assert torch.equal(result.rounded_scores, expected.rounded_scores)


@pytest.mark.thorough
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
