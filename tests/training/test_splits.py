from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustiqa_core.errors import InputError
from robustiqa_core.training.baseline import with_validation
from robustiqa_core.training.datasets import LabelledPhoto, select
from robustiqa_core.training.splits import difference_hash, hold_out, scenes


def test_scenes_are_kept_together_when_photos_are_held_out(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    photos = []
    for scene in range(10):
        pixels = generator.uniform(0, 255, (16, 17))
        for copy in range(3):
            noisy = np.clip(pixels + generator.normal(0, 1, pixels.shape), 0, 255).astype(np.uint8)
            path = tmp_path / f"{scene}-{copy}.png"
            Image.fromarray(noisy).resize((170, 160), Image.Resampling.NEAREST).save(path)
            photos.append(LabelledPhoto(path, 0.5, "train"))
    labels = scenes(np.stack([difference_hash(photo.path) for photo in photos]))
    assert labels.reshape(10, 3).std(axis=1).max() == 0
    assert len(set(labels)) == 10
    held = hold_out(photos, share=0.2, seed=1)
    validation = select(held, "validation")
    assert len(validation) == 6
    assert len({photo.path.name.split("-")[0] for photo in validation}) == 2
    assert hold_out(photos, share=0.2, seed=1) == held


def test_a_data_set_with_a_validation_split_keeps_it(photos: tuple[LabelledPhoto, ...]) -> None:
    assert with_validation(photos, seed=0) == photos


def test_a_file_that_is_no_photo_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("not a photo")
    with pytest.raises(InputError, match=r"notes\.png.*remove it"):
        difference_hash(tmp_path / "notes.png")
