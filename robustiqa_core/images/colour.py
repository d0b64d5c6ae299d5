"""What a file without an ICC profile says about its colours, and their way to sRGB."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from robustiqa_core.errors import InputError

Floats = npt.NDArray[np.float64]
Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue, CIE 1931."""

_D65, _ILLUMINANT_C = (0.3127, 0.3290), (0.310, 0.316)
SRGB: Chromaticities = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_ADOBE_RGB: Chromaticities = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_ADOBE_GAMMA = 563 / 256
UNSPECIFIED = 2
# ITU-T H.273, table 2.
_PRIMARIES: dict[int, tuple[str, Chromaticities]] = {
    1: ("BT.709", SRGB),
    4: ("BT.470 M", (*_ILLUMINANT_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08)),
    5: ("BT.601 625", (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06)),
    6: ("BT.601 525", (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)),
    7: ("SMPTE 240M", (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)),
    8: ("generic film", (*_ILLUMINANT_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049)),
    9: ("BT.2020", (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)),
    11: ("DCI P3", (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)),
    12: ("Display P3", (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)),
    22: ("EBU 3213", (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077)),
}
_HDR = {16: "PQ", 18: "HLG"}
_HDR_WORDS = {"PQ": "PQ", "ST2084": "PQ", "2084": "PQ", "HLG": "HLG"}
_SAME_PLACE = 2e-3
"""Difference of two chromaticities that is rounding."""
_BROADCAST = (1, 6, 14, 15)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_SAME_COLOUR = 2
"""Levels of 255 by which a conversion may move a colour and still be left out; as for ICC profiles."""
_ROWS = 64
"""Rows that are converted at once, which bounds the memory."""


class Cicp(NamedTuple):
    """Coding-independent code points (ITU-T H.273)."""

    primaries: int
    transfer: int
    full_range: bool = True


@dataclass(frozen=True, slots=True)
class ColourMarks:
    """What a file says about its colours besides an ICC profile, which overrules it.

    Args:
        cicp: code points of a PNG's cICP chunk, or of the `nclx` box of AVIF and HEIC; overrules what follows.
        video: whether the code points are those of a video codec, whose broadcast curves stand for sRGB's in photos.
        srgb: whether it says sRGB; overrules what follows.
        gamma: exponent by which linear light was encoded (PNG gAMA), such as 1/2.2.
        chromaticities: of white and the primaries (PNG cHRM); counts beside a gamma only, as in browsers.
        exif: what EXIF data say.
        unused: what else it says, in words, that is not applied; counts where nothing before it does.
    """

    cicp: Cicp | None = None
    video: bool = False
    srgb: bool = False
    gamma: float | None = None
    chromaticities: Chromaticities | None = None
    exif: Literal["sRGB", "Adobe RGB", "uncalibrated"] | None = None
    unused: str = ""


class _Space(NamedTuple):
    """An RGB colour space: its name, where it is said, decoded light of levels (0..1), and its primaries."""

    name: str
    said_by: str
    linear: Callable[[Floats], Floats]
    chromaticities: Chromaticities


def marks_to_srgb(picture: Image.Image, marks: ColourMarks) -> tuple[Image.Image, list[str]]:
    """Return a picture of mode L or RGB in sRGB, mode RGB, and a note if its colours were changed or are unknown.

    Raises:
        InputError: the file says that it is HDR.
    """
    picture = picture.convert("RGB")
    space = _space(marks)
    if isinstance(space, str):
        return picture, [space] if space else []
    levels = np.linspace(0.0, 1.0, 256)
    linear = space.linear(levels)
    matrix = _to_linear_srgb(space.chromaticities)
    if np.allclose(matrix, np.eye(3), atol=1e-3):
        curve = (255 * _encoded(linear)).round().astype(np.uint8)
        if np.abs(curve.astype(int) - np.arange(256)).max() <= _SAME_COLOUR:
            return picture, []
        converted = picture.point(list(curve) * 3)
    else:
        converted = _converted(picture, linear, matrix)
    return converted, [f"Colours were converted from {space.name} ({space.said_by}) to sRGB."]


def check_not_hdr(marks: ColourMarks) -> None:
    """Raise if the code points say PQ or HLG: standard models have never seen such pictures.

    Raises:
        InputError: the file says that it is HDR.
    """
    if marks.cicp is not None and marks.cicp.transfer in _HDR:
        raise _hdr_error(_HDR[marks.cicp.transfer])


def check_profile_not_hdr(profile: bytes) -> None:
    """Raise if the `cicp` tag of an ICC profile says PQ or HLG.

    Raises:
        InputError: the profile is one of HDR pictures.
    """
    count = int.from_bytes(profile[128:132], "big")
    for place in range(132, min(132 + 12 * count, len(profile) - 11), 12):
        if profile[place : place + 4] == b"cicp":
            start = int.from_bytes(profile[place + 4 : place + 8], "big")
            tag = profile[start : start + 12]
            if tag[:4] == b"cicp" and len(tag) == 12 and tag[9] in _HDR:
                raise _hdr_error(_HDR[tag[9]])


def check_name_not_hdr(name: str) -> None:
    """Raise if the name of an ICC profile says PQ or HLG, as those of profiles from before its `cicp` tag do.

    Raises:
        InputError: the profile is one of HDR pictures.

    Example:
        >>> check_name_not_hdr("Display P3")
    """
    words = set(re.split(r"[^A-Za-z0-9]+", name.upper()))
    found = next((word for word in _HDR_WORDS if word in words), None)
    if found is not None:
        raise _hdr_error(_HDR_WORDS[found])


def _hdr_error(transfer: str) -> InputError:
    return InputError(
        f"expected a photo of standard dynamic range, got an HDR photo ({transfer}); export it as SDR (sRGB)"
    )


def is_like_srgb(chromaticities: Chromaticities) -> bool:
    """Return whether a white and primaries are those of sRGB, up to how programs round them."""
    return bool(np.abs(np.subtract(chromaticities, SRGB)).max() <= _SAME_PLACE)


def _space(marks: ColourMarks) -> _Space | str:
    """Return the colour space that counts; instead a note, empty for sRGB, where nothing is converted."""
    check_not_hdr(marks)
    cicp = marks.cicp
    # Browsers pass over code points of which one is unspecified.
    if cicp is not None and UNSPECIFIED not in (cicp.primaries, cicp.transfer):
        return _cicp_space(cicp, video=marks.video)
    if marks.srgb:
        return ""
    if marks.gamma is not None:
        # The usual rounding of 1/2.2 without primaries stands for sRGB: it was written before sRGB had a chunk.
        if marks.chromaticities is None and abs(marks.gamma - 0.45455) < 1e-4:
            return ""
        exponent = 1 / marks.gamma
        name = f"a gamma of {exponent:.3g}"
        said_by = "gAMA and cHRM" if marks.chromaticities else "gAMA"
        return _Space(name, said_by, lambda levels: levels**exponent, marks.chromaticities or SRGB)
    if marks.exif == "Adobe RGB":
        return _Space("Adobe RGB", "EXIF", lambda levels: levels**_ADOBE_GAMMA, _ADOBE_RGB)
    if marks.unused and marks.exif != "sRGB":
        return f"The file names {marks.unused}; its colours were taken for sRGB."
    if marks.exif == "uncalibrated":
        return "EXIF names no colour space that is known; the colours were taken for sRGB."
    return ""


def _cicp_space(cicp: Cicp, *, video: bool) -> _Space | str:
    transfer = 13 if video and cicp.transfer in _BROADCAST else cicp.transfer
    if cicp.primaries not in _PRIMARIES or transfer not in _CURVES:
        return (
            f"Colours are marked with code points that are not known ({cicp.primaries}, {cicp.transfer}); "
            "they were taken for sRGB."
        )
    name, chromaticities = _PRIMARIES[cicp.primaries]
    curve = _CURVES[transfer]
    if cicp.full_range or video:
        return _Space(name, "nclx" if video else "cICP", curve, chromaticities)
    return _Space(f"{name}, narrow range", "cICP", lambda x: curve(((x * 255 - 16) / 219).clip(0, 1)), chromaticities)


def srgb_linear(levels: Floats) -> Floats:
    """Return the light (0..1) of levels of sRGB (0..1)."""
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def _smpte_240m_linear(levels: Floats) -> Floats:
    return np.where(levels < 0.0913, levels / 4.0, ((levels + 0.1115) / 1.1115) ** (1 / 0.45))


# ITU-T H.273, table 3: codes of the curves of standard dynamic range that photos come with.
_CURVES: dict[int, Callable[[Floats], Floats]] = {
    # As screens show them (ITU-R BT.1886), and browsers; the cameras' own curve is its inverse only nearly.
    **dict.fromkeys(_BROADCAST, lambda levels: levels**2.4),
    4: lambda levels: levels**2.2,
    5: lambda levels: levels**2.8,
    7: _smpte_240m_linear,
    8: lambda levels: levels,
    13: srgb_linear,
}


def _encoded(linear: Floats) -> Floats:
    """Return the levels of sRGB (0..1) of linear light; what lies outside is clipped."""
    linear = linear.clip(0.0, 1.0)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _to_xyz(chromaticities: Chromaticities) -> tuple[Floats, Floats]:
    """Return the matrix (3, 3) from linear RGB to XYZ, and the XYZ (3,) of white."""
    xy = np.array(chromaticities).reshape(4, 2)
    xyz = np.stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(axis=1)) / xy[:, 1]])
    white, primaries = xyz[:, 0], xyz[:, 1:]
    return primaries * np.linalg.solve(primaries, white), white


def _to_linear_srgb(chromaticities: Chromaticities) -> Floats:
    """Return the matrix (3, 3) from linear RGB of these primaries to linear sRGB, white to white (Bradford)."""
    source, white = _to_xyz(chromaticities)
    target, d65 = _to_xyz(SRGB)
    adapt = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ d65) / (_BRADFORD @ white)) @ _BRADFORD
    result: Floats = np.linalg.inv(target) @ adapt @ source
    return result


def _converted(picture: Image.Image, linear: Floats, matrix: Floats) -> Image.Image:
    """Return an RGB picture after a curve and a matrix."""
    levels = np.array(picture)
    # Fine enough that no level of the result is off by more than one.
    steps = 4095
    codes = (255 * _encoded(np.linspace(0, 1, steps + 1) ** 2)).round().astype(np.uint8)
    light, factors = linear.astype(np.float32), matrix.T.astype(np.float32)
    for row in range(0, len(levels), _ROWS):
        part = (light[levels[row : row + _ROWS]] @ factors).clip(0, 1)
        levels[row : row + _ROWS] = codes[(np.sqrt(part) * steps + 0.5).astype(np.uint16)]
    return Image.fromarray(levels)


def is_usable(chromaticities: Chromaticities) -> bool:
    """Return whether primaries span a colour space: damaged chunks may hold anything."""
    xy = np.array(chromaticities).reshape(4, 2)
    if (xy[:, 1] < 1e-3).any() or (xy > 2).any():
        return False
    xyz = np.stack([xy[1:, 0], xy[1:, 1], 1 - xy[1:].sum(axis=1)])
    if abs(np.linalg.det(xyz)) < 1e-4:
        return False
    matrix = _to_linear_srgb(chromaticities)
    return bool(np.isfinite(matrix).all() and np.abs(matrix).max() < 20)
