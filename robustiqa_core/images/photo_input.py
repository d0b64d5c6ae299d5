"""What people call a photo, as the tensor that models and attacks take."""

import io
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from robustiqa_core.checks import check_images
from robustiqa_core.errors import InputError
from robustiqa_core.images.photo import Photo, decode_image, read_image
from robustiqa_core.images.photo_file import PhotoFile

PhotoLike: TypeAlias = Tensor | Photo | PhotoFile | Image.Image | npt.NDArray[np.generic] | Path | str
"""A batch of images, a photo, decoded or not, a PIL image, an array of pixels, or the path of a file."""

_EXPECTED = (
    "a photo: a path, a PIL image, a Photo, an array (H, W, 3), or a float tensor (N, 3, H, W) with values in [0, 1]"
)


def as_images(photo: PhotoLike) -> Tensor:
    """Return a photo, or a batch of them, as images (N, 3, H, W), float, RGB in [0, 1].

    Files and PIL images are decoded as `images.decode_image` does: upright, transparent parts on white, in sRGB.

    Args:
        photo: a tensor (N, 3, H, W), float in [0, 1]; a `Photo`; a PIL image; an array (H, W, 3), uint8, or float in
            [0, 1]; or a path.

    Raises:
        InputError: something else, or values that are not in the range of their kind.

    Example:
        >>> as_images(np.full((64, 80, 3), 255, dtype=np.uint8)).shape
        torch.Size([1, 3, 64, 80])
    """
    match photo:
        case Tensor():
            return check_images(photo)
        case Photo():
            return photo.images
        case str() | Path() | PhotoFile():
            return read_image(photo).images
        case Image.Image():
            return _decoded(photo)
        case np.ndarray():
            return _from_array(photo)
        case _:
            raise InputError(f"expected {_EXPECTED}; got {type(photo).__name__}; give one of these")


def _decoded(picture: Image.Image) -> Tensor:
    """Return a PIL image as a file of the same content would be decoded."""
    buffer = io.BytesIO()
    try:
        picture.save(buffer, "PNG", exif=picture.getexif(), compress_level=1)
    except OSError as error:
        raise InputError(
            f"expected a PIL image that a PNG can hold, such as RGB, got mode {picture.mode} ({error}); "
            'call its convert("RGB") first'
        ) from error
    return decode_image(buffer.getvalue(), name="PIL image").images


def _from_array(pixels: npt.NDArray[np.generic]) -> Tensor:
    """Return an array (H, W, 3) of pixels as a batch of one."""
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise InputError(
            f"expected an array (H, W, 3) of RGB pixels, got shape {pixels.shape}; move the channels to the end, "
            "or repeat a grey channel three times"
        )
    if pixels.dtype != np.uint8 and not np.issubdtype(pixels.dtype, np.floating):
        raise InputError(f"expected uint8 pixels, or floats in [0, 1], got {pixels.dtype}; divide by the largest value")
    # A copy: what comes in may be read-only, or have negative strides.
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))[None].astype(np.float32))
    return check_images(images / 255 if pixels.dtype == np.uint8 else images)
