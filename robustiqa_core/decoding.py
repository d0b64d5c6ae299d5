"""From a reduced image file to one upright 8-bit sRGB picture; everything that Pillow may raise is caught here."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from robustiqa_core.container import Container, ImageFormat
from robustiqa_core.errors import InputError
from robustiqa_core.tiff import damaged

MAX_PIXELS = 80_000_000
"""Pixels that a file may announce. Below the 89 million at which Pillow warns, because Pillow's limit is a global."""

# The plugins are called directly: `Image.open` would warn about large images and try formats that nobody asked for.
_PLUGINS: dict[ImageFormat, type[ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
}
# What Pillow raises on damaged files: seen in half a million mutated ones, and EOFError, which its WebP plugin names.
_PILLOW_ERRORS = (OSError, SyntaxError, ValueError, OverflowError, EOFError)
_MAX_RLE_PIXELS = 4_000_000
"""Pixels of a run-length compressed BMP: Pillow unpacks these in Python, and 80 million took 13 s."""
_RLE = (BmpImageFile.COMPRESSIONS["RLE8"], BmpImageFile.COMPRESSIONS["RLE4"])
_16_BIT_MODES = ("I;16", "I;16B")
_8_BIT_MODES = {
    **dict.fromkeys(("1", "L"), "L"),
    **dict.fromkeys(("La", "LA"), "LA"),
    **dict.fromkeys(("P", "RGB", "RGBX", "YCbCr", "LAB"), "RGB"),
    **dict.fromkeys(("PA", "RGBa", "RGBA"), "RGBA"),
    "CMYK": "CMYK",
}
_WITH_ALPHA = {"L": "LA", "RGB": "RGBA"}
_PROFILE_MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}
_SAME_COLOUR = 2
"""Levels of 255 by which a profile may move a colour and still be taken for sRGB; makers' variants differ by 1."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Decoded(NamedTuple):
    """A picture in mode RGB, its (width, height) before any reduction, and what was changed, in sentences."""

    picture: Image.Image
    original_size: tuple[int, int]
    notes: tuple[str, ...]


def decode(container: Container, max_side: int) -> Decoded:
    """Return the picture of a reduced file, upright, in 8-bit sRGB, on white, no side longer than `max_side`.

    Raises:
        InputError: damaged, truncated, of an unknown kind, more than MAX_PIXELS, or too large for the memory.
    """
    if container.size is not None:
        _check_pixels(container.size)
    try:
        return _decode(container, max_side)
    except InputError:
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        # The second only where another part of the program has lowered Pillow's own limit.
        raise InputError("expected a photo that fits into memory, got a larger one; reduce it first") from error
    except _PILLOW_ERRORS as error:
        raise damaged(f"{container.format}: {_plain(str(error))}") from error


def fitting_size(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """Return `size` reduced in proportion so that the longer side is at most `max_side`.

    Example:
        >>> fitting_size((8000, 6000), 2048)
        (2048, 1536)
    """
    longer = max(size)
    if longer <= max_side:
        return size
    return max(1, round(size[0] * max_side / longer)), max(1, round(size[1] * max_side / longer))


def _decode(container: Container, max_side: int) -> Decoded:
    """Do the work of `decode`; whatever Pillow raises passes through."""
    notes = ["Only the first of several pictures in the file is used."] if container.more_pictures else []
    file = _PLUGINS[container.format](io.BytesIO(container.data))
    _check_pixels(file.size)
    if isinstance(file, BmpImageFile) and file.info.get("compression") in _RLE:
        _check_pixels(file.size, _MAX_RLE_PIXELS)
    size, target = file.size, fitting_size(file.size, max_side)
    if isinstance(file, JpegImageFile) and target != size:
        # The decoder halves the size as often as it can, so that the full picture is never in memory.
        file.draft(None, target)
    file.load()
    picture = _to_8_bits(file, container)
    if container.depth > 8:
        notes.append(f"{container.depth}-bit values were reduced to 8 bits.")
    if picture.size != target:
        picture = picture.resize(target, Image.Resampling.LANCZOS)
    alpha = picture.getchannel("A") if picture.mode in _WITH_ALPHA.values() else None
    if alpha is not None:
        picture = picture.convert("L" if picture.mode == "LA" else "RGB")
    picture, colour_notes = _to_srgb(picture, file.info.get("icc_profile"))
    notes += colour_notes
    if alpha is not None and np.asarray(alpha).min() < 255:
        picture = Image.composite(picture, Image.new("RGB", picture.size, "white"), alpha)
        notes.append("Transparent parts were put on white.")
    if container.orientation != 1:
        picture = picture.transpose(_UPRIGHT[container.orientation])
        notes.append("Turned upright, as its EXIF data ask.")
    width, height = size[::-1] if container.orientation >= 5 else size
    if target != size:
        notes.append(f"Reduced from {width} x {height} to {picture.width} x {picture.height} px.")
    return Decoded(picture, (width, height), tuple(notes))


def _check_pixels(size: tuple[int, int], limit: int = MAX_PIXELS) -> None:
    """Raise if a header announces a picture that is too large to decode."""
    if size[0] * size[1] > limit:
        raise InputError(
            f"expected at most {limit // 1_000_000} million pixels, got {size[0]} x {size[1]}; reduce it first"
        )


def _to_8_bits(file: ImageFile, container: Container) -> Image.Image:
    """Return the loaded file in mode L, LA, RGB, RGBA or CMYK."""
    if file.mode in _16_BIT_MODES:
        return _upper_bits(file, container)
    if file.mode not in _8_BIT_MODES:
        raise InputError(f"expected 8 or 16 bits per channel, got {file.mode} values; save the photo with 8 bits")
    mode = _8_BIT_MODES[file.mode]
    key = file.info.get("transparency")
    if key is not None and mode in _WITH_ALPHA:
        mode = _WITH_ALPHA[mode]
        # Pillow scales samples of 2, 4 and 16 bits to 8, but not the colour that PNG declares transparent.
        if isinstance(key, tuple) and container.depth == 16:
            file.info["transparency"] = tuple(value >> 8 for value in key)
        elif file.mode == "L" and container.depth < 8:
            file.info["transparency"] = key * 255 // (2**container.depth - 1)
    return file.convert(mode) if mode != file.mode else file


def _upper_bits(file: ImageFile, container: Container) -> Image.Image:
    """Return a grey picture of 9 to 16 bits in 8: the upper ones, as Pillow does it for 16-bit colour.

    For v = 257 k and for v = 256 k, the usual ways to widen an 8-bit k, this gives k back; dividing by 257 does not.
    """
    values = np.asarray(file)
    levels = np.minimum(values >> (container.depth - 8), 255).astype(np.uint8)
    picture = Image.fromarray(255 - levels if container.inverted else levels)
    key = file.info.get("transparency")
    if key is not None:
        picture.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return picture


def _to_srgb(picture: Image.Image, profile: bytes | None) -> tuple[Image.Image, list[str]]:
    """Return a picture of mode L, RGB or CMYK in sRGB, and a note if an embedded profile had a say in it."""
    if not profile:
        notes = ["CMYK colours were converted without a profile."] if picture.mode == "CMYK" else []
        return picture.convert("RGB"), notes
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _PROFILE_MODES.get(source.profile.xcolor_space.strip())
        if mode == "RGB" and picture.mode == "L":
            picture = picture.convert("RGB")
        if mode != picture.mode:
            raise ImageCms.PyCMSError("a profile for other channels")
        # For grey, the table by which the conversion is usually sped up is wrong by up to 10 levels in the dark.
        flags = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", flags=flags)
        name = source.profile.profile_description or "unnamed"
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        return picture.convert("RGB"), [f"The colour profile could not be used ({_plain(str(error))})."]
    if mode != "CMYK" and _keeps_colours(transform, mode):
        return picture.convert("RGB"), []
    converted = transform.apply(picture)
    return converted, [f"Colours were converted from the embedded profile ({_plain(name)}) to sRGB."]


def _keeps_colours(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Return whether a transform to sRGB leaves all of a set of colours where they are: its source is sRGB too."""
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    probe = Image.fromarray(colours if mode == "RGB" else np.arange(256, dtype=np.uint8)[None])
    moved = np.asarray(transform.apply(probe)).astype(int) - np.asarray(probe.convert("RGB"))
    return bool(np.abs(moved).max() <= _SAME_COLOUR)


def _plain(text: str) -> str:
    """Return text from a file so that it fits into a sentence: printable, short, without a full stop."""
    return "".join(c if c.isprintable() else " " for c in text).strip(" .")[:80]
