"""From a reduced image file to one upright 8-bit sRGB picture; everything that Pillow may raise is caught here."""

import io
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from robustiqa_core.errors import InputError
from robustiqa_core.images.colour import (
    ColourMarks,
    check_name_not_hdr,
    check_not_hdr,
    check_profile_not_hdr,
    marks_to_srgb,
)
from robustiqa_core.images.container import Container
from robustiqa_core.images.kinds import ImageFormat
from robustiqa_core.images.pnm import read_picture
from robustiqa_core.images.tiff import damaged, read_exif
from robustiqa_core.images.tiff_planes import unsupported

MAX_PIXELS = 80_000_000
"""Pixels that a file may announce. Below the 89 million at which Pillow warns, because Pillow's limit is a global."""
MAX_JPEG_PIXELS = 400_000_000
"""Pixels that a JPEG file may announce: it is reduced while it is decoded."""
_MAX_PROGRESSIVE_PIXELS = 200_000_000
"""Of a progressive one, all of whose coefficients are in memory first: six bytes a pixel."""
_JPEG_SCALES = (1, 2, 4, 8)

# The plugins are called directly: `Image.open` would warn about large images and try formats that nobody asked for.
_PLUGINS: dict[ImageFormat, type[ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "GIF": GifImageFile,
    "JPEG 2000": Jpeg2KImageFile,
    "AVIF": AvifImageFile,
}
# What decoders raise on damaged files: the first four in half a million mutated ones; EOFError by the WebP plugin;
# RuntimeError by that of HEIC, AssertionError of JPEG 2000, IndexError and struct.error of GIF and JPEG 2000.
_PILLOW_ERRORS = (
    *(OSError, SyntaxError, ValueError, OverflowError, EOFError),
    *(RuntimeError, AssertionError, IndexError, struct.error),
)
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
_BYTE_MODES = ("L", "LA", "RGB", "RGBA", "CMYK")
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
    """Do the work of `decode`; whatever the decoders raise passes through."""
    loaded = _load(container, max_side)
    notes = list(loaded.notes)
    picture, size, target = loaded.picture, loaded.size, fitting_size(loaded.reduced, max_side)
    if picture.size != target:
        picture = picture.resize(target, Image.Resampling.LANCZOS)
    alpha = picture.getchannel("A") if picture.mode in _WITH_ALPHA.values() else None
    if alpha is not None:
        picture = picture.convert("L" if picture.mode == "LA" else "RGB")
    if loaded.profile:
        picture, colour_notes = _to_srgb(picture, loaded.profile, loaded.marks)
    elif picture.mode == "CMYK":
        picture, colour_notes = picture.convert("RGB"), ["CMYK colours were converted without a profile."]
    else:
        picture, colour_notes = marks_to_srgb(picture, loaded.marks)
    notes += colour_notes
    if alpha is not None and np.asarray(alpha).min() < 255:
        picture = Image.composite(picture, Image.new("RGB", picture.size, "white"), alpha)
        notes.append("Transparent parts were put on white.")
    if loaded.orientation != 1:
        picture = picture.transpose(_UPRIGHT[loaded.orientation])
        notes.append("Turned upright, as its EXIF data ask.")
    width, height = size[::-1] if loaded.orientation >= 5 else size
    if target != size:
        notes.append(f"Reduced from {width} x {height} to {picture.width} x {picture.height} px.")
    return Decoded(picture, (width, height), tuple(notes))


class _Loaded(NamedTuple):
    """A picture of mode L, LA, RGB, RGBA or CMYK, and what is known of it.

    Args:
        picture: reduced or not.
        size: (width, height) that the file announces.
        reduced: (width, height) to which it was reduced because it would not fit into the memory; else `size`.
        profile: ICC profile.
        marks: what the file says about its colours besides.
        orientation: EXIF orientation that is left to apply.
        notes: what was done to it.
    """

    picture: Image.Image
    size: tuple[int, int]
    reduced: tuple[int, int]
    profile: bytes | None
    marks: ColourMarks
    orientation: int
    notes: tuple[str, ...]


def _load(container: Container, max_side: int) -> _Loaded:
    """Decode the first picture of a file."""
    if container.format == "PNM":
        file: Image.Image = read_picture(container.data)
    elif container.planes:
        file = _merged(container)
    else:
        file = _opened(container)
    more = container.more_pictures or bool(getattr(file, "is_animated", False))
    profile, marks = container.profile or file.info.get("icc_profile"), container.marks
    if profile:
        check_profile_not_hdr(profile)
    else:
        check_not_hdr(marks)
    size = reduced = file.size
    if isinstance(file, JpegImageFile):
        reduced = _draft(file, max_side)
    file.load()
    orientation = container.orientation
    if container.format in ("AVIF", "HEIC"):
        exif = read_exif(_exif_of(file))
        # The plugin of AVIF reports here what the file's own rotation and mirroring ask for; that of HEIC applies it.
        orientation = exif.orientation if container.format == "AVIF" else 1
        marks = replace(marks, exif=exif.space, unused=exif.unused)
    notes = ["Only the first of several pictures in the file is used."] if more else []
    if container.gain_map:
        notes.append("The HDR version in the file is not used.")
    if container.depth > 8:
        notes.append(f"{container.depth}-bit values were reduced to 8 bits.")
    return _Loaded(_to_8_bits(file, container), size, reduced, profile, marks, orientation, tuple(notes))


def _opened(container: Container) -> ImageFile:
    """Return the file with its head read and its size checked."""
    try:
        file = _plugin(container.format)(io.BytesIO(container.data))
    except SyntaxError as error:
        # Said of sound files with a combination of samples that Pillow does not know.
        if container.format == "TIFF" and "unknown pixel mode" in str(error):
            raise unsupported("TIFF", f"channels of a kind that is unusual at {container.depth} bits") from error
        raise
    if not isinstance(file, JpegImageFile):
        _check_pixels(file.size)
    if isinstance(file, BmpImageFile) and file.info.get("compression") in _RLE:
        _check_pixels(file.size, _MAX_RLE_PIXELS)
    return file


def _plugin(kind: ImageFormat) -> type[ImageFile]:
    """Return the decoder of a format; that of HEIC is imported when it is needed, which takes a while."""
    if kind == "HEIC":
        from pi_heif import HeifImageFile

        plugin: type[ImageFile] = HeifImageFile
        return plugin
    return _PLUGINS[kind]


def _exif_of(file: Image.Image) -> bytes:
    exif = file.info.get("exif", b"")
    return exif.removeprefix(b"Exif\0\0") if isinstance(exif, bytes) else b""


def _draft(file: JpegImageFile, max_side: int) -> tuple[int, int]:
    """Let a JPEG be reduced while it is decoded; return the size at which it fits into the memory.

    The decoder halves the size as often as it can, so that the full picture is never in memory.
    """
    size = file.size
    _check_pixels(size, _MAX_PROGRESSIVE_PIXELS if file.info.get("progressive") else MAX_JPEG_PIXELS)
    scale = next(scale for scale in _JPEG_SCALES if size[0] * size[1] <= MAX_PIXELS * scale**2)
    reduced = size if scale == 1 else (-(-size[0] // scale), -(-size[1] // scale))
    target = fitting_size(reduced, max_side)
    if target != size:
        file.draft(None, (min(target[0], max(1, size[0] // scale)), min(target[1], max(1, size[1] // scale))))
    return reduced


def _merged(container: Container) -> Image.Image:
    """Return the picture of a TIFF whose channels lie one after the other."""
    channels = []
    for data in container.planes:
        file = TiffImageFile(io.BytesIO(data))
        _check_pixels(file.size)
        file.load()
        channels.append(_upper_bits(file, container) if file.mode in _16_BIT_MODES else file.convert("L"))
    if len({channel.size for channel in channels}) != 1 or container.mode is None:
        raise damaged("TIFF: channels of several sizes")
    return _mixed(channels, container.mode)


def _mixed(channels: Sequence[Image.Image], mode: str) -> Image.Image:
    """Return the picture of a mode that channels of mode L make up."""
    if mode == "L":
        return channels[0]
    if mode == "RGBX":
        return Image.merge("RGB", channels[:3])
    if mode == "La":
        grey, alpha = channels
        return _mixed([grey, grey, grey, alpha], "RGBa")
    merged = Image.merge("RGBA" if mode == "RGBa" else mode, list(channels))
    if mode != "RGBa":
        return merged
    # Pillow knows colours that alpha is multiplied into by their bytes only.
    return Image.frombytes("RGBa", merged.size, merged.tobytes()).convert("RGBA")


def _check_pixels(size: tuple[int, int], limit: int = MAX_PIXELS) -> None:
    """Raise if a header announces a picture that is too large to decode."""
    if size[0] * size[1] > limit:
        raise InputError(
            f"expected at most {limit // 1_000_000} million pixels, got {size[0]} x {size[1]}; reduce it first"
        )


def _to_8_bits(file: Image.Image, container: Container) -> Image.Image:
    """Return the loaded file in mode L, LA, RGB, RGBA or CMYK."""
    if file.mode in _16_BIT_MODES:
        return _upper_bits(file, container)
    if file.mode not in _8_BIT_MODES:
        raise unsupported(container.format, f"{file.mode} values")
    mode = _8_BIT_MODES[file.mode]
    if container.format == "JPEG 2000" and container.depth < 8 and file.mode in _BYTE_MODES:
        # Pillow shifts these up, so that white stays grey.
        white = 2**container.depth - 1
        file = file.point(
            [min(level >> 8 - container.depth, white) * 255 // white for level in range(256)] * len(file.getbands())
        )
    key = file.info.get("transparency")
    if key is not None and mode in _WITH_ALPHA:
        mode = _WITH_ALPHA[mode]
        # Pillow scales samples of 2, 4 and 16 bits to 8, but not the colour that PNG declares transparent.
        if isinstance(key, tuple) and container.depth == 16:
            file.info["transparency"] = tuple(value >> 8 for value in key)
        elif file.mode == "L" and container.depth < 8:
            file.info["transparency"] = key * 255 // (2**container.depth - 1)
    return file.convert(mode) if mode != file.mode else file


def _upper_bits(file: Image.Image, container: Container) -> Image.Image:
    """Return a grey picture of 9 to 16 bits in 8: the upper ones, as Pillow does it for 16-bit colour.

    For v = 257 k and for v = 256 k, the usual ways to widen an 8-bit k, this gives k back; dividing by 257 does not.
    """
    values = np.asarray(file)
    # Of JPEG 2000 Pillow scales all of more than 8 bits to 16.
    shift = 8 if container.format == "JPEG 2000" else container.depth - 8
    levels = np.minimum(values >> shift, 255).astype(np.uint8)
    picture = Image.fromarray(255 - levels if container.inverted else levels)
    key = file.info.get("transparency")
    if key is not None:
        picture.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return picture


def _to_srgb(picture: Image.Image, profile: bytes, marks: ColourMarks) -> tuple[Image.Image, list[str]]:
    """Return a picture of mode L, RGB or CMYK in sRGB by its profile, and a note if that changed its colours.

    A profile that cannot be used is as good as none, and what the file says besides counts.
    """
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
        converted, notes = marks_to_srgb(picture, marks)
        return converted, [f"The colour profile could not be used ({_plain(str(error))}).", *notes]
    check_name_not_hdr(name)
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
