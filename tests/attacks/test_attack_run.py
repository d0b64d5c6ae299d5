"""What the runner itself owes: clear errors, protection against careless attacks and models, honest counts."""

import dataclasses
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch
from attack_scorers import EPS, SmallNet, linear, photos
from torch import Tensor

from robustiqa_core.attacks import FGSM, PGD, AttackStep, Goal, Noise, Trial, complete, projections, run
from robustiqa_core.errors import InputError, NumericalError
from robustiqa_core.scorer import Scorer


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 8, 8), "shape"),
        (torch.zeros(1, 1, 8, 8), "shape"),
        (torch.zeros(0, 3, 8, 8), "shape"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "uint8"),
        (torch.full((1, 3, 8, 8), 2.0), "divide 8-bit values"),
        (torch.full((1, 3, 8, 8), float("nan")), "nan"),
    ],
)
def test_bad_images_are_refused_at_once(images: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(PGD(), SmallNet(), images)


def test_a_model_in_training_mode_is_refused_at_once() -> None:
    with pytest.raises(InputError, match=r"eval\(\)"):
        run(PGD(), SmallNet().train(), photos())


@pytest.mark.parametrize("attack", [PGD(EPS), FGSM(EPS), Noise(EPS)])
@pytest.mark.parametrize(
    ("answer", "got"),
    [
        (lambda images: images.mean((1, 2, 3), keepdim=True)[..., 0], r"\(3, 1, 1\)"),
        (lambda images: images.mean(), r"float32 \(\)"),
        (lambda images: images.mean((1, 2, 3)).tolist(), "list"),
        (lambda images: (images.mean((1, 2, 3)) * 100).long(), "int64"),
    ],
)
def test_answers_that_are_not_one_float_score_an_image_are_refused(attack: Any, answer: Any, got: str) -> None:
    with pytest.raises(InputError, match=got):
        complete(attack, answer, photos())


@pytest.mark.parametrize("attack", [PGD(EPS), FGSM(EPS)])
@pytest.mark.parametrize("frozen", [True, False])
def test_scores_without_gradient_are_refused(attack: Any, frozen: bool) -> None:
    net = SmallNet(frozen=frozen)
    with pytest.raises(InputError, match="differentiated"):
        complete(attack, lambda images: net(images.detach()), photos())


def test_noise_needs_no_gradient() -> None:
    result = complete(Noise(EPS), lambda images: (images.detach() * 255).round().mean((1, 2, 3)), photos())
    assert result.gradient_calls == 0


@pytest.mark.parametrize("attack", [PGD(EPS), FGSM(EPS), Noise(EPS)])
def test_scores_that_are_not_finite_end_in_an_error_that_names_the_image(attack: Any) -> None:
    def bad_second(images: Tensor) -> Tensor:
        scores = images.mean((1, 2, 3))
        return scores / torch.tensor([1.0, 0.0, 1.0])

    with pytest.raises(NumericalError, match=r"index \[1\]"):
        complete(attack, bad_second, photos())


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_gradient_that_is_not_finite_ends_in_an_error_though_the_scores_are_finite(norm: projections.Norm) -> None:
    # The root is 0 at the second photo: its derivative there is infinite, and times 0 it is NaN.
    images = photos()
    centre = torch.full_like(images, 0.5)
    centre[1] = images[1]

    def distance(images: Tensor) -> Tensor:
        return (images - centre).square().sum((1, 2, 3)).sqrt()

    assert distance(images).isfinite().all()
    with pytest.raises(NumericalError, match=r"index \[1\]"):
        complete(FGSM(EPS, norm=norm), distance, images)


@dataclasses.dataclass(frozen=True, slots=True)
class Overreaching:
    """An attack that reports a trial outside its budget, and whose projection is right."""

    steps: int = 1
    goal: ClassVar[Goal] = Goal("up")

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        yield Trial(images, scorer(images))
        outside = images + 0.5
        yield Trial(outside, scorer(outside))

    def project(self, adversarial: Tensor, images: Tensor) -> Tensor:
        return adversarial.clamp(images - EPS, images + EPS).clamp(0.0, 1.0)


def test_an_attack_that_leaves_its_budget_is_brought_back_and_scored_again() -> None:
    images = photos(inner=True)

    def brightness(images: Tensor) -> Tensor:
        return images.mean((1, 2, 3))

    result = complete(Overreaching(), brightness, images)
    torch.testing.assert_close(result.adversarial, images + EPS)
    torch.testing.assert_close(result.adversarial_scores, result.clean_scores + EPS)
    assert result.queries == 4


@dataclasses.dataclass(frozen=True, slots=True)
class Elsewhere:
    """An attack that starts, and stays, at an image that is not the photo."""

    steps: int = 0
    goal: ClassVar[Goal] = Goal("up")

    def iterate(self, scorer: Scorer, images: Tensor) -> Iterator[Trial]:
        start = 0.9 * images
        yield Trial(start, scorer(start))

    def project(self, adversarial: Tensor, images: Tensor) -> Tensor:
        return adversarial


def test_the_photo_is_scored_and_kept_if_an_attack_starts_at_something_worse() -> None:
    images = photos()
    result = complete(Elsewhere(), lambda x: x.mean((1, 2, 3)), images)
    assert torch.equal(result.clean_scores, images.mean((1, 2, 3)))
    assert torch.equal(result.adversarial, images)
    assert torch.equal(result.adversarial_scores, result.clean_scores)


def test_a_score_that_is_known_is_not_computed_again() -> None:
    images = photos()
    counts = {}
    for attack in (FGSM(EPS), PGD(EPS, steps=4), PGD(EPS, steps=4, random_start=True), Noise(EPS)):
        result = complete(attack, linear(images), images)
        counts[attack] = (result.gradient_calls, result.queries)
    # The first gradient gives the score of the photo too.
    assert list(counts.values()) == [(1, 2), (4, 2), (4, 3), (0, 3)]


def test_counts_grow_with_the_steps() -> None:
    records = run(PGD(EPS, steps=3, random_start=True), SmallNet(), photos())
    steps = [record for record in records if isinstance(record, AttackStep)]
    assert [step.gradient_calls for step in steps] == [1, 2, 3, 3]
    assert [step.queries for step in steps] == [1, 1, 1, 2]


def test_the_time_of_the_consumer_is_not_counted() -> None:
    started = time.perf_counter()
    for record in run(FGSM(EPS), SmallNet(), photos()):
        last = record
        time.sleep(0.1)
    spent = time.perf_counter() - started - 0.3
    assert 0.0 < last.seconds <= spent


def test_images_changed_by_the_caller_during_the_attack_do_not_change_it() -> None:
    images = photos()
    expected = complete(PGD(EPS), SmallNet(), images)
    mine = images.clone()
    records = run(PGD(EPS), SmallNet(), mine)
    mine.zero_()
    *_, result = records
    assert torch.equal(result.adversarial, expected.adversarial)
    assert torch.equal(result.images, images)
