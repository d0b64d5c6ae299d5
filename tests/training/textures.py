"""Small photos to train on."""

from pathlib import Path

import numpy as np
from PIL import Image


def save_textures(folder: Path, count: int, *, full_contrast: bool = False) -> list[Path]:
    """Save photos of 100 x 80 px, coarse random textures whose contrast rises from one to the next."""
    generator = np.random.default_rng(0)
    paths = [folder / f"{index}.png" for index in range(count)]
    for index, path in enumerate(paths):
        contrast = 1.0 if full_contrast else index / (count - 1)
        pixels = 127.5 + 127.5 * contrast * generator.uniform(-1, 1, (12, 15, 3))
        Image.fromarray(pixels.round().astype(np.uint8)).resize((100, 80), Image.Resampling.NEAREST).save(path)
    return paths
