import copy

import numpy as np
import pytest
import torch
from pruning_networks import lively, photos, with_bottlenecks
from torch import Generator, Tensor, nn

from robustiqa_core.errors import ConfigurationError, InputError, NumericalError
from robustiqa_core.models.linearity import Linearity
from robustiqa_core.pruning import CRITERIA, Evidence, channel_groups, filter_importance
from robustiqa_core.pruning.importance import pooled_activations
from robustiqa_core.pruning.pls import variable_importance


def evidence(channels: int = 5, seed: int = 0) -> Evidence:
    generator = Generator().manual_seed(seed)
    weights, activations, responses = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((channels, 6), (9, channels), (9,))
    )
    return Evidence(weights, Generator().manual_seed(1), activations, responses)


@pytest.fixture(scope="module")
def network() -> Linearity:
    made = lively("linearity")
    assert isinstance(made, Linearity)
    return made


def batches(count: int = 6) -> list[Tensor]:
    """Photos of two sizes."""
    return [photos(count - 2), photos(2, 72, 64)]


@pytest.mark.parametrize("name", CRITERIA)
def test_a_criterion_gives_each_channel_a_number_and_no_channel_depends_on_its_place(name: str) -> None:
    criterion = CRITERIA[name]
    assert criterion.name == name
    assert criterion.title
    assert criterion.source
    given = evidence()
    found = criterion.importance(given)
    assert found.shape == (5,)
    assert found.dtype == torch.float64
    assert (found >= 0).all()
    assert len(set(found.tolist())) == 5
    if name != "random":
        assert given.activations is not None
        turned = Evidence(given.weights.flip(0), Generator(), given.activations.flip(1), given.responses)
        assert torch.allclose(criterion.importance(turned).flip(0), found, rtol=1e-10)


def test_weights_are_judged_by_their_sum_or_length() -> None:
    weights = torch.tensor([[3.0, -4.0], [0.0, 6.0], [0.0, 0.0]], dtype=torch.float64)
    given = Evidence(weights, Generator())
    assert CRITERIA["l1"].importance(given).tolist() == [7.0, 6.0, 0.0]
    assert CRITERIA["l2"].importance(given).tolist() == [5.0, 6.0, 0.0]


def test_vip_of_a_case_worked_by_hand() -> None:
    """Two uncorrelated variables of one spread, y = 2 a + b: one component explains all, along (2, 1)."""
    x = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    found = variable_importance(x, 2 * x[:, 0] + x[:, 1])
    assert found.tolist() == pytest.approx([(2 * 4 / 5) ** 0.5, (2 * 1 / 5) ** 0.5])


@pytest.mark.parametrize(("photos_", "channels", "components"), [(40, 7, 3), (12, 60, 2), (5, 3, 2)])
def test_vip_is_that_of_scikit_learn(photos_: int, channels: int, components: int) -> None:
    """Its PLSRegression gives weights, latent scores and loadings; the VIP is put together from them here."""
    cross_decomposition = pytest.importorskip("sklearn.cross_decomposition")
    generator = np.random.default_rng(0)
    x = generator.normal(size=(photos_, channels)) * generator.uniform(0.1, 10, channels)
    y = x[:, 0] / 3 + generator.normal(size=photos_)
    fit = cross_decomposition.PLSRegression(n_components=components).fit(x, y)
    explained = (fit.x_scores_**2).sum(0) * (fit.y_loadings_**2).sum(0)
    directions = fit.x_weights_ / np.linalg.norm(fit.x_weights_, axis=0)
    expected = np.sqrt(channels * (directions**2 @ explained) / explained.sum())
    found = variable_importance(torch.from_numpy(x), torch.from_numpy(y), components=components)
    assert found.numpy() == pytest.approx(expected, rel=1e-8)


def test_squares_of_vip_average_to_one_and_units_do_not_matter() -> None:
    given = evidence(channels=8)
    assert given.activations is not None
    assert given.responses is not None
    found = variable_importance(given.activations, given.responses)
    assert float(found.square().mean()) == pytest.approx(1.0)
    scales = torch.linspace(0.1, 50, 8)
    again = variable_importance(given.activations * scales + 7, 3 * given.responses - 1)
    assert torch.allclose(again, found, rtol=1e-8)


def test_vip_finds_the_channel_that_tells_quality_and_ignores_the_silent_one() -> None:
    given = evidence(channels=6)
    assert given.responses is not None
    assert given.activations is not None
    x = given.activations.clone()
    x[:, 2] = given.responses + 0.05 * x[:, 2]
    x[:, 4] = 0.3
    # As a forward pass in single precision leaves a constant behind.
    x[::2, 4] += 1e-8
    found = variable_importance(x, given.responses)
    assert found.argmax() == 2
    assert found[4] == 0


def test_what_partial_least_squares_cannot_do_is_said() -> None:
    with pytest.raises(InputError, match="at least three samples, got 2"):
        variable_importance(torch.rand(2, 4), torch.rand(2))
    with pytest.raises(InputError, match="got a constant"):
        variable_importance(torch.rand(5, 4), torch.full((5,), 0.7))


@pytest.mark.thorough
def test_activations_are_what_the_consumer_gets_averaged_over_places(network: Linearity) -> None:
    groups = channel_groups(network)
    found, scores = pooled_activations(network, groups, batches())
    expected: dict[str, list[Tensor]] = {group.name: [] for group in groups}
    watched = copy.deepcopy(network)
    for group in groups:
        watched.get_submodule(group.consumer).register_forward_pre_hook(
            lambda _, x, rows=expected[group.name]: rows.append(x[0].flatten(2).mean(2) if x[0].ndim > 2 else x[0])
        )
    one_by_one = [image[None] for batch in batches() for image in batch]
    with torch.no_grad():
        assert torch.allclose(scores, torch.cat([watched(image) for image in one_by_one]))
    for name, rows in expected.items():
        assert torch.allclose(found[name], torch.cat(rows), rtol=1e-5, atol=1e-5), name
    # The first group is seen behind the depthwise convolution, and the heads' hidden units have both signs.
    assert found["features.stem.conv"].min() >= 0 > found["dr6.0"].min()


@pytest.mark.thorough
def test_tokens_and_crops_are_averaged() -> None:
    whole, cropped = lively("tres"), lively("tres", short_side=256, crops=2)
    groups = channel_groups(whole)[-2:]
    tokens, _ = pooled_activations(whole, groups, [photos(3)])
    assert [tuple(rows.shape) for rows in tokens.values()] == [(3, 64), (3, 64)]
    wide = photos(2, 224, 256)
    crops, _ = pooled_activations(cropped, groups, [wide])
    for name, rows in crops.items():
        sides = [pooled_activations(whole_of(cropped), groups, [part])[0][name] for part in halves(wide)]
        assert torch.allclose(rows, (sides[0] + sides[1]) / 2, rtol=1e-5, atol=1e-6)


def whole_of(network: nn.Module) -> nn.Module:
    other = lively("tres", short_side=256)
    other.load_state_dict(network.state_dict())
    return other


def halves(images: Tensor) -> tuple[Tensor, Tensor]:
    return images[..., :224], images[..., 32:]


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_shared_network_in_use_is_not_touched(network: Linearity, criterion: str) -> None:
    one = copy.deepcopy(network).train()
    calls: list[int] = []
    handle = one.dr6.register_forward_hook(lambda *_: calls.append(1))
    before = copy.deepcopy(one.state_dict())
    state = torch.get_rng_state()
    hooks = [len(module._forward_pre_hooks) for module in one.modules()]
    found = filter_importance(one, criterion, images=batches())
    assert one.training
    assert torch.equal(torch.get_rng_state(), state)
    assert [len(module._forward_pre_hooks) for module in one.modules()] == hooks
    assert all(torch.equal(value, before[name]) for name, value in one.state_dict().items())
    assert {name: len(values) for name, values in found.items()} == {
        group.name: group.filters for group in channel_groups(one)
    }
    handle.remove()


def test_seeds_matter_to_chance_and_to_nothing_else(network: Linearity) -> None:
    name = channel_groups(network)[0].name
    chance = [filter_importance(network, "random", seed=seed)[name].tolist() for seed in (0, 0, 1)]
    assert chance[0] == chance[1] != chance[2]
    fixed = [filter_importance(network, "l1", seed=seed)[name].tolist() for seed in (0, 1)]
    assert fixed[0] == fixed[1]


@pytest.mark.thorough
def test_human_scores_take_the_place_of_the_networks_own(network: Linearity) -> None:
    own, again, human = (
        filter_importance(network, "pls_vip", images=batches(), mos=mos)
        for mos in (None, torch.cat([network(batch).detach() for batch in batches()]), torch.arange(6.0))
    )
    for name, values in own.items():
        assert torch.allclose(values, again[name], rtol=1e-6)
    assert any(not torch.allclose(values, human[name], rtol=1e-2) for name, values in own.items())


def test_a_filter_of_several_channels_counts_as_their_mean() -> None:
    network = with_bottlenecks()
    found = filter_importance(network, "l1")["features.layer1.1.conv1"]
    weights = network.get_submodule("features.layer1.1.conv1").weight
    assert torch.allclose(found, weights.detach().abs().sum((1, 2, 3)).view(4, 16).mean(1))


def test_mistakes_are_named(network: Linearity) -> None:
    with pytest.raises(ConfigurationError, match="l1, l2, random, pls_vip"):
        filter_importance(network, "l3")
    with pytest.raises(ConfigurationError, match="pass images"):
        filter_importance(network, "pls_vip")
    with pytest.raises(InputError, match="expected photos, got none"):
        filter_importance(network, "pls_vip", images=[])
    with pytest.raises(InputError, match="got 4 for 6 photos"):
        filter_importance(network, "pls_vip", images=batches(), mos=torch.arange(4.0))
    with pytest.raises(ConfigurationError, match="pass photos"):
        CRITERIA["pls_vip"].importance(Evidence(torch.rand(3, 2), Generator()))
    with pytest.raises(InputError, match="load the network first"):
        filter_importance(copy.deepcopy(network).to("meta"), "l1")
    broken = copy.deepcopy(network)
    with torch.no_grad():
        broken.get_submodule("dr6.0").weight[3, 5] = torch.nan
    with pytest.raises(NumericalError, match=r"dr6\.0"):
        filter_importance(broken, "l1")
