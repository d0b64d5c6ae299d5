"""The closed-form head is the ridge regression that it claims to be, and a killed run goes on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from robustiqa_core.metrics.correlation import srocc
from robustiqa_core.models.dbcnn import DBCNN, DBCNNSettings
from robustiqa_core.training import ridge
from robustiqa_core.training.datasets import LabelledPhoto, load_pixels
from robustiqa_core.training.loop import predict
from robustiqa_core.training.ridge import RidgeRecord, fit_ridge_head

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def network() -> DBCNN:
    torch.manual_seed(3)
    return DBCNN(DBCNNSettings(short_side=64)).eval()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledPhoto]:
    """Return photos of noise whose MOS is its strength."""
    folder = tmp_path_factory.mktemp("photos")
    found = []
    generator = np.random.default_rng(0)
    for number in range(24):
        strength = 5 + 7 * number
        path = folder / f"{number}.png"
        noise = (128 + strength * generator.standard_normal((64, 64))).clip(0, 255).astype(np.uint8)
        Image.fromarray(noise).convert("RGB").save(path)
        found.append(LabelledPhoto(path, strength / 200, "train"))
    return found


def fit(network: DBCNN, photos: list[LabelledPhoto], folder: Path) -> RidgeRecord:
    *_, last = fit_ridge_head(network, photos[::2], photos[1::2], run_dir=folder)
    return last


def features(network: DBCNN, photos: list[LabelledPhoto]) -> tuple[Tensor, Tensor]:
    with torch.inference_mode():
        rows = [network.products(load_pixels(photo.path).float() / 255)[0].half() for photo in photos]
    return torch.stack(rows).double(), torch.tensor([photo.mos for photo in photos], dtype=torch.float64)


def test_the_head_is_where_the_ridge_loss_has_no_slope(
    network: DBCNN, photos: list[LabelledPhoto], tmp_path: Path
) -> None:
    last = fit(network, photos, tmp_path)
    assert last.penalty in ridge.PENALTIES
    x, mos = features(network, photos[::2])
    weight = network.fc.weight.detach().double().clone().requires_grad_()
    bias = network.fc.bias.detach().double().clone().requires_grad_()
    residuals = x @ weight[0] + bias - mos
    (0.5 * residuals.square().sum() + 0.5 * last.penalty * weight.square().sum()).backward()
    assert weight.grad is not None
    assert bias.grad is not None
    assert float(weight.grad.abs().max()) < 1e-4
    assert float(bias.grad.abs()) < 1e-3


def test_photos_that_it_has_not_seen_are_ordered_and_the_record_says_how_well(
    network: DBCNN, photos: list[LabelledPhoto], tmp_path: Path
) -> None:
    last = fit(network, photos, tmp_path)
    scores = predict(network, photos[1::2]).numpy()
    assert last.validation_srocc == pytest.approx(srocc(scores, [photo.mos for photo in photos[1::2]]), abs=0.01)
    assert last.validation_srocc is not None
    assert last.validation_srocc > 0.5, "a random network still tells strong noise from weak"
    assert (last.photos, last.total) == (24, 24)


def test_features_are_computed_once_for_the_same_weights_and_again_for_others(
    network: DBCNN, photos: list[LabelledPhoto], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(network, photos, tmp_path)
    head = network.fc.weight.detach().clone()
    calls = []
    products = DBCNN.products
    monkeypatch.setattr(DBCNN, "products", lambda self, images: calls.append(1) or products(self, images))
    fit(network, photos, tmp_path)
    assert not calls
    assert torch.equal(network.fc.weight, head)
    other = DBCNN(DBCNNSettings(short_side=64)).eval()
    fit(other, photos, tmp_path)
    assert len(calls) == len(photos)
