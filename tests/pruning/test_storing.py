import json
from pathlib import Path

import pytest
import torch
from pruning_networks import lively, photos
from torch import nn

from robustiqa_core import cli
from robustiqa_core.blocks import BlockSettings, blocks_of, insert
from robustiqa_core.checkpoints.storage import list_cards, load_card, load_network, load_scorer, save_checkpoint
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.files import read_json, write_json
from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.models import ARCHITECTURES, QualityModel
from robustiqa_core.models.card import ModelCard, Training
from robustiqa_core.pruning import PruningPlan, PruningSettings, bake, channel_groups, masked, plan

pytestmark = pytest.mark.thorough

CPU = torch.device("cpu")
HALF = PruningSettings("random", 0.5)


def card_of(network: QualityModel, model: str, variant: str = "hardened") -> ModelCard:
    settings = {name: getattr(network.settings, name) for name in ("backbone", "short_side")}
    training = Training("none", 0, "random weights", "none", 0.0, {})
    return ModelCard(model, variant, settings, network.score_range, "none", training, (), "", "MIT", "For tests.", {})


@pytest.fixture(scope="module")
def baked() -> QualityModel:
    network = lively("linearity").float()
    return bake(network, plan(network, HALF))


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_a_pruned_network_with_blocks_is_rebuilt_from_its_card(model: str, tmp_path: Path) -> None:
    network, x = lively(model).float(), photos(1).float()
    place = "after_scnn4" if model == "dbcnn" else "after_stage4"
    hardened = insert(network, place, BlockSettings("paper", width=8, grid=3))
    narrowed = bake(hardened, plan(hardened, HALF))
    card = save_checkpoint(narrowed, card_of(network, model), root=tmp_path, dtype=torch.float32)
    assert card.pruning == {group.name: group.filters for group in channel_groups(narrowed)}
    assert card.pruning["features.stage2.0.expand.conv"] == 48
    assert load_card(model, "hardened", root=tmp_path) == card
    loaded = load_network(model, "hardened", device=CPU, root=tmp_path)
    assert blocks_of(loaded).keys() == {place}
    with torch.no_grad():
        assert torch.equal(loaded(x), narrowed(x))
        scorer = load_scorer(model, "hardened", device=CPU, root=tmp_path)
        assert torch.allclose(scorer(x), narrowed(x), rtol=1e-4, atol=1e-4)


def test_only_groups_that_lost_something_are_on_the_card(tmp_path: Path) -> None:
    network = lively("linearity")
    made = plan(network, PruningSettings("l1", 0.1))
    card = save_checkpoint(bake(network, made), card_of(network, "linearity"), root=tmp_path)
    assert card.pruning == {layer.group: len(layer.kept) for layer in made.layers if layer.removed}
    assert "features.stem.conv" not in card.pruning


def test_a_card_from_before_there_was_pruning_loads_as_it_is(tmp_path: Path) -> None:
    network = lively("linearity")
    assert save_checkpoint(network, card_of(network, "linearity"), root=tmp_path).pruning == {}
    path = tmp_path / "linearity-hardened.json"
    value = read_json(path)
    del value["pruning"]
    write_json(path, value)
    assert load_card("linearity", "hardened", root=tmp_path).pruning == {}
    loaded = load_network("linearity", "hardened", device=CPU, root=tmp_path)
    assert channel_groups(loaded) == channel_groups(network)


def test_the_bundled_cards_load() -> None:
    assert all(not card.pruning for card in list_cards() if card.variant == "baseline")


@pytest.mark.parametrize(
    ("pruning", "kind", "message"),
    [
        ([], InputError, "model card"),
        ({"dr6.0": 2.5}, InputError, "model card"),
        ({"dr6.9": 3}, ConfigurationError, r"dr6\.0"),
        ({"dr6.0": 0}, ConfigurationError, "from 1 to 1024"),
        ({}, InputError, "tensors of the architecture"),
        ({"dr6.0": 3}, InputError, "tensors of the architecture"),
    ],
)
def test_a_card_whose_pruning_does_not_fit_is_refused(
    baked: QualityModel, pruning: object, kind: type[Exception], message: str, tmp_path: Path
) -> None:
    save_checkpoint(baked, card_of(baked, "linearity"), root=tmp_path)
    path = tmp_path / "linearity-hardened.json"
    write_json(path, {**read_json(path), "pruning": pruning})
    with pytest.raises(kind, match=message):
        load_network("linearity", "hardened", device=CPU, root=tmp_path)


def test_what_cannot_be_stored_is_refused(baked: QualityModel, tmp_path: Path) -> None:
    network = lively("linearity")
    with pytest.raises(ConfigurationError, match="bake it"):
        save_checkpoint(masked(network, plan(network, HALF)), card_of(network, "linearity"), root=tmp_path)
    with pytest.raises(ConfigurationError, match="correct the card"):
        save_checkpoint(network, card_of(network, "tres"), root=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> QualityModel:
    network = lively("linearity").float()
    save_checkpoint(network, card_of(network, "linearity", "baseline"), root=tmp_path, dtype=torch.float32)
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(tmp_path))
    monkeypatch.setitem(cli.COMMANDS, "prune-plan", "for tests")
    return network


def test_the_command_prints_the_plan_that_python_makes(
    checkpoint: QualityModel, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["prune-plan", "--ratio", "0.3", "--criterion", "l2", "--scope", "global", "--device", "cpu"]
    assert cli.main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert PruningPlan.from_json(report["plan"], place="test") == plan(checkpoint, PruningSettings("l2", 0.3, "global"))
    assert report["images"] == []
    expected = "--device cpu --criterion l2 --ratio 0.3 --scope global --multiple 8 --seed 0"
    assert report["command"] == f"robustiqa prune-plan --model linearity --variant baseline {expected}"
    assert cli.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    layer = report["plan"]["layers"][1]
    gone = len(layer["removed"])
    assert [line.split()[:4] for line in lines if line.startswith(layer["group"])] == [
        [layer["group"], "96", str(gone), str(96 - gone)]
    ]
    before, after = (report["plan"][key]["parameters"] for key in ("before", "after"))
    assert f"parameters: {before:,} -> {after:,}, {1 - after / before:.1%} less" in lines
    assert any("photo of 64 x 64 px" in line for line in lines)


def test_the_command_looks_at_photos_where_the_criterion_does(
    checkpoint: QualityModel, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["prune-plan", "--criterion", "pls_vip", "--limit", "4", "--device", "cpu", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert len(report["images"]) == 4
    assert "samples --limit 4" in report["command"]
    assert cli.main(["prune-plan", "--ratio", "0.9"]) == 2
    assert "0.1 removes a tenth" in capsys.readouterr().err


def test_every_layer_of_a_rebuilt_network_knows_its_own_shape(baked: QualityModel, tmp_path: Path) -> None:
    save_checkpoint(baked, card_of(baked, "linearity"), root=tmp_path)
    loaded = load_network("linearity", "hardened", device=CPU, root=tmp_path)
    for module in loaded.modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.shape[:2] == (module.out_channels, module.in_channels // module.groups)
        elif isinstance(module, nn.Linear):
            assert module.weight.shape == (module.out_features, module.in_features)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_mean.shape == module.weight.shape == (module.num_features,)
