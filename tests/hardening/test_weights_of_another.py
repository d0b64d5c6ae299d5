"""A hardening may start from the weights of another variant, and be mixed with the baseline's."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hardening_networks import lively
from workshop import RECIPE, Workshop

from robustiqa_core.checkpoints.storage import save_checkpoint
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening import Hardened, HardeningCache, Weights, load_weights, parse_objective
from robustiqa_core.models.card import ModelCard
from robustiqa_core.pruning import PruningSettings

pytestmark = pytest.mark.thorough

MIXED = replace(
    RECIPE,
    weights="hardened-at",
    position=None,
    block=None,
    tuned="all",
    pruning=PruningSettings(ratio=0.0),
    epochs=0,
    mix=0.75,
)


def store(card: ModelCard, variant: str, moved: float, root: Path) -> None:
    """Store another variant: the baseline with weights moved by a little, all the same way."""
    network = lively("linearity")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(moved)
    save_checkpoint(network, replace(card, variant=variant), root=root)


@pytest.fixture
def other(card: ModelCard, tmp_path: Path) -> Weights:
    """Another variant."""
    store(card, "hardened-at", 0.01, tmp_path)
    return load_weights("linearity", "hardened-at", root=tmp_path)


def test_without_epochs_the_result_lies_between_the_two(workshop: Workshop, other: Weights) -> None:
    _, result = workshop.run(MIXED, weights=other)
    own, theirs, mixed = workshop.baseline.state_dict(), other.state, result.network.state_dict()
    for name, value in mixed.items():
        if name not in ("k", "b") and value.is_floating_point():
            wanted = torch.lerp(own[name], theirs[name], 0.75).half().float()
            torch.testing.assert_close(value, wanted, rtol=2e-3, atol=1e-6)
    assert result.card.training.start.endswith(f"; weights of linearity-hardened-at, sha256 {other.sha256}")
    assert result.card.hardening["weights_sha256"] == other.sha256
    assert MIXED.key() != replace(MIXED, weights=None).key()


def test_of_several_their_mean_is_taken(workshop: Workshop, other: Weights, card: ModelCard, tmp_path: Path) -> None:
    store(card, "mine", 0.03, tmp_path)
    both = load_weights("linearity", "hardened-at+mine", root=tmp_path)
    single = load_weights("linearity", "mine", root=tmp_path)
    assert both.variants == "hardened-at+mine"
    for name, value in both.state.items():
        if not value.is_floating_point():
            continue
        torch.testing.assert_close(value, (other.state[name] + single.state[name]) / 2)
    recipe = replace(MIXED, weights="hardened-at+mine", mix=1.0)
    _, result = workshop.run(recipe, weights=both)
    mixed = result.network.state_dict()
    for name in ("features.stem.conv.weight", "features.stem.norm.running_var"):
        torch.testing.assert_close(mixed[name], both.state[name].half().float(), rtol=2e-3, atol=1e-6)
    assert "mean of the weights of linearity-hardened-at, sha256" in result.card.training.start
    assert result.card.hardening["weights_sha256"] == f"{other.sha256}+{single.sha256}"
    uneven = load_weights("linearity", "hardened-at:3+mine", root=tmp_path)
    assert uneven.variants == "hardened-at:3+mine"
    assert uneven.words.startswith("mean (3 to 1) of the weights of linearity-hardened-at, sha256")
    for name in ("features.stem.conv.weight", "regression.bias"):
        torch.testing.assert_close(uneven.state[name], 0.75 * other.state[name] + 0.25 * single.state[name])
    for share in ("0", "1", "1.5", "-2", ""):
        with pytest.raises(ConfigurationError, match="whole number of at least 2"):
            load_weights("linearity", f"hardened-at:{share}+mine", root=tmp_path)
    with pytest.raises(ConfigurationError, match="model and variant must be one of"):
        load_weights("linearity", "hardened-at+", root=tmp_path)


def test_a_tuning_goes_on_from_them(workshop: Workshop, other: Weights) -> None:
    recipe = replace(MIXED, epochs=1, mix=1.0, objective=parse_objective("at:steps=1"))
    _, from_others = workshop.run(recipe, weights=other)
    _, from_own = workshop.run(replace(recipe, weights=None))

    def distance(result: Hardened) -> float:
        weights = result.network.features.named_parameters()
        return sum((value - other.state[f"features.{name}"]).square().sum().item() for name, value in weights)

    assert distance(from_others) < 0.1 * distance(from_own)


def test_weights_that_do_not_fit_are_refused(workshop: Workshop, other: Weights) -> None:
    with pytest.raises(ConfigurationError, match="the weights that the recipe names"):
        workshop.run(MIXED)
    with pytest.raises(ConfigurationError, match="leave one out"):
        replace(MIXED, trunk="tres-baseline")
    with pytest.raises(ConfigurationError, match="no pruning"):
        Weights((replace(other.cards[0], pruning={"features.0": [0]}),), other.state)
    less = Weights(other.cards, {name: value for name, value in other.state.items() if name != "k"})
    with pytest.raises(ConfigurationError, match="with the same layers"):
        workshop.run(MIXED, weights=less, cache=HardeningCache())
