"""What is minimised, on a linear scorer where every answer is known."""

import copy
import dataclasses

import pytest
import torch
from hardening_networks import Linear, lively
from torch import Tensor

from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening import (
    OBJECTIVES,
    REGULARIZERS,
    AdversarialTraining,
    GradientNorm,
    Objective,
    Regularizer,
    TrainingTask,
    parse_objective,
    spell_objective,
)
from robustiqa_core.metrics.fidelity import ssim


@pytest.fixture
def grey() -> Tensor:
    """Photos in which no perturbation of the tests is clipped."""
    return 0.5 + 0.1 * torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def squared(network: Linear) -> TrainingTask:
    return TrainingTask(network, lambda images, targets: (network(images) - targets).square().mean())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", REGULARIZERS)
def test_every_term_is_frozen_has_defaults_and_a_spelling(name: str) -> None:
    term = REGULARIZERS[name]()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(term, dataclasses.fields(term)[0].name, 1)
    assert parse_objective(spell_objective(Objective((term,)))) == Objective((term,)) == parse_objective(name)


@pytest.mark.parametrize("name", REGULARIZERS)
def test_every_term_leaves_the_network_as_it_was_and_reaches_its_weights(name: str) -> None:
    network = lively("linearity").requires_grad_(True).train()
    network.features.eval()
    network.regression.bias.requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    modes = [module.training for module in network.modules()]
    images, targets = torch.rand(3, 3, 64, 64), torch.rand(3)
    term = REGULARIZERS[name]()
    task = TrainingTask(network, lambda images, targets: (network(images) - targets).square().mean())
    more, wanted = term.extend(task, images, targets)
    assert len(more) == len(wanted)
    assert not more.requires_grad
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert [key for key, value in network.named_parameters() if not value.requires_grad] == ["regression.bias"]
    Objective((term,)).loss(task, images, targets).backward()
    gradient = network.get_parameter("features.stem.conv.weight").grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("text", [*OBJECTIVES, "at:eps=4/255,steps=5,step_size=1/255,lowered=yes+nt:weight=0.5"])
def test_an_objective_survives_its_spelling(text: str) -> None:
    objective = parse_objective(text)
    assert parse_objective(spell_objective(objective)) == objective
    assert objective.needs_pixels == (text != "clean")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("atx", "one of at, rank, nt"),
        ("", "one of at, rank, nt"),
        ("clean+at", "one of at, rank, nt"),
        ("nt+at", r"in the order at\+rank\+nt"),
        ("at+at", "each term once"),
        ("at:size=3", "eps, steps, step_size, lowered"),
        ("at:eps=many", "a number such as 6/255"),
        ("at:eps=6", "did you mean 6/255"),
        ("at:steps=2.5", "a whole number"),
        ("at:steps=0", "steps must be"),
        ("at:lowered=1", "yes or no"),
        ("nt:weight=0", "weight must be"),
        ("nt:probe=nan", "probe is a fraction"),
    ],
)
def test_a_faulty_objective_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_objective(text)


def test_clean_is_the_tasks_own_loss(grey: Tensor) -> None:
    network = Linear(16)
    targets = torch.linspace(0, 1, 6)
    assert torch.equal(Objective().loss(squared(network), grey, targets), squared(network).loss(grey, targets))


def test_the_inner_attack_reaches_the_corners_of_the_ball_on_a_linear_scorer(grey: Tensor) -> None:
    network, eps = Linear(16).train(), 6 / 255
    torch.manual_seed(0)
    # From a random start, four steps of half the radius reach every corner.
    adversarial = AdversarialTraining(eps, steps=4).attack(network, grey)  # type: ignore[arg-type]
    signs = ((adversarial - grey) * network.weight.detach().sign() / eps).flatten(1)
    assert torch.allclose(signs.abs(), torch.ones_like(signs), atol=1e-4)
    assert torch.allclose(signs, signs[:, :1].expand_as(signs), atol=1e-4)
    # Up for some photos, down for others.
    assert set(signs[:, 0].sign().tolist()) == {-1.0, 1.0}
    # In eval mode, though the network is being trained, and so without a trace in its statistics.
    assert network.modes == [False] * 4
    assert network.training
    assert network.norm.running_mean is not None
    assert network.norm.running_mean.item() == 0


def test_the_inner_attack_stays_within_the_ball_and_the_photo() -> None:
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    adversarial = AdversarialTraining(8 / 255).attack(Linear(16), images)  # type: ignore[arg-type]
    assert (adversarial - images).abs().max() <= 8 / 255 + 1e-6
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1


def test_clean_and_attacked_photos_are_in_one_batch_with_the_same_targets(grey: Tensor) -> None:
    batches: list[tuple[Tensor, Tensor]] = []
    network = Linear(16)

    def loss(images: Tensor, targets: Tensor) -> Tensor:
        batches.append((images, targets))
        return network(images).mean()

    targets = torch.linspace(0, 1, 6)
    parse_objective("at").loss(TrainingTask(network, loss), grey, targets)  # type: ignore[arg-type]
    ((images, wanted),) = batches
    assert torch.equal(images[:6], grey)
    assert len(images) == 12
    assert 1 / 255 < (images[6:] - grey).abs().max() <= 6 / 255 + 1e-6
    assert torch.equal(wanted, torch.cat((targets, targets)))


def test_lowered_targets_fall_with_the_similarity_in_the_unit_of_the_lesson(grey: Tensor) -> None:
    network = Linear(16)
    task = TrainingTask(network, lambda images, targets: images.mean(), span=50.0)  # type: ignore[arg-type]
    targets = torch.linspace(0, 50, 6)
    adversarial, lowered = AdversarialTraining(lowered=True).extend(task, grey, targets)
    assert torch.allclose(targets - lowered, 50 * (1 - ssim(grey, adversarial)), atol=1e-4)
    assert (lowered < targets - 0.1).all()


def test_the_gradient_norm_of_a_linear_scorer_is_the_l1_norm_of_its_weights(grey: Tensor) -> None:
    network = Linear(16).eval()
    targets = torch.linspace(0.2, 0.7, 6)
    term: Regularizer = GradientNorm(weight=0.02)
    penalty = term.penalty(squared(network), grey, targets)
    slope = network.weight.abs().sum() * targets.std() / network(grey).std()
    assert torch.allclose(penalty, 0.01 * slope.square(), rtol=1e-3)
    # A step of the penalty alone shortens the slope that a score's spread of 1 costs.
    penalty.backward()
    with torch.no_grad():
        assert network.weight.grad is not None
        network.weight -= 1e-4 * network.weight.grad
    assert term.penalty(squared(network), grey, targets) < penalty


def test_the_gradient_norm_cannot_be_escaped_by_narrowing_the_scores(grey: Tensor) -> None:
    network, targets = Linear(16), torch.linspace(0, 1, 6)
    term = GradientNorm()
    before = term.penalty(squared(network), grey, targets)
    with torch.no_grad():
        network.weight /= 10
    assert torch.allclose(term.penalty(squared(network), grey, targets), before, rtol=1e-3)
