"""Photos in and out: safe decoding of untrusted files, lossless PNG, the grid of 8-bit values."""

import hashlib
import io
import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robustiqa_core.checks import check_count, check_images, check_positive
from robustiqa_core.errors import InputError
from robustiqa_core.images.container import reduce_to_first_picture
from robustiqa_core.images.decoding import decode, fitting_size
from robustiqa_core.images.photo_file import MAX_BYTES, PhotoSource, as_photo_file

MAX_SIDE = 2048
"""Longer side in pixels above which a photo is reduced."""


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A decoded photo.

    Args:
        images: (1, 3, H, W), float32, RGB in [0, 1], on the grid of 8-bit values k/255.
        name: what the photo is called, such as its file name.
        format: format of the file it came from, such as `JPEG`.
        original_size: (width, height) in pixels, upright, before any reduction.
        notes: sentences that tell how the photo differs from the file; empty if it does not.
        sha256: digest of the pixels as a binary PPM file, so that equal pictures have equal digests.

    Raises:
        InputError: the tensor is not one RGB photo.
    """

    images: Tensor
    name: str
    format: str
    original_size: tuple[int, int]
    notes: tuple[str, ...]
    sha256: str

    def __post_init__(self) -> None:
        check_images(self.images)
        if self.images.shape[0] != 1:
            raise InputError(f"a photo is one image (1, 3, H, W), got {self.images.shape[0]}; make one Photo of each")

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width = self.images.shape[-2:]
        return width, height


def decode_image(data: bytes, *, name: str = "image", max_side: int = MAX_SIDE, min_side: int = 1) -> Photo:
    """Decode an image file of unknown origin, of one of `kinds.FORMATS`; the content decides, not the name.

    EXIF rotation is applied, transparent parts are put on white, and colours are brought to sRGB: by the embedded
    profile, else by code points (cICP, nclx), else by what a PNG or EXIF data say. HDR photos (PQ, HLG) are refused.
    Values of more than 8 bits keep their upper 8 (the inverse of both usual ways to widen 8 bits), and photos with a
    side above `max_side` are reduced with Lanczos's filter. Of several frames or pages the first is taken.

    Args:
        data: the bytes of the file.
        name: what to call the photo.
        max_side: longest side in pixels that is kept.
        min_side: shortest side in pixels that the result must have; `checks.MIN_SIDE` for the models.

    Raises:
        InputError: no photo of these formats, damaged, truncated, HDR, above MAX_BYTES or `decoding.MAX_PIXELS`
            (a JPEG: `decoding.MAX_JPEG_PIXELS`), or too small.
    """
    check_count("max_side", max_side)
    if len(data) > MAX_BYTES:
        raise InputError(
            f"expected a file of at most {MAX_BYTES / 1e6:.0f} MB, got a larger one; make it smaller first"
        )
    container = reduce_to_first_picture(data)
    decoded = decode(container, max_side)
    _check_side(decoded.picture.size, decoded.original_size, min_side)
    pixels = np.array(decoded.picture)
    images = torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0).contiguous().float().div_(255.0)
    digest = hashlib.sha256(b"P6\n%d %d\n255\n" % decoded.picture.size + pixels.tobytes())
    return Photo(
        images=images,
        name=name,
        format=container.format,
        original_size=decoded.original_size,
        notes=decoded.notes,
        sha256=digest.hexdigest(),
    )


def _check_side(size: tuple[int, int], original: tuple[int, int], min_side: int) -> None:
    """Raise if a photo is too small; one that was only reduced too far needs no other photo."""
    if min(size) >= min_side:
        return
    got = f"expected an image of at least {min_side} x {min_side} px, got {size[0]} x {size[1]}"
    if min(original) < min_side:
        raise InputError(f"{got}; use a larger photo")
    needed = math.ceil((min_side + 0.5) * max(original) / min(original))
    raise InputError(
        f"{got}, reduced from {original[0]} x {original[1]}; raise the work size (--max-side) to {needed} px or more"
    )


def read_image(photo: PhotoSource, *, max_side: int = MAX_SIDE, min_side: int = 1) -> Photo:
    """Read and decode a photo, or the one at a path; its file name becomes its name. See `decode_image`.

    Raises:
        InputError: no such file, it cannot be read, or it cannot be decoded; the message names the file.
    """
    file = as_photo_file(photo)
    data = file.read()
    try:
        return decode_image(data, name=file.name, max_side=max_side, min_side=min_side)
    except InputError as error:
        raise InputError(f"{file.name}: {error}") from error


def encode_png(image: Tensor) -> bytes:
    """Return the image as a lossless 8-bit RGB PNG of its true size.

    Args:
        image: (3, H, W) or (1, 3, H, W), float, RGB in [0, 1]; rounded to the nearest 8-bit value.

    Raises:
        InputError: not one RGB image in [0, 1].

    Example:
        >>> image = round_to_8bit(torch.rand(3, 5, 4))
        >>> torch.equal(decode_image(encode_png(image)).images[0], image)
        True
    """
    return _png(_picture(image), compress_level=4)


def preview_png(image: Tensor, max_side: int = 512) -> bytes:
    """Return a PNG for a live view: quickly made, reduced to `max_side` where the image is larger.

    Args:
        image: (3, H, W) or (1, 3, H, W), float, RGB in [0, 1].
        max_side: longest side in pixels.

    Raises:
        InputError: not one RGB image in [0, 1].
    """
    check_count("max_side", max_side)
    picture = _picture(image)
    size = fitting_size(picture.size, max_side)
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    return _png(picture, compress_level=1)


def from_8bit(pixels: Tensor, device: torch.device) -> Tensor:
    """Return 8-bit pixels (N, 3, H, W) as float images in [0, 1], on a device, in the memory layout of networks."""
    return (pixels.to(device).float() / 255).to(memory_format=torch.channels_last)


def to_8bit(images: Tensor) -> Tensor:
    """Return images (any shape, float, [0, 1]) as uint8 levels 0..255, rounded to the nearest.

    Values outside [0, 1] go to the nearest end. No value is read, so that this works on every device.
    """
    return images.detach().float().clamp(0.0, 1.0).mul(255.0).round().to(torch.uint8)


def round_to_8bit(images: Tensor) -> Tensor:
    """Return images (any shape, float, [0, 1]) on the grid of 8-bit values k/255, in the same dtype: as a PNG has them.

    Example:
        >>> round_to_8bit(torch.tensor([0.001, 0.002, 1.0])) * 255
        tensor([  0.,   1., 255.])
    """
    return to_8bit(images).float().div(255.0).to(images.dtype)


def amplify(perturbation: Tensor, gain: float) -> Tensor:
    """Return a perturbation as an image in [0, 1]: 0.5 + gain * perturbation, clipped, so that no change is mid-grey.

    Args:
        perturbation: adversarial - clean, any shape, float, in [-1, 1].
        gain: factor, above 0.

    Raises:
        ConfigurationError: `gain` is not a finite number above 0.

    Example:
        >>> amplify(torch.tensor([-0.1, 0.0, 0.02]), 10.0)
        tensor([0.0000, 0.5000, 0.7000])
    """
    check_positive("gain", gain)
    return perturbation.detach().mul(gain).add(0.5).clamp(0.0, 1.0)


def _picture(image: Tensor) -> Image.Image:
    """Return one image tensor as an 8-bit RGB picture."""
    images = check_images(image.unsqueeze(0) if image.ndim == 3 else image)
    if images.shape[0] != 1:
        raise InputError(f"expected one image (3, H, W) or (1, 3, H, W), got {images.shape[0]}; encode them one by one")
    return Image.fromarray(to_8bit(images[0]).permute(1, 2, 0).cpu().numpy())


def _png(picture: Image.Image, *, compress_level: int) -> bytes:
    """Return the picture as PNG bytes; compression goes from 1 (fast) to 9 (small)."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=compress_level)
    return buffer.getvalue()
