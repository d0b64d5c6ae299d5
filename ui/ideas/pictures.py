"""Small grey pictures for the page of ideas: from a photo to an array, and from an array to PNG. No Streamlit."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from robustiqa_core.images.photo import encode_png
from ui.attacks.growth import Array


def grey_picture(images: Tensor, side: int) -> Array:
    """Return the middle square of a photo in few pixels.

    Args:
        images: (1, 3, H, W), in [0, 1].
        side: of the picture in pixels.

    Returns:
        The picture (side, side), in [0, 1].
    """
    height, width = images.shape[-2:]
    square = min(height, width)
    top, left = (height - square) // 2, (width - square) // 2
    middle = images[..., top : top + square, left : left + square].mean(1, keepdim=True)
    return np.asarray(adaptive_avg_pool2d(middle, side)[0, 0].numpy(), dtype=np.float64)


def grey_png(picture: Array, shown_side: int) -> bytes:
    """Return a picture as PNG, each pixel enlarged to a square.

    Args:
        picture: (side, side), in [0, 1].
        shown_side: side of the PNG in pixels, a multiple of the picture's.
    """
    factor = shown_side // len(picture)
    enlarged = torch.from_numpy(np.kron(picture, np.ones((factor, factor)))).float()
    return encode_png(enlarged.expand(3, -1, -1))
