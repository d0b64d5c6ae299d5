import csv
from pathlib import Path

import pytest
import torch
from hardening_networks import lively
from PIL import Image
from torch import Tensor
from workshop import Workshop

from robustiqa_core.hardening import HardeningCache
from robustiqa_core.images.samples import SOURCES
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard, Training
from robustiqa_core.training.datasets import LabelledPhoto


def textures(folder: Path, count: int) -> list[Path]:
    """Save photos of 80 x 72 px, smooth random textures of rising contrast, all of different scenes."""
    folder.mkdir(parents=True)
    paths = [folder / f"{index}.png" for index in range(count)]
    for index, path in enumerate(paths):
        generator = torch.Generator().manual_seed(index)
        coarse = torch.rand(1, 3, 9, 10, generator=generator) - 0.5
        fine = torch.nn.functional.interpolate(coarse, (72, 80), mode="bilinear")
        pixels = ((0.5 + (index + 1) / count * fine).clamp(0, 1) * 255).byte()[0].permute(1, 2, 0)
        Image.fromarray(pixels.numpy()).save(path)
    return paths


@pytest.fixture(scope="session")
def sample_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight photos that looks like the shipped samples."""
    root = tmp_path_factory.mktemp("assets") / "samples"
    paths = textures(root, 8)
    columns = ("file", "title", "author", "source", "original_file", "licence", "licence_url", "changes", "sha256")
    with (root / SOURCES).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([path.name, *["made for tests"] * (len(columns) - 1)] for path in paths)
    return root


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelledPhoto, ...]:
    """Twenty photos whose quality is their contrast, from 0 to 10."""
    paths = textures(tmp_path_factory.mktemp("labelled") / "photos", 20)
    splits = ("train", "train", "train", "validation", "test")
    return tuple(LabelledPhoto(path, index / 1.9, splits[index % 5]) for index, path in enumerate(paths))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def baseline() -> QualityModel:
    """A network with random weights whose scores depend on every stage; never changed."""
    return lively("linearity").requires_grad_(True)


@pytest.fixture(scope="session")
def card(baseline: QualityModel) -> ModelCard:
    return ModelCard(
        model="linearity",
        variant="baseline",
        settings={"short_side": 96},
        score_range=baseline.score_range,
        score_unit="none: random weights for tests",
        training=Training("none", 0, "random weights", "none", 0.0, {}),
        measurements=(),
        sha256="0" * 64,
        licence="MIT",
        limits="For tests.",
        versions={},
    )


@pytest.fixture(scope="session")
def cache() -> HardeningCache:
    """Shared, so that crops and the baseline's scores are computed once."""
    return HardeningCache()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 64, 75, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def workshop(baseline: QualityModel, card: ModelCard, cache: HardeningCache, sample_root: Path) -> Workshop:
    return Workshop(baseline, card, cache, sample_root)
