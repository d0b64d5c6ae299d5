"""Training against the rank, where every answer is known or the network is small."""

import copy
import functools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hardening_networks import Linear, lively
from torch import Tensor, nn
from workshop import RECIPE, Workshop

from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening import (
    AgainstRank,
    Epoch,
    HardeningCache,
    HardeningRecipe,
    Objective,
    Progressed,
    TrainingTask,
    labelled_data,
    parse_objective,
    tuning,
)
from robustiqa_core.hardening.cache import KeptCrops
from robustiqa_core.hardening.data import TuningCrops, key_of
from robustiqa_core.hardening.regularizers import order_hinge
from robustiqa_core.hardening.targets import Holdout, placed
from robustiqa_core.hardening.tuning import judge
from robustiqa_core.metrics.correlation import srocc
from robustiqa_core.metrics.worst_order import rank_directions
from robustiqa_core.models import QualityModel
from robustiqa_core.pruning import PruningSettings
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.datasets import LabelledPhoto
from robustiqa_core.training.sampling import Sample, SizedSample
from robustiqa_core.training.state import read_progress
from robustiqa_core.training.steps import take_steps

pytestmark = pytest.mark.thorough

TRAINED = "rank:eps=2/255,steps=2,rise=0,judged_steps=2,judged_photos=4"
RANKED = replace(
    RECIPE,
    position=None,
    block=None,
    pruning=PruningSettings(ratio=0.0),
    tuned="all",
    objective=parse_objective(TRAINED),
    data="csv",
    crops=None,
    batch_size=4,
    validation_crops=4,
)


@pytest.fixture
def grey() -> Tensor:
    """Photos in which no perturbation of the tests is clipped."""
    return 0.5 + 0.1 * torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def training_task(network: nn.Module) -> TrainingTask:
    return TrainingTask(network, lambda images, targets: (network(images) - targets).square().mean())  # type: ignore[arg-type]


def test_photos_below_the_middle_go_up_and_a_share_the_other_way() -> None:
    targets = torch.linspace(0, 1, 1000)
    against = torch.where(targets < 0.5, 1.0, -1.0)
    assert torch.equal(AgainstRank(other=0.0).directions(targets, 0.5), against)
    assert torch.equal(AgainstRank(other=1.0).directions(targets, 0.5), -against)
    torch.manual_seed(0)
    others = (AgainstRank(other=0.15).directions(targets, 0.5) != against).float()
    assert others.mean() == pytest.approx(0.15, abs=0.04)
    assert others[:500].any()
    assert others[500:].any()


def test_strengths_grow_from_a_tenth_of_a_grey_level() -> None:
    term, device = AgainstRank(eps=4 / 255, least=1 / 255, rise=0.5), torch.device("cpu")
    assert (255 * term.strengths(100, 0.0, device)).unique().tolist() == pytest.approx([0.1])
    half, whole = (255 * term.strengths(1000, progress, device) for progress in (0.25, 0.5))
    assert (half.min().item(), half.max().item()) == pytest.approx((0.55, 2.05), abs=0.05)
    assert (whole.min().item(), whole.max().item()) == pytest.approx((1.0, 4.0), abs=0.05)
    assert (255 * replace(term, rise=0.0).strengths(1000, 0.0, device)).max() > 3.9


def test_on_a_linear_scorer_the_attack_reaches_the_corners_of_each_ball_in_its_direction(grey: Tensor) -> None:
    network = Linear(16).train()
    directions = torch.tensor([1.0, -1.0] * 4)
    eps = torch.linspace(0.5, 2.0, 8) / 255
    # From a start within a step of the photo, eight steps of a quarter of the radius reach every corner.
    adversarial = AgainstRank(steps=8).attack(network, grey, directions, eps)  # type: ignore[arg-type]
    corners = grey + (directions * eps).view(-1, 1, 1, 1) * network.weight.detach().sign()
    assert torch.allclose(adversarial, corners, atol=1e-6)
    assert network.modes == [False] * 8
    assert network.training


def test_the_attack_stays_within_its_balls_and_the_photo_and_goes_in_short_steps() -> None:
    network, images = lively("linearity"), torch.rand(3, 3, 64, 64).round()
    before = copy.deepcopy(network.state_dict())
    eps = torch.tensor([0.5, 2.0, 8.0]) / 255
    adversarial = AgainstRank(steps=3, step_size=0.25 / 255).attack(network, images, torch.ones(3), eps)
    moved = 255 * (adversarial - images).abs().amax((1, 2, 3))
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    assert moved[0] <= 0.5001
    assert (moved[1:] <= 1.0001).all(), "a start within a step, and three steps, of a quarter of a grey level"
    assert (moved > 0.2).all()
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_the_loss_is_nothing_where_all_attacked_photos_are_scored_as_people_do(grey: Tensor) -> None:
    """A network that cannot be moved, and one that moves: the former loses nothing, and only the scale is pinned."""
    targets = torch.linspace(0, 1, 8)

    class Known(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.tensor(1.0))

        def forward(self, images: Tensor) -> Tensor:
            return self.factor * targets.repeat(len(images) // 8) + 0.0 * images.mean((1, 2, 3))

    network = Known()
    term, task = AgainstRank(), training_task(network)
    assert term.loss(task, grey, targets).item() == pytest.approx(0.0, abs=1e-6)
    with torch.no_grad():
        network.factor.fill_(0.5)
    assert term.loss(task, grey, targets) > 0.1, "narrowing does not pay"
    stretched = replace(task, factor=2.0)
    assert term.loss(stretched, grey, targets).item() == pytest.approx(0.0, abs=1e-6), "in the unit of the targets"


def test_narrowing_the_scores_does_not_lower_the_loss_of_what_an_attack_moves(grey: Tensor) -> None:
    targets = torch.linspace(0, 1, 8)

    class Moved(nn.Module):
        """Scores of clean photos are right, those of attacked ones a spread off; all of them narrowed."""

        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, images: Tensor) -> Tensor:
            clean = 0.5 + self.factor * (targets - 0.5)
            both = torch.cat((clean, clean.flip(0))) if len(images) == 16 else clean
            return both + 0.0 * images.mean((1, 2, 3))

    losses = [AgainstRank().loss(training_task(Moved(factor)), grey, targets).item() for factor in (1.0, 0.5, 0.1)]
    assert losses == sorted(losses)
    assert losses[0] > 1


def test_equal_targets_make_no_loss_that_is_not_finite(grey: Tensor) -> None:
    network = Linear(16).eval()
    loss = AgainstRank(steps=1).loss(training_task(network), grey, torch.full((8,), 0.5))
    assert loss.isfinite()


def test_only_poor_photos_attacked_up_and_good_ones_attacked_down_make_pairs() -> None:
    targets, up = torch.tensor([0.0, 1.0, 3.0, 4.0]), torch.tensor([1.0, 1.0, -1.0, -1.0])
    swapped = torch.tensor([3.0, 3.0, 1.0, 1.0])
    assert order_hinge(targets, targets, up, 2.0) == 0
    assert order_hinge(swapped, targets, up, 2.0) == 3.0, "a margin of one, and two units the wrong way"
    assert order_hinge(swapped, targets, -up, 2.0) == 0
    close = torch.tensor([1.5, 2.5])
    assert order_hinge(close, close, torch.tensor([1.0, -1.0]), 2.0) == 0
    assert order_hinge(close.flip(0), close, torch.tensor([1.0, -1.0]), 2.0) == 1.5, "a margin of half their distance"


def test_the_loss_takes_the_place_of_the_tasks(grey: Tensor) -> None:
    targets = torch.linspace(0, 1, 8)
    calls: list[int] = []

    def own(images: Tensor, wanted: Tensor) -> Tensor:
        calls.append(len(images))
        return wanted.sum()

    network = lively("linearity").requires_grad_(True)
    images = torch.nn.functional.interpolate(grey, 64)
    Objective((AgainstRank(steps=1),)).loss(TrainingTask(network, own), images, targets).backward()
    assert not calls
    gradient = network.get_parameter("features.stem.conv.weight").grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_both_trainings_on_attacked_photos_at_once_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="remove one"):
        parse_objective("at+rank")
    with pytest.raises(ConfigurationError, match="at most eps"):
        parse_objective("rank:eps=1/255,least=2/255")


def test_the_epochs_are_judged_by_the_worst_order(grey: Tensor) -> None:
    """On a linear scorer each score moves by eps |w|_1, against its rank."""
    network = Linear(16).eval()
    pixels = (255 * grey).byte()
    images = pixels.float() / 255
    targets = torch.tensor([0.1, 0.9, 0.3, 0.7, 0.2, 0.8, 0.5, 0.6])
    holdout = Holdout(KeptCrops("few", pixels, targets), targets, labelled=True, scale=ScoreRange(0.0, 1.0))
    reach = (2 / 255) * network.weight.detach().abs().sum()
    objective = parse_objective("rank:judged=2/255,judged_steps=9,judged_photos=6")
    task = training_task(network)
    scores, figure = judge(task, objective, holdout, batch_size=4)
    clean = network(images).detach()
    assert torch.allclose(scores, clean, atol=1e-5)
    worst = clean[:6] + reach * torch.from_numpy(rank_directions(targets[:6].numpy()))
    assert figure == srocc(worst.numpy(), targets[:6].numpy())


def test_a_lesson_knows_middle_and_unit_of_its_targets() -> None:
    targets = torch.tensor([0.2, 0.4, 0.6])
    own = 10 * targets + 3
    holdout = Holdout(KeptCrops("few", torch.zeros(3, 3, 8, 8), targets), own, labelled=True, scale=ScoreRange(3, 13))
    task = placed(training_task(nn.Identity()), holdout)
    assert task.middle == pytest.approx(0.4)
    assert torch.allclose(task.in_targets_unit(own), targets)


def test_crops_of_a_batch_have_one_size_and_some_are_whole_photos(labelled: tuple[LabelledPhoto, ...]) -> None:
    recipe = replace(RANKED, resize=128, crop=128, smallest_crop=64, whole=0.5)
    data = labelled_data(recipe, labelled, title="Textures")
    samples = data.training_samples(1, seed=5)
    sides = [sample.crop for sample in samples if isinstance(sample, SizedSample)]
    assert sides == [side for side in sides[::4] for _ in range(4)]
    every = {
        sample.crop
        for epoch in range(12)
        for sample in data.training_samples(epoch, seed=5)
        if isinstance(sample, SizedSample)
    }
    assert every == {64, 96, 128} == set(recipe.crop_sides)
    crops = data.training
    assert isinstance(crops, TuningCrops)
    assert crops[samples[0]][0].shape == (3, sides[0], sides[0])
    drawn = [crops.side(SizedSample(index, epoch, 0, 64)) for index in range(12) for epoch in range(20)]
    assert set(drawn) == {64, 128}
    assert drawn.count(64) == pytest.approx(120, abs=25)
    assert data.validation[Sample(0, 0)][0].shape == (3, 128, 128)
    assert key_of(crops, []) != key_of(labelled_data(replace(recipe, whole=0.4), labelled, title="T").training, [])


def trained(
    workshop: Workshop, recipe: HardeningRecipe, labelled: tuple[LabelledPhoto, ...], run_dir: Path
) -> tuple[list[Epoch], dict[str, Tensor], QualityModel]:
    data = labelled_data(recipe, labelled, title="Textures")
    records, result = workshop.run(recipe, data=data, run_dir=run_dir, cache=HardeningCache())
    epochs = [record for record in records if isinstance(record, Epoch)]
    return epochs, result.network.state_dict(), result.network


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_harden_trains_against_the_rank_and_says_the_same_again(
    workshop: Workshop, labelled: tuple[LabelledPhoto, ...], tmp_path: Path, precision: str
) -> None:
    recipe = replace(
        RANKED, resize=96, crop=96, smallest_crop=64, whole=0.5, short_side=72, precision=precision, epochs=2
    )
    epochs, weights, network = trained(workshop, recipe, labelled, tmp_path / "one")
    assert [epoch.epoch for epoch in epochs] == [0, 1, 2]
    assert all(-1 <= epoch.figure <= 1 for epoch in epochs)
    assert network.preprocessing.short_side == network.settings.short_side == 72
    _, again, _ = trained(workshop, recipe, labelled, tmp_path / "two")
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
    before = workshop.baseline.state_dict()
    assert any(not torch.equal(value, before[name]) for name, value in weights.items())


@pytest.mark.parametrize("replays", [1, 3])
def test_an_interrupted_training_goes_on_to_the_same_bits(
    workshop: Workshop,
    labelled: tuple[LabelledPhoto, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    replays: int,
) -> None:
    objective = parse_objective(f"{TRAINED},replays={replays}")
    recipe = replace(RANKED, crop=96, resize=96, smallest_crop=64, epochs=2, objective=objective)
    _, whole, _ = trained(workshop, recipe, labelled, tmp_path / "whole")
    # Saved whenever it may be, and stopped in the middle of what belongs together.
    monkeypatch.setattr(tuning, "take_steps", functools.partial(take_steps, save_seconds=0.0))
    data = labelled_data(recipe, labelled, title="Textures")
    records = workshop.start(recipe, data=data, run_dir=tmp_path / "parts", cache=HardeningCache())
    for record in records:
        if isinstance(record, Progressed) and record.stage == "tuning" and record.done == 3 * replays - replays // 2:
            break
    else:
        pytest.fail("it was not interrupted")
    records.close()  # type: ignore[attr-defined]
    [state] = (tmp_path / "parts").iterdir()
    assert read_progress(state).step == 2 * replays
    _, resumed, _ = trained(workshop, recipe, labelled, tmp_path / "parts")
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_replays_climb_by_a_step_each_time_and_then_take_another_batch(grey: Tensor) -> None:
    """On a linear scorer, whichever side of its target a score is on, which turns the gradient of the loss round."""
    network = Linear(16).eval()
    targets = torch.tensor([-9.0, 9.0, 9.0, -9.0, 9.0, -9.0, 9.0, -9.0])
    term, task = (
        parse_objective("rank:replays=3,rise=0,other=0.5,eps=2/255,least=2/255").against_rank,
        training_task(
            network  # type: ignore[arg-type]
        ),
    )
    assert term is not None
    seen: list[Tensor] = []
    network.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0].detach()[8:] - grey))
    slopes = network.weight.detach().sign()
    for _ in range(4):
        term.loss(task, grey, targets).backward()
    step = 0.5 / 255
    ways = ((seen[1] - seen[0]) * slopes).flatten(1).sum(1).sign()
    assert set(ways.tolist()) == {1.0, -1.0}
    for before, after in ((seen[0], seen[1]), (seen[1], seen[2])):
        assert torch.allclose(after - before, step * ways.view(-1, 1, 1, 1) * slopes, atol=1e-6)
    assert (seen[3].abs() <= step + 1e-6).all(), "a new start, near the photo"


def test_each_batch_is_shown_as_often_as_asked_for(labelled: tuple[LabelledPhoto, ...]) -> None:
    recipe = replace(RANKED, objective=parse_objective(f"{TRAINED},replays=3"))
    data = labelled_data(recipe, labelled, title="Textures")
    samples = data.training_samples(0, seed=0)
    assert len(samples) == data.shown == 36
    assert samples[:4] == samples[4:8] == samples[8:12] != samples[12:16]
    assert sorted(sample.index for sample in samples[::3]) != [sample.index for sample in samples[::3]]
    assert {sample.index for sample in samples} == set(range(12))


def test_patience_ends_a_training_that_no_longer_gains(
    workshop: Workshop, labelled: tuple[LabelledPhoto, ...], tmp_path: Path
) -> None:
    # At such a rate nothing moves, so that no epoch is better than the first.
    recipe = replace(RANKED, epochs=6, patience=2, rate=1e-12)
    epochs, _, _ = trained(workshop, recipe, labelled, tmp_path)
    assert [epoch.epoch for epoch in epochs] == [0, 1, 2, 3]
