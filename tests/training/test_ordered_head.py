"""The ordered last layer is the minimum that it claims to be, orders what it is shown, and survives a kill."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from random_checkpoints import save_random
from torch import Tensor

from robustiqa_core import cli
from robustiqa_core.checkpoints.storage import load_card
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.images.degradations import DEGRADATIONS
from robustiqa_core.images.photo import round_to_8bit
from robustiqa_core.models import ARCHITECTURES, QualityModel, build
from robustiqa_core.models.backbones import backbone
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training import last_layer as last
from robustiqa_core.training import ordered_head
from robustiqa_core.training.datasets import LabelledPhoto, load_pixels
from robustiqa_core.training.ordered_head import OrderedHeadSettings, OrderRecord, SeriesPhotos, fit_ordered_head

pytestmark = pytest.mark.thorough

SETTINGS = OrderedHeadSettings(weight=1.0, penalty=1.0, photos=10, series=4)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledPhoto]:
    """Return 16 textures whose MOS, from 1 to 5, is their contrast."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    found = []
    for number in range(16):
        pixels = 127.5 + (20 + 6 * number) * generator.uniform(-1, 1, (16, 16, 3))
        path = folder / f"{number}.png"
        Image.fromarray(pixels.round().astype(np.uint8)).resize((64, 64), Image.Resampling.BICUBIC).save(path)
        found.append(LabelledPhoto(path, 1 + 4 * number / 15, "train"))
    return found


def network_of(model: str) -> QualityModel:
    """Return a network with an ImageNet trunk, since a random one tells photos hardly apart."""
    torch.manual_seed(0)
    network = build(model, {"short_side": 64}, ScoreRange(0.0, 1.0)).eval()
    network.features.load_state_dict(backbone("efficientnet_lite0").load_imagenet(), strict=True)
    with torch.no_grad():
        network.k.fill_(2.0)
        network.b.fill_(3.0)
    return network


def fit(network: QualityModel, photos: list[LabelledPhoto], folder: Path, settings: OrderedHeadSettings) -> OrderRecord:
    *_, record = fit_ordered_head(network, photos[:12], photos[12:], settings, run_dir=folder)
    return record


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_the_layers_inputs_are_what_its_scores_come_from(model: str) -> None:
    network = network_of(model)
    images = torch.rand(2, 3, 64, 70, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        raw = last.last_layer(network)(last.last_inputs(network, images))[:, 0]
        assert torch.allclose(raw * network.k + network.b, network(images), atol=1e-6)


def test_series_are_the_photo_and_its_degradations_by_kind_and_level(photos: list[LabelledPhoto]) -> None:
    pixels, mos = SeriesPhotos(photos, side=64, seed=7)[3]
    assert mos == photos[3].mos
    assert pixels.shape == (21, 3, 64, 64)
    clean = load_pixels(photos[3].path)
    assert torch.equal(pixels[:1], clean)
    # The tenth is the fifth level of noise, with the seed of this photo.
    noisy = round_to_8bit(DEGRADATIONS["noise"](clean.float() / 255, 5, seed=10))
    assert torch.equal(pixels[10:11].float() / 255, noisy)


def loss_of(weights: Tensor, start: Tensor, clean: Tensor, mos: Tensor, series: Tensor) -> Tensor:
    """The loss written out step by step, in double precision, MOS from 1 to 5."""
    width = mos.max() - mos.min()
    centred = clean - clean.mean(0)
    errors = (centred @ weights - (mos - mos.mean()) / width).square().sum() + (weights - start).square().sum()
    pairs = []
    for photo in series:
        for kind in range(4):
            levels = [photo[0], *photo[1 + 5 * kind : 6 + 5 * kind]]
            for better, worse in itertools.pairwise(levels):
                pairs.append(F.softplus((0.02 - (better - worse) @ weights) / 0.01))
    return 50 * errors / len(clean) + SETTINGS.weight * torch.stack(pairs).mean()


def test_the_layer_is_where_the_loss_has_no_slope(photos: list[LabelledPhoto], tmp_path: Path) -> None:
    network = network_of("linearity")
    layer = last.last_layer(network)
    start = 2.0 / 4 * layer.weight[0].detach().double()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0)).tolist()[:10]
    drawn = [photos[index] for index in order]
    # The scale is that of the photos that are drawn.
    mos = torch.tensor([photo.mos for photo in drawn], dtype=torch.float64)
    width = mos.max() - mos.min()
    start = start * 4 / width
    fit(network, photos, tmp_path, SETTINGS)
    with torch.inference_mode():
        clean = torch.cat([last.last_inputs(network, load_pixels(photo.path).float() / 255) for photo in drawn])
        series = torch.stack(
            [last.last_inputs(network, SeriesPhotos(drawn[:4], side=64, seed=0)[n][0].float() / 255) for n in range(4)]
        )
    # Kept in half precision.
    clean, series = clean.half().double(), series.half().double()
    weights = (2.0 / width * layer.weight[0].detach().double()).requires_grad_()
    loss = loss_of(weights, start, clean.clone(), mos, series.clone())
    (slope,) = torch.autograd.grad(loss, weights)
    (first,) = torch.autograd.grad(loss_of(start.requires_grad_(), start.detach(), clean, mos, series), start)
    assert float(slope.norm()) < 2e-3 * float(first.norm())
    scores = 2.0 * (clean @ layer.weight[0].detach().double() + layer.bias.double()) + 3.0
    assert float(scores.detach().mean()) == pytest.approx(float(mos.mean()), abs=1e-3), "on the data set's scale"


def test_the_order_improves_and_the_record_says_so(photos: list[LabelledPhoto], tmp_path: Path) -> None:
    network = network_of("tres")
    record = fit(network, photos, tmp_path, OrderedHeadSettings(weight=3.0, penalty=1.0, photos=10, series=4))
    assert record.ordered is not None
    before, after = record.ordered
    assert after > max(0.8, before)
    assert record.photos == record.total == 10 + 4 + 4
    with torch.inference_mode():
        images = SeriesPhotos(photos[:1], side=64, seed=0)[0][0].float() / 255
        scores = network(images)
    assert scores[0] > scores[5], "sharp above blurred"


def test_features_are_kept_for_another_fit(
    photos: list[LabelledPhoto], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(network_of("linearity"), photos, tmp_path, SETTINGS)

    def refuse(network: QualityModel, images: Tensor) -> Tensor:
        pytest.fail("computed again")

    monkeypatch.setattr(last, "last_inputs", refuse)
    fit(network_of("linearity"), photos, tmp_path, OrderedHeadSettings(weight=0.5, photos=10, series=4))


def test_what_does_not_fit_is_refused(photos: list[LabelledPhoto], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected at least 13 training photos, got 12"):
        fit(network_of("linearity"), photos, tmp_path, OrderedHeadSettings(photos=13, series=4))
    with pytest.raises(ConfigurationError, match="series"):
        OrderedHeadSettings(photos=3, series=4)
    with pytest.raises(ConfigurationError, match="weight"):
        OrderedHeadSettings(weight=0.0)
    same = [LabelledPhoto(photo.path, 2.0, "train") for photo in photos]
    with pytest.raises(InputError, match="different scores"):
        fit(network_of("linearity"), same, tmp_path, SETTINGS)


def test_the_command_writes_a_baseline_with_both_trainings_on_its_card(
    photos: list[LabelledPhoto], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_random(tmp_path / "checkpoints", side=64, network=network_of("linearity"))
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(folder))
    monkeypatch.setattr(ordered_head, "_PART", 5)
    root = photos[0].path.parent
    splits = ["train"] * 9 + ["validation"] * 3 + ["test"] * 4
    rows = [f"{photo.path.name},{photo.mos},{split}" for photo, split in zip(photos, splits, strict=True)]
    (tmp_path / "scores.csv").write_text("\n".join(["file,mos,split", *rows]) + "\n")
    data = ["--dataset", "csv", "--root", str(root), "--scores", str(tmp_path / "scores.csv")]
    places = ["--run-dir", str(tmp_path / "run"), "--out", str(tmp_path / "out"), "--device", "cpu", "--json"]
    known = load_card("linearity")
    assert cli.main(["order-head", *data, "--photos", "8", "--series", "3", "--penalty", "1", *places]) == 0
    printed = capsys.readouterr()
    card = json.loads(printed.out)
    assert "neighbouring levels in order" in printed.err
    assert card["training"]["command"] == (
        f"{known.training.command} && robustiqa order-head --model linearity --dataset csv --weight 0.2 --margin 0.02 "
        "--softness 0.01 --penalty 1.0 --photos 8 --series 3 --seed 0 --root FOLDER"
    )
    assert card["training"]["settings"]["ordered_head"]["start_sha256"] == known.sha256
    assert [measured["photos"] for measured in card["measurements"]] == [4, 4]
    assert (tmp_path / "out" / "linearity-baseline.safetensors").is_file()
