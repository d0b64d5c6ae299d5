from pathlib import Path

import pytest
from textures import save_textures

from robustiqa_core.training.datasets import LabelledPhoto


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelledPhoto, ...]:
    """Sixteen photos whose quality is their contrast."""
    paths = save_textures(tmp_path_factory.mktemp("photos"), 16)
    return tuple(
        LabelledPhoto(path, index / 15, "train" if index % 4 else "validation") for index, path in enumerate(paths)
    )


@pytest.fixture(scope="session")
def textures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Forty-eight photos of full contrast, all different."""
    return tuple(save_textures(tmp_path_factory.mktemp("textures"), 48, full_contrast=True))
