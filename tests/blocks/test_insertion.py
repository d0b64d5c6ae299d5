import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from robustiqa_core.blocks import BlockSettings, block_at, blocks_of, insert, insertion_points
from robustiqa_core.checkpoints.storage import load_card, load_network, load_scorer, save_checkpoint
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.files import read_json, write_json
from robustiqa_core.models import ARCHITECTURES, QualityModel, build
from robustiqa_core.models.backbones import BACKBONES
from robustiqa_core.models.card import ModelCard, Training
from robustiqa_core.models.dbcnn import DBCNN, DBCNNSettings
from robustiqa_core.scorer import ScoreRange

pytestmark = pytest.mark.thorough

CPU = torch.device("cpu")
IDENTITY = BlockSettings(orthogonalization="identity", width=4, grid=3)
HALVES = BlockSettings(orthogonalization="contraction", width=4, grid=3)
CAYLEY = BlockSettings(width=8, grid=3)


def lively(model: str, trunk: str = "efficientnet_lite0") -> QualityModel:
    """Return a network whose score depends on every stage; with torch's first weights the signal dies on the way."""
    torch.manual_seed(0)
    network = build(model, {"backbone": trunk, "short_side": 96}, ScoreRange(0.0, 1.0)).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return network.requires_grad_(False)


def card_of(network: QualityModel, model: str) -> ModelCard:
    settings = {name: getattr(network.settings, name) for name in ("backbone", "short_side")}
    training = Training("none", 0, "random weights", "none", 0.0, {})
    return ModelCard(
        model, "hardened", settings, network.score_range, "none", training, (), "", "MIT", "For tests.", {}
    )


def photos(height: int = 64, width: int = 75) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.fixture(
    scope="module",
    params=[*((name, "efficientnet_lite0") for name in ARCHITECTURES), ("linearity", "resnet18"), ("dbcnn", "vgg16")],
    ids="-".join,
)
def network(request: pytest.FixtureRequest) -> QualityModel:
    return lively(*request.param)


def test_the_identity_leaves_scores_bit_equal_at_every_point(network: QualityModel) -> None:
    x = photos()
    with torch.no_grad():
        expected = network(x)
        for point in insertion_points(network):
            assert torch.equal(insert(network, point.name, IDENTITY)(x), expected), point.name
            # Else the place would not matter to the score, and the line above would show nothing.
            assert not torch.allclose(insert(network, point.name, HALVES)(x), expected, rtol=1e-6), point.name


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_the_identity_leaves_scores_bit_equal_in_a_folded_scorer(model: str, tmp_path: Path) -> None:
    """In the layout that scorers have, channels last, and through a checkpoint with its card."""
    network, x = lively(model), photos()
    save_checkpoint(network, replace(card_of(network, model), variant="baseline"), root=tmp_path)
    baseline = everywhere = load_scorer(model, "baseline", device=CPU, root=tmp_path)
    for point in insertion_points(network):
        network, everywhere = (insert(one, point.name, IDENTITY) for one in (network, everywhere))
    save_checkpoint(network, card_of(network, model), root=tmp_path)
    with torch.no_grad():
        assert torch.equal(everywhere(x), baseline(x))
        assert torch.equal(load_scorer(model, "hardened", device=CPU, root=tmp_path)(x), baseline(x))


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_an_orthogonal_block_leaves_scores_as_they_were_to_rounding(model: str) -> None:
    network, x = lively(model), photos()
    hardened = network
    for point in insertion_points(network):
        hardened = insert(hardened, point.name, CAYLEY)
    with torch.no_grad():
        assert torch.allclose(hardened(x), network(x), rtol=1e-3, atol=1e-4)
    assert list(blocks_of(hardened)) == [point.name for point in insertion_points(network)]


def test_insertion_is_a_copy_that_leaves_the_original_alone(network: QualityModel) -> None:
    calls: list[int] = []
    handle = network.register_forward_hook(lambda *_: calls.append(1))
    before = copy.deepcopy(network.state_dict())
    names = [name for name, _ in network.named_modules()]
    hooks = [len(module._forward_hooks) for module in network.modules()]
    point = insertion_points(network)[-1]
    hardened = insert(network, point.name, CAYLEY)
    with torch.no_grad():
        for parameter in hardened.parameters():
            parameter.zero_()
    assert [name for name, _ in network.named_modules()] == names
    assert [len(module._forward_hooks) for module in network.modules()] == hooks
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert type(hardened) is type(network)
    assert hardened.settings == network.settings
    handle.remove()


def test_only_the_block_is_new_in_the_state_and_the_rest_keeps_its_names(network: QualityModel) -> None:
    hardened, expected = network, set(network.state_dict())
    for point in insertion_points(network)[::3]:
        hardened = insert(hardened, point.name, CAYLEY)
        expected |= {
            f"{point.module}.block.{name}" for name in ("directions", "convolution.weight", "convolution.alpha")
        }
    assert set(hardened.state_dict()) == expected


@pytest.mark.parametrize(
    ("model", "trunk"), [*(("linearity", trunk) for trunk in BACKBONES), ("dbcnn", "vgg16"), ("tres", "resnet18")]
)
def test_every_point_of_every_trunk_takes_a_block(model: str, trunk: str) -> None:
    """On the meta device: names, channels and grids fit, and no weight is made on a device of its own choice."""
    with torch.device("meta"):
        network = build(model, {"backbone": trunk}, ScoreRange(0, 1)).eval()
        for point in insertion_points(network):
            network = insert(network, point.name, CAYLEY)
    assert network(torch.rand(2, 3, 128, 96, device="meta")).shape == (2,)
    blocks = [block_at(network, point.name) for point in insertion_points(network)]
    assert [block.channels for block in blocks] == [point.channels for point in insertion_points(network)]


def test_points_of_tres_go_on_into_the_transformer() -> None:
    names = [point.name for point in ARCHITECTURES["tres"].insertion_points({})]
    assert names[-4:] == ["before_encoder", "after_encoder_layer1", "after_encoder_layer2", "after_encoder"]


def test_the_published_root_of_dbcnn_gets_no_negative_products() -> None:
    settings = DBCNNSettings("vgg16", square_root="published")
    signed = {point.name for point in DBCNN.insertion_points(replace(settings, square_root="signed"))}
    published = {point.name for point in DBCNN.insertion_points(settings)}
    assert signed - published == {"after_stage5", "after_scnn9"}
    assert published < signed


def test_a_block_has_the_device_precision_mode_and_freedom_of_its_network() -> None:
    network = lively("linearity").double()
    frozen = block_at(insert(network, "after_stage5", CAYLEY), "after_stage5")
    assert not frozen.training
    assert all(parameter.dtype == torch.float64 and not parameter.requires_grad for parameter in frozen.parameters())
    network.train().regression.requires_grad_(True)
    free = block_at(insert(network, "after_stage5", CAYLEY), "after_stage5")
    assert free.training
    assert all(parameter.requires_grad for parameter in free.parameters())


def test_mistakes_are_named() -> None:
    network = lively("linearity")
    with pytest.raises(ConfigurationError, match="after_stage1, after_stage2"):
        insert(network, "after_stage9", IDENTITY)
    with pytest.raises(ConfigurationError, match="which has a block"):
        insert(insert(network, "after_stage5", IDENTITY), "after_stage5", IDENTITY)
    with pytest.raises(ConfigurationError, match="at most the 16 channels"):
        insert(network, "after_stage1", BlockSettings(width=64))
    with pytest.raises(ConfigurationError, match=r"robustiqa_core\.models"):
        insert(nn.Sequential(), "after_stage1", IDENTITY)
    with pytest.raises(ConfigurationError, match="place of a block"):
        block_at(network, "after_stage1")


@pytest.mark.parametrize("variant", ["isometric", "paper"])
def test_a_hardened_network_is_rebuilt_from_its_card(variant: str, tmp_path: Path) -> None:
    network, x = lively("linearity"), photos()
    settings = BlockSettings(variant, width=16, grid=3)
    hardened = insert(insert(network, "after_stage5", settings), "after_stage2", HALVES)
    generator = torch.Generator().manual_seed(1)
    for parameter in block_at(hardened, "after_stage5").parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    card = save_checkpoint(hardened, card_of(network, "linearity"), root=tmp_path, dtype=torch.float32)
    assert load_card("linearity", "hardened", root=tmp_path) == card
    loaded = load_network("linearity", "hardened", device=CPU, root=tmp_path)
    assert blocks_of(loaded) == {"after_stage2": HALVES, "after_stage5": settings}
    with torch.no_grad():
        assert torch.equal(loaded(x), hardened(x))
        scorer = load_scorer("linearity", "hardened", device=CPU, root=tmp_path)
        assert torch.allclose(scorer(x), hardened(x), rtol=1e-3, atol=1e-4)
        assert not torch.allclose(hardened(x), network(x), rtol=1e-2, atol=1e-3)


def test_a_card_from_before_there_were_blocks_loads_as_it_is(tmp_path: Path) -> None:
    network = lively("linearity")
    save_checkpoint(network, card_of(network, "linearity"), root=tmp_path)
    path = tmp_path / "linearity-hardened.json"
    value = read_json(path)
    del value["blocks"]
    write_json(path, value)
    assert load_card("linearity", "hardened", root=tmp_path).blocks == {}
    assert blocks_of(load_network("linearity", "hardened", device=CPU, root=tmp_path)) == {}


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([], "model card"),
        ({"after_stage5": 3}, "model card"),
        ({"after_stage5": {"size": 3}}, "settings of a block"),
        ({}, "tensors of the architecture"),
    ],
)
def test_a_card_whose_blocks_do_not_fit_is_refused(blocks: object, message: str, tmp_path: Path) -> None:
    network = lively("linearity")
    save_checkpoint(insert(network, "after_stage5", CAYLEY), card_of(network, "linearity"), root=tmp_path)
    path = tmp_path / "linearity-hardened.json"
    write_json(path, {**read_json(path), "blocks": blocks})
    with pytest.raises(InputError, match=message):
        load_network("linearity", "hardened", device=CPU, root=tmp_path)
