"""The kinds of image files: those that are read, told by their content, and names for all others."""

import codecs
from typing import Literal, NamedTuple

from robustiqa_core.errors import InputError

ImageFormat = Literal["JPEG", "PNG", "WebP", "BMP", "TIFF", "GIF", "JPEG 2000", "PNM", "AVIF", "HEIC"]
FORMATS: tuple[ImageFormat, ...] = ("JPEG", "PNG", "WebP", "AVIF", "HEIC", "TIFF", "BMP", "GIF", "JPEG 2000", "PNM")
PHOTO_KINDS = ", ".join(FORMATS)
"""The formats that are read, in words, for help texts."""

_ENDINGS_OF: dict[ImageFormat, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "WebP": (".webp",),
    "AVIF": (".avif",),
    "HEIC": (".heic", ".heif", ".hif"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG 2000": (".jp2", ".jpx", ".jpf", ".j2k", ".j2c", ".jpc"),
    "PNM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
ENDINGS: dict[str, ImageFormat] = {ending: kind for kind, endings in _ENDINGS_OF.items() for ending in endings}
"""File names that count as photos in a folder, in lower case; elsewhere the content decides."""

_RAW = "a raw camera file"
OTHER_ENDINGS: dict[str, str] = {
    ".jxl": "a JPEG XL image",
    **dict.fromkeys((".jxr", ".wdp", ".hdp"), "a JPEG XR image"),
    **dict.fromkeys((".psd", ".psb"), "a Photoshop file"),
    ".xcf": "a GIMP file",
    **dict.fromkeys((".svg", ".svgz"), "an SVG drawing"),
    ".exr": "an OpenEXR image",
    ".hdr": "a Radiance HDR image",
    ".pfm": "a floating-point image (PFM)",
    ".pam": "a PAM image",
    ".ico": "an icon (ICO)",
    ".tga": "a Targa image",
    ".dds": "a DirectDraw surface",
    ".qoi": "a QOI image",
    ".avifs": "an AVIF animation",
    **dict.fromkeys((".heics", ".heifs"), "a HEIC animation"),
    **dict.fromkeys((".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".sr2", ".raf", ".orf"), _RAW),
    **dict.fromkeys((".rw2", ".raw", ".pef", ".srw", ".3fr", ".fff", ".iiq", ".rwl", ".x3f", ".mrw", ".kdc"), _RAW),
}
"""File names of images that are not read, in lower case, and what these are."""

_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_2000_STARTS = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_OTHER_PICTURES = (
    (b"8BPS", "a Photoshop file"),
    (b"gimp xcf", "a GIMP file"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"II\xbc\x01", "a JPEG XR image"),
    (b"\0\0\1\0", "an icon (ICO)"),
    (b"v/1\1", "an OpenEXR image"),
    (b"#?RADIANCE", "a Radiance HDR image"),
    (b"#?RGBE", "a Radiance HDR image"),
    (b"PF", "a floating-point image (PFM)"),
    (b"Pf", "a floating-point image (PFM)"),
    (b"P7", "a PAM image"),
    (b"DDS ", "a DirectDraw surface"),
    (b"qoif", "a QOI image"),
    (b"FUJIFILMCCD-RAW", _RAW),
    (b"IIRO", _RAW),
    (b"IIRS", _RAW),
    (b"MMOR", _RAW),
    (b"IIU\0", _RAW),
    (b"FOVb", _RAW),
)
_OTHER_FILES = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript file"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"{\\rtf", "a text document (RTF)"),
    (b"\0\5\x16\7", "the macOS attributes of another file (AppleDouble)"),
    (b"version https://git-lfs", "a Git LFS pointer in place of the file"),
)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
_STILL_BRANDS = {b"mif1", b"msf1", b"mif2", b"mif3"}


class OtherKind(NamedTuple):
    """What a file that is not read seems to be: in words, and whether it is a picture."""

    words: str
    picture: bool


def identify(data: bytes) -> ImageFormat:
    """Return the format of an image file, told by its first bytes.

    Raises:
        InputError: the data are none of `FORMATS`; the message names what they seem to be.
    """
    kind = format_of(data)
    if kind is None:
        raise InputError(f"expected a photo ({PHOTO_KINDS}), got {other_kind(data).words}; save it as JPEG or PNG")
    return kind


def format_of(data: bytes) -> ImageFormat | None:
    """Return the format of an image file, None if it is none of `FORMATS`."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(_PNG_START):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith(TIFF_STARTS):
        return "TIFF"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(_JPEG_2000_STARTS):
        return "JPEG 2000"
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3] in b" \t\r\n\v\f#" and len(data) > 2:
        return "PNM"
    brands = _brands(data)
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIC" if brands & _HEIC_BRANDS else None


def _brands(data: bytes) -> set[bytes]:
    """Return the brands that an ISO base media file says it follows, the major one included."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), len(data))
    return {data[8:12], *(data[place : place + 4] for place in range(16, min(end, 256), 4))}


def other_kind(data: bytes) -> OtherKind:
    """Return what data that are none of `FORMATS` seem to be."""
    if not data:
        return OtherKind("an empty file", picture=False)
    for starts, picture in ((_OTHER_PICTURES, True), (_OTHER_FILES, False)):
        for start, words in starts:
            if data.startswith(start):
                return OtherKind(words, picture)
    if data[4:8] == b"ftyp":
        brands = _brands(data)
        if b"crx " in brands:
            return OtherKind(_RAW, picture=True)
        still = bool(brands & _STILL_BRANDS)
        return OtherKind("a HEIF image with a codec that is not read" if still else "a video", still)
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(data[:4096]).lower()
    except UnicodeDecodeError:
        return OtherKind("data of an unknown kind", picture=False)
    if "<svg" in text:
        return OtherKind("an SVG drawing", picture=True)
    if text.lstrip().startswith(("<!doctype html", "<html")):
        return OtherKind("a web page", picture=False)
    readable = all(c.isprintable() or c in "\t\r\n\f" for c in text)
    return OtherKind("a text file" if readable else "data of an unknown kind", picture=False)
