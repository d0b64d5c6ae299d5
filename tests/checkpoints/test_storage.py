import json
from pathlib import Path

import pytest
import torch

from robustiqa_core.checkpoints.storage import list_cards, load_card, load_network, load_scorer, save_checkpoint
from robustiqa_core.errors import ConfigurationError, InputError, MissingWeightsError
from robustiqa_core.folders import checkpoints_root
from robustiqa_core.models.card import Measurement, ModelCard, Training
from robustiqa_core.models.linearity import Linearity
from robustiqa_core.scorer import ScoreRange

CPU = torch.device("cpu")


def make_card() -> ModelCard:
    return ModelCard(
        model="linearity",
        variant="baseline",
        settings={"backbone": "efficientnet_lite0", "short_side": 128},
        score_range=ScoreRange(-0.5, 0.5),
        score_unit="a made-up unit",
        training=Training("none", 0, "random weights", "none", 0.0, {}),
        measurements=(Measurement("none", 2, 0.0, 0.0, 0.0, 1.0, "none"),),
        sha256="",
        licence="MIT",
        limits="For tests.",
        versions={"torch": torch.__version__},
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Linearity]:
    torch.manual_seed(0)
    network = Linearity().eval()
    root = tmp_path_factory.mktemp("checkpoints")
    save_checkpoint(network, make_card(), root=root)
    return root, network


def copy_of(saved: tuple[Path, Linearity], root: Path) -> Path:
    for path in saved[0].iterdir():
        (root / path.name).write_bytes(path.read_bytes())
    return root


def test_a_loaded_network_has_the_weights_rounded_to_half(saved: tuple[Path, Linearity]) -> None:
    root, network = saved
    loaded = load_network("linearity", "baseline", device=CPU, root=root)
    assert not loaded.training
    assert loaded.score_range == ScoreRange(-0.5, 0.5)
    for name, value in loaded.state_dict().items():
        expected = network.state_dict()[name]
        assert value.dtype == expected.dtype
        # Single numbers, such as k and b, are stored in full.
        rounded = expected.is_floating_point() and expected.numel() > 1
        assert torch.equal(value, expected.half().float() if rounded else expected)


def test_a_loaded_scorer_is_frozen_and_scores_as_the_network_does(saved: tuple[Path, Linearity]) -> None:
    scorer = load_scorer("linearity", "baseline", device=CPU, root=saved[0])
    network = load_network("linearity", "baseline", device=CPU, root=saved[0])
    assert not scorer.training
    assert not any(parameter.requires_grad for parameter in scorer.parameters())
    assert len(list(scorer.modules())) == len(list(network.modules()))
    images = torch.rand(2, 3, 96, 70, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(scorer(images), network(images), atol=1e-4 * scorer.score_range.width)


def test_loading_leaves_the_random_state_alone(saved: tuple[Path, Linearity]) -> None:
    before = torch.get_rng_state()
    load_scorer("linearity", "baseline", device=CPU, root=saved[0])
    assert torch.equal(torch.get_rng_state(), before)


def test_a_card_survives_its_file(saved: tuple[Path, Linearity]) -> None:
    card = load_card("linearity", root=saved[0])
    assert ModelCard.from_json(json.loads(json.dumps(card.to_json())), place="test") == card
    assert len(card.sha256) == 64


def test_changed_weights_are_refused(saved: tuple[Path, Linearity], tmp_path: Path) -> None:
    root = copy_of(saved, tmp_path)
    path = root / "linearity-baseline.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="sha256"):
        load_scorer("linearity", "baseline", device=CPU, root=root)


def test_weights_of_another_architecture_are_refused(saved: tuple[Path, Linearity], tmp_path: Path) -> None:
    root = copy_of(saved, tmp_path)
    path = root / "linearity-baseline.json"
    value = json.loads(path.read_text())
    value["settings"]["backbone"] = "resnet18"
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"expected the \d+ tensors of the architecture"):
        load_scorer("linearity", "baseline", device=CPU, root=root)


def test_missing_weights_and_unknown_names_say_what_to_do(saved: tuple[Path, Linearity], tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="clone the repository"):
        load_scorer("linearity", "baseline", device=CPU, root=tmp_path)
    root = copy_of(saved, tmp_path)
    with pytest.raises(ConfigurationError, match="linearity baseline; got linearity hardened"):
        load_card("linearity", "hardened", root=root)
    (root / "linearity-baseline.safetensors").unlink()
    with pytest.raises(MissingWeightsError, match="expected weights"):
        load_scorer("linearity", "baseline", device=CPU, root=root)


@pytest.mark.parametrize("text", ["not json", "[1]", '{"model": "linearity"}'])
def test_a_broken_card_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "linearity-baseline.json").write_text(text)
    with pytest.raises(InputError, match=r"linearity-baseline\.json"):
        list_cards(tmp_path)


@pytest.mark.parametrize("card", list_cards(), ids=lambda card: card.stem)
def test_every_bundled_checkpoint_loads_scores_and_is_small(card: ModelCard) -> None:
    scorer = load_scorer(card.model, card.variant, device=CPU)
    score = scorer(torch.full((1, 3, 96, 96), 0.5)).item()
    assert card.score_range.low - card.score_range.width < score < card.score_range.high + card.score_range.width
    size = (checkpoints_root() / f"{card.stem}.safetensors").stat().st_size
    assert size < 20e6
    assert card.measurements
    assert card.licence
