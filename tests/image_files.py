"""Photos as files of every format, made in memory, and the levels that a decoded photo has."""

import io

import numpy as np
from PIL import Image

from robustiqa_core.images.photo import Photo, to_8bit

LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}}


def random_levels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=file_format, **options)
    return buffer.getvalue()


def levels_of(photo: Photo) -> np.ndarray:
    """The photo as uint8 (H, W, 3)."""
    return to_8bit(photo.images[0]).permute(1, 2, 0).numpy()


def grey_as_rgb(levels: np.ndarray) -> np.ndarray:
    return np.repeat(levels[..., None], 3, axis=-1)
