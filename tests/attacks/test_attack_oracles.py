"""Attacks on scorers whose best adversarial image is known in closed form."""

import pytest
import torch
from attack_scorers import EPS, RANGE, Quadratic, draw, linear, photos
from torch import Tensor

from robustiqa_core.attacks import (
    APGD,
    FGSM,
    MIFGSM,
    NES,
    NORMS,
    PGD,
    Attack,
    AttackStep,
    Direction,
    Noise,
    Square,
    complete,
    projections,
    run,
)
from robustiqa_core.attacks.apgd import checkpoints
from robustiqa_core.errors import ConfigurationError

UP_AND_DOWN = pytest.mark.parametrize("direction", ["up", "down"])


def attacks(norm: projections.Norm, direction: Direction) -> list[Attack]:
    """Return the gradient attacks, with a random start where there is one."""
    # A larger step turns faster from a random start on the sphere to the direction of the weights.
    step_size = EPS if norm == "l2" else None
    return [
        FGSM(EPS, norm=norm, direction=direction),
        MIFGSM(EPS, norm=norm, direction=direction),
        MIFGSM(EPS, norm=norm, direction=direction, steps=3, decay=0.5),
        APGD(EPS, norm=norm, direction=direction),
        APGD(EPS, norm=norm, direction=direction, decay=0.0),
        APGD(EPS, norm=norm, direction=direction, steps=40, step_size=step_size, restarts=2, random_start=True),
        PGD(EPS, steps=20, step_size=step_size, norm=norm, direction=direction),
        PGD(EPS, steps=20, step_size=step_size, norm=norm, direction=direction, random_start=True),
    ]


def sign(direction: Direction) -> float:
    """Return 1 for up, -1 for down."""
    return 1.0 if direction == "up" else -1.0


@UP_AND_DOWN
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_linf_gain_on_a_linear_scorer_is_eps_times_the_l1_norm_of_its_weights(
    direction: Direction, dtype: torch.dtype
) -> None:
    images = photos(inner=True).to(dtype)
    scorer = linear(images)
    expected = sign(direction) * EPS * scorer.weight.abs().sum().expand(3)
    for attack in attacks("linf", direction):
        result = complete(attack, scorer, images)
        gain = result.adversarial_scores - result.clean_scores
        torch.testing.assert_close(gain, expected, rtol=1e-5 if dtype == torch.float32 else 1e-12, atol=0)
        corner = images + sign(direction) * EPS * scorer.weight.sign()
        torch.testing.assert_close(result.adversarial, corner, rtol=0, atol=1e-6)


@UP_AND_DOWN
def test_ten_steps_of_the_default_size_reach_the_linf_optimum_from_a_random_start(direction: Direction) -> None:
    images = photos(inner=True)
    scorer = linear(images)
    result = complete(PGD(EPS, direction=direction, random_start=True), scorer, images)
    expected = sign(direction) * EPS * scorer.weight.abs().sum().expand(3)
    torch.testing.assert_close(result.adversarial_scores - result.clean_scores, expected, rtol=1e-5, atol=0)


@UP_AND_DOWN
def test_the_l2_gain_on_a_linear_scorer_is_the_radius_times_the_l2_norm_of_its_weights(direction: Direction) -> None:
    images = photos(inner=True)
    scorer = linear(images)
    radius = EPS * (3 * 12 * 20) ** 0.5
    expected = sign(direction) * radius * scorer.weight.norm().expand(3)
    for attack in attacks("l2", direction):
        result = complete(attack, scorer, images)
        gain = result.adversarial_scores - result.clean_scores
        torch.testing.assert_close(gain, expected, rtol=1e-5, atol=0)


@UP_AND_DOWN
def test_the_linf_optimum_is_reached_where_0_and_1_cut_the_ball(direction: Direction) -> None:
    images = photos()
    assert ((images < EPS) | (images > 1 - EPS)).float().mean() > 0.25, "many values near the ends"
    scorer = linear(images)
    corner = (images + sign(direction) * EPS * scorer.weight.sign()).clamp(0.0, 1.0)
    for attack in attacks("linf", direction):
        result = complete(attack, scorer, images)
        torch.testing.assert_close(result.adversarial, corner, rtol=0, atol=1e-6)
        torch.testing.assert_close(result.adversarial_scores, scorer(corner), rtol=1e-5, atol=1e-4)


@UP_AND_DOWN
def test_pgd_finds_a_peak_inside_the_ball_that_fgsm_steps_over(direction: Direction) -> None:
    # A parabola of each pixel with its top 2/255 from the photo's values, in the direction of the weights.
    images = torch.full((2, 3, 12, 20), 0.5)
    steepness = 100.0
    shift = 2 / 255 * draw(3, 3, 12, 20).sign()
    scorer = Quadratic(sign(direction) * steepness * shift, -sign(direction) * steepness)
    top = sign(direction) * 0.5 * steepness * (shift**2).sum()
    pgd = complete(PGD(EPS, steps=40, step_size=0.5 / 255, direction=direction), scorer, images)
    fgsm = complete(FGSM(EPS, direction=direction), scorer, images)
    torch.testing.assert_close((pgd.adversarial_scores - pgd.clean_scores) / top, torch.ones(2), rtol=0, atol=0.07)
    assert torch.equal(fgsm.adversarial, images), "8/255 lies farther beyond the top than the photo lies below it"
    assert torch.equal(fgsm.adversarial_scores, fgsm.clean_scores)


@UP_AND_DOWN
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_photo_at_the_top_is_returned_as_it_is(direction: Direction, norm: projections.Norm) -> None:
    images = torch.full((2, 3, 12, 20), 0.5)
    scorer = Quadratic(torch.zeros(3, 12, 20), -100.0 * sign(direction))
    for attack in attacks(norm, direction):
        result = complete(attack, scorer, images)
        assert torch.equal(result.adversarial, images)
        assert torch.equal(result.adversarial_scores, result.clean_scores)


@UP_AND_DOWN
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_random_start_gets_away_from_a_photo_without_gradient(direction: Direction, norm: projections.Norm) -> None:
    # At the bottom of a bowl every direction is as good; the optimum has each value at its end of the ball.
    images = torch.full((2, 3, 12, 20), 0.5)
    scorer = Quadratic(torch.zeros(3, 12, 20), 100.0 * sign(direction))
    stuck = complete(PGD(EPS, norm=norm, direction=direction), scorer, images)
    free = complete(PGD(EPS, norm=norm, direction=direction, random_start=True), scorer, images)
    assert torch.equal(stuck.adversarial, images)
    optimum = torch.full((2,), sign(direction) * 0.5 * 100.0 * EPS**2 * 3 * 12 * 20)
    torch.testing.assert_close(free.adversarial_scores - free.clean_scores, optimum, rtol=1e-3, atol=0)


@UP_AND_DOWN
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_noise_gains_far_less_than_one_gradient_step(direction: Direction, norm: projections.Norm) -> None:
    images = photos(inner=True)
    scorer = linear(images)
    noise = [complete(Noise(EPS, norm=norm, seed=seed), scorer, images) for seed in range(20)]
    change = torch.stack([result.adversarial_scores - result.clean_scores for result in noise])
    attacked = complete(FGSM(EPS, norm=norm, direction=direction), scorer, images)
    assert (change.abs().max(0).values < 0.25 * (attacked.adversarial_scores - attacked.clean_scores).abs()).all()
    assert (change > 0).any(), "noise is not turned in a direction"
    assert (change < 0).any(), "noise is not turned in a direction"


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_gradient_of_zero_leaves_the_image_where_it_is(norm: projections.Norm) -> None:
    images = photos()

    def flat(images: Tensor) -> Tensor:
        return (0.0 * images).sum((1, 2, 3))

    assert torch.equal(complete(FGSM(EPS, norm=norm), flat, images).adversarial, images)


@UP_AND_DOWN
@pytest.mark.parametrize(("norm", "least"), [("linf", 0.8), ("l2", 0.5)])
def test_square_gets_near_the_optimum_of_a_linear_scorer(
    norm: projections.Norm, least: float, direction: Direction
) -> None:
    # In l_2 its bumps are three pixels wide or more, and cannot follow weights that differ from pixel to pixel.
    images = photos(inner=True, height=6, width=6)
    scorer = linear(images)
    best = complete(FGSM(EPS, norm=norm, direction=direction), scorer, images)
    found = complete(Square(EPS, norm=norm, direction=direction, queries=800), scorer, images)
    share = (found.adversarial_scores - found.clean_scores) / (best.adversarial_scores - best.clean_scores)
    assert (share > least).all()
    assert (share < 1 + 1e-5).all()


@UP_AND_DOWN
@pytest.mark.parametrize("norm", NORMS)
def test_nes_comes_close_to_the_optimum_of_a_linear_scorer(norm: projections.Norm, direction: Direction) -> None:
    images = photos(inner=True, height=6, width=6)
    scorer = linear(images)
    best = complete(FGSM(EPS, norm=norm, direction=direction), scorer, images)
    found = complete(NES(EPS, norm=norm, direction=direction, queries=1500, samples=50, cell=1), scorer, images)
    share = (found.adversarial_scores - found.clean_scores) / (best.adversarial_scores - best.clean_scores)
    assert (share > 0.9).all()


@pytest.mark.thorough
def test_nes_estimates_the_gradient_of_a_linear_scorer_from_many_samples() -> None:
    # With z normal, the mean of <w, z> z is w, and its deviation |w| / sqrt(pairs) a value.
    images = photos(1, inner=True, height=3, width=4).double()
    scorer = linear(images)
    attack = NES(1.0, norm="l2", queries=20_002, samples=20_000, step_size=0.01, cell=1)
    _, moved = attack.iterate(scorer, images)
    way = (moved.adversarial - images)[0]
    cosine = (way * scorer.weight).sum() / way.norm() / scorer.weight.norm()
    assert cosine > 0.995


@pytest.mark.parametrize("cell", [1, 4, 5, 64])
def test_nes_moves_the_values_of_a_cell_together(cell: int) -> None:
    images = photos(inner=True)
    *_, last = NES(EPS, norm="l2", queries=23, cell=cell).iterate(linear(images), images)
    moves = last.adversarial - images
    for top in range(0, 12, cell):
        for left in range(0, 20, cell):
            square = moves[:, :, top : top + cell, left : left + cell]
            torch.testing.assert_close(square, square[..., :1, :1].expand_as(square), rtol=0, atol=1e-6)
    assert len(moves[0].mul(1e4).round().unique()) > 1


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("queries", [2, 11, 12, 57])
def test_square_asks_for_exactly_its_queries(norm: projections.Norm, queries: int) -> None:
    images = photos()
    *steps, result = run(Square(EPS, norm=norm, queries=queries), linear(images), images)
    counts = [step.queries for step in steps if isinstance(step, AttackStep)]
    assert counts == [*range(1, queries, 10), queries]
    assert result.queries == queries + 1, "and the rounded image"
    assert result.gradient_calls == 0


@pytest.mark.parametrize(("queries", "samples", "used"), [(52, 50, 52), (100, 50, 52), (1000, 10, 991), (4, 2, 4)])
def test_nes_asks_for_exactly_what_its_steps_need(queries: int, samples: int, used: int) -> None:
    images = photos(height=4, width=4)
    *steps, result = run(NES(EPS, queries=queries, samples=samples), linear(images), images)
    counts = [step.queries for step in steps if isinstance(step, AttackStep)]
    assert counts == list(range(1, used + 1, samples + 1))
    assert result.queries == used + 1, "and the rounded image"
    assert result.gradient_calls == 0


@pytest.mark.parametrize("samples", [0, 1, 3, 999])
def test_nes_refuses_samples_that_make_no_pairs_or_no_step(samples: int) -> None:
    with pytest.raises(ConfigurationError, match=r"samples|queries"):
        NES(queries=1000, samples=samples)


class Ripples(torch.nn.Module):
    """A scorer with many local tops: sines of random sums of the values, so that a long step goes over them."""

    score_range = RANGE

    def __init__(self, seed: int, images: Tensor) -> None:
        super().__init__()
        count = images[0].numel()
        self.waves = 40 * draw(seed, 16, count) / count**0.5
        self.heights = draw(seed + 1, 16)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return (self.waves @ images.flatten(1).T).sin().T @ self.heights / 16


@pytest.mark.parametrize("norm", NORMS)
@UP_AND_DOWN
def test_apgd_finds_at_least_what_pgd_finds_on_scores_with_many_tops(
    norm: projections.Norm, direction: Direction
) -> None:
    images = photos(4, inner=True)
    gained: dict[type[Attack], list[Tensor]] = {APGD: [], PGD: []}
    for seed in range(20, 60, 4):
        scorer = Ripples(seed, images)
        for kind, gains in gained.items():
            result = complete(kind(EPS, norm=norm, direction=direction, steps=20), scorer, images)
            gains.append(sign(direction) * (result.adversarial_scores - result.clean_scores))
    apgd, pgd = (torch.stack(gains) for gains in gained.values())
    assert apgd.mean() >= pgd.mean() > 0.0


def test_apgd_halves_its_steps_for_each_image_on_its_own() -> None:
    # The steps of 2 * eps go to and fro over the top of the first photo and only help the second.
    images = torch.full((2, 3, 12, 20), 0.5)
    top = images.clone()
    top[0] += 1.3 / 255 * draw(3, 3, 12, 20).sign()
    top[1] += 100 / 255

    class Tops:
        score_range = RANGE

        def __call__(self, images: Tensor) -> Tensor:
            return -((images - top) ** 2).sum((1, 2, 3))

    trials = [trial.adversarial for trial in APGD(EPS, step_size=2 * EPS, steps=40).iterate(Tops(), images)]
    moves = projections.size(trials[-1] - trials[-2], "linf")
    assert 0 < moves[0] < EPS / 16
    torch.testing.assert_close(trials[-1][1], images[1] + EPS)
    torch.testing.assert_close(trials[-1][0], top[0], rtol=0, atol=EPS / 8)


@pytest.mark.parametrize("steps", [*range(1, 40), 100, 1000])
def test_checkpoints_are_those_of_the_paper(steps: int) -> None:
    shares = [0, 22]
    while shares[-1] < 100:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 3, 6))
    places = sorted({-(-share * steps // 100) for share in shares} - {0} - set(range(steps, 2 * steps + 1)))
    found = checkpoints(steps)
    assert list(found) == places
    assert [sum(list(found.values())[: number + 1]) for number in range(len(found))] == places


def test_restarts_share_the_steps_and_begin_at_random_points() -> None:
    images = photos(inner=True)
    scorer = linear(images)
    *steps, result = run(APGD(EPS, steps=11, restarts=3, seed=5), scorer, images)
    assert (result.gradient_calls, result.queries) == (9, 4)
    assert [step.gradient_calls for step in steps] == [1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9, 9]
    trials = [trial.adversarial for trial in APGD(EPS, steps=11, restarts=3, seed=5).iterate(scorer, images)]
    assert trials[0] is images
    for start, seed in ((trials[4], 6), (trials[8], 7)):
        assert torch.equal(start, projections.random_point(images, eps=EPS, norm="linf", seed=seed))


def test_apgd_refuses_restarts_without_a_step() -> None:
    with pytest.raises(ConfigurationError, match="restarts must be a whole number from 1 to 5"):
        APGD(steps=10, restarts=6)


def test_momentum_goes_on_where_the_gradient_turns() -> None:
    # A ridge: across it the gradient turns at each step, along it it stays. Momentum cancels what turns.
    images = 0.5 + 1e-3 * draw(11, 1, 3, 4, 4)

    class Ridge:
        score_range = RANGE

        def __call__(self, images: Tensor) -> Tensor:
            along, across = images[:, 0] - 0.5, images[:, 1:] - 0.5
            return along.sum((1, 2)) - 5.0 * across.abs().sum((1, 2, 3))

    gained = {}
    for decay in (0.0, 1.0):
        result = complete(MIFGSM(EPS, decay=decay, norm="l2", steps=20), Ridge(), images)
        gained[decay] = (result.adversarial_scores - result.clean_scores).item()
    assert gained[1.0] > 1.05 * gained[0.0] > 0.0


@pytest.mark.parametrize(
    ("attack", "size"),
    [
        (APGD(4 / 255, steps=20), 0.7 / 255),
        (APGD(2 / 255, steps=20), 0.5 / 255),
        (APGD(8 / 255, steps=10), 1 / 255),
        (APGD(16 / 255, steps=10), 2 / 255),
        (APGD(8 / 255, steps=10, random_start=True), 2 / 255),
        (APGD(8 / 255, steps=20, restarts=2), 2 / 255),
        (APGD(8 / 255, steps=10, step_size=3 / 255), 3 / 255),
        (PGD(4 / 255, steps=10), 1 / 255),
        (PGD(2 / 255, steps=10), 0.5 / 255),
        (PGD(8 / 255, steps=10), 1 / 255),
        (PGD(16 / 255, steps=10), 2 / 255),
        (PGD(8 / 255, steps=10, random_start=True), 2 / 255),
        (PGD(8 / 255, steps=10, step_size=3 / 255), 3 / 255),
    ],
)
def test_a_first_step_is_no_longer_than_a_level_where_the_border_can_be_reached(
    attack: APGD | PGD, size: float
) -> None:
    found = attack.first_step_size if isinstance(attack, APGD) else attack.effective_step_size
    assert found == pytest.approx(size)
