"""Where the scores go: up, down, away from where they were, towards a target."""

import dataclasses

import pytest
import torch
from attack_scorers import EPS, RANGE, Quadratic, configurations, label, linear, photos
from torch import Tensor

from robustiqa_core.attacks import APGD, FGSM, MIFGSM, NES, NORMS, PGD, Attack, Goal, Norm, Square, complete
from robustiqa_core.errors import ConfigurationError

PHOTOS = photos(inner=True)
BOTH_NORMS = pytest.mark.parametrize("norm", NORMS)


class Shifted:
    """A linear scorer whose scores are spread over both halves of the range, by the number of the photo."""

    score_range = RANGE

    def __init__(self, scores: Tensor, images: Tensor) -> None:
        weight = linear(images).weight
        # Noise of the size of an attack moves the score by a few hundredths; an attack by up to 0.5.
        self.weight = 0.5 * weight / (EPS * weight.abs().sum())
        self.centre, self.scores = images.mean((1, 2, 3)), scores
        self.offset = scores - (self.weight * images).sum((1, 2, 3))

    def __call__(self, images: Tensor) -> Tensor:
        return (self.weight * images).sum((1, 2, 3)) + self.offset


def attacks_by_gradient(norm: Norm, **goal: object) -> list[Attack]:
    return [kind(EPS, norm=norm, **goal) for kind in (FGSM, MIFGSM, PGD, APGD)]


@pytest.mark.parametrize(
    ("goal", "signs", "values"),
    [
        (Goal("up"), [1, 1, 1], [0.1, 0.5, 0.9]),
        (Goal("down"), [-1, -1, -1], [-0.1, -0.5, -0.9]),
        (Goal("away"), [1, 1, -1], [0.1, 0.5, -0.9]),
        (Goal("towards", 0.5), [1, 0, -1], [-0.4, 0.0, -0.4]),
    ],
    ids=lambda value: value.direction if isinstance(value, Goal) else "",
)
def test_signs_and_values_are_those_of_the_goal(goal: Goal, signs: list[float], values: list[float]) -> None:
    scores = torch.tensor([0.1, 0.5, 0.9])
    scorer = linear(PHOTOS)
    assert goal.signs(scores, torch.tensor([0.2, 0.5, 0.7]), scorer).tolist() == signs
    torch.testing.assert_close(goal.value(scores, torch.tensor([0.2, 0.5, 0.7]), scorer), torch.tensor(values))


def test_away_follows_the_clean_score_wherever_the_score_is_now() -> None:
    signs = Goal("away").signs(torch.tensor([0.9, 0.1]), torch.tensor([0.2, 0.8]), linear(PHOTOS))
    assert signs.tolist() == [1.0, -1.0]


@pytest.mark.parametrize(
    ("direction", "target"), [("towards", None), ("up", 0.5), ("towards", float("nan")), ("towards", float("inf"))]
)
def test_a_target_belongs_to_towards_and_to_nothing_else(direction: str, target: float | None) -> None:
    with pytest.raises(ConfigurationError, match="target"):
        Goal(direction, target)


@BOTH_NORMS
def test_away_raises_low_scores_and_lowers_high_ones_as_far_as_up_and_down_do(norm: Norm) -> None:
    scorer = Shifted(torch.tensor([0.1, 0.4, 0.8]), PHOTOS)
    for away, up, down in zip(
        attacks_by_gradient(norm, direction="away"),
        attacks_by_gradient(norm, direction="up"),
        attacks_by_gradient(norm, direction="down"),
        strict=True,
    ):
        reached, highest, lowest = (complete(a, scorer, PHOTOS).adversarial_scores for a in (away, up, down))
        torch.testing.assert_close(reached, torch.stack((highest[0], highest[1], lowest[2])))
        assert (highest - lowest > 0.5).all()


@BOTH_NORMS
def test_towards_reaches_its_target_on_a_linear_scorer_and_goes_no_farther_than_the_ball(norm: Norm) -> None:
    # The first is out of reach by far, the second is below the target and the third above.
    scorer = Shifted(torch.tensor([-2.0, 0.45, 0.7]), PHOTOS)
    ups = attacks_by_gradient(norm, direction="up")
    for attack, up in zip(attacks_by_gradient(norm, direction="towards", target=0.6), ups, strict=True):
        reached = complete(attack, scorer, PHOTOS).adversarial_scores
        torch.testing.assert_close(reached[1:], torch.tensor([0.6, 0.6]), rtol=0, atol=1e-4)
        torch.testing.assert_close(reached[0], complete(up, scorer, PHOTOS).adversarial_scores[0], rtol=0, atol=1e-4)


@BOTH_NORMS
@pytest.mark.parametrize("curvature", [60.0, -60.0])
def test_towards_reaches_its_target_on_a_quadratic_scorer(norm: Norm, curvature: float) -> None:
    scorer = Quadratic(linear(PHOTOS).weight, curvature)
    clean = scorer(PHOTOS)
    # Half of what the attack can reach, from below and from above.
    for direction in ("up", "down"):
        end = complete(PGD(EPS, norm=norm, direction=direction), scorer, PHOTOS).adversarial_scores
        target = ((clean + end) / 2)[0].item()
        for attack in (
            MIFGSM(EPS, norm=norm, direction="towards", target=target),
            PGD(EPS, norm=norm, direction="towards", target=target),
            APGD(EPS, norm=norm, direction="towards", target=target),
        ):
            reached = complete(attack, scorer, PHOTOS[:1]).adversarial_scores
            assert (reached - target).abs().item() < 1e-3 * (clean[0] - target).abs().item(), attack


@BOTH_NORMS
@pytest.mark.parametrize("attack", [Square(EPS, queries=300), NES(EPS, queries=300, cell=1)], ids=label)
def test_attacks_without_gradient_come_near_a_target(norm: Norm, attack: Attack) -> None:
    scorer = Shifted(torch.tensor([0.45, 0.5, 0.6]), PHOTOS)
    attack = dataclasses.replace(attack, norm=norm, direction="towards", target=0.53)
    result = complete(attack, scorer, PHOTOS)
    before, after = (result.clean_scores - 0.53).abs(), (result.adversarial_scores - 0.53).abs()
    assert (after < 0.25 * before).all()


@pytest.mark.parametrize("attack", [a for a in configurations() if a.goal is not None], ids=label)
def test_the_goal_says_what_the_fields_say(attack: Attack) -> None:
    assert attack.goal == Goal(attack.direction, attack.target)
