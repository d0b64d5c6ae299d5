"""Files of every kind that is accepted, as a table: depth x layout x compression x colour, made by other people's code.

Each row is a file and the levels that it holds. Other people's decoders are asked what they see in it.
"""

import io
import itertools
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import imagecodecs
import numpy as np
import pillow_heif
import tifffile
from PIL import Image, ImageCms, TiffImagePlugin

HEIGHT, WIDTH = 37, 50


@dataclass(frozen=True)
class Row:
    """A file, its levels (H, W) or (H, W, 1 to 4) of 8 to 16 bits as they were stored, and the greatest error."""

    name: str
    data: bytes
    values: np.ndarray
    bits: int = 8
    alpha: str = ""
    error: int = 0

    def levels(self) -> np.ndarray:
        """What is to be seen, in 8 bits (H, W, 3), on white."""
        levels = (self.values >> (self.bits - 8) if self.bits > 8 else self.values).astype(np.float64)
        levels = levels[..., None] if levels.ndim == 2 else levels
        if not self.alpha:
            return np.broadcast_to(levels[..., :3], (*levels.shape[:2], 3))
        opacity = levels[..., -1:] / 255
        colours = levels[..., :-1] * (1 if self.alpha == "multiplied" else opacity)
        return np.broadcast_to(colours + 255 * (1 - opacity), (*levels.shape[:2], 3))


def noise(channels: int, bits: int) -> np.ndarray:
    kind = np.uint8 if bits <= 8 else np.uint16
    values = np.random.default_rng(channels).integers(0, 2**bits, (HEIGHT, WIDTH, channels), dtype=kind)
    return values[..., 0] if channels == 1 else values


def smooth(bits: int = 8) -> np.ndarray:
    """Slopes, which survive the halving of colour and the rounding of lossy codecs."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    slopes = np.stack([x / (WIDTH - 1), y / (HEIGHT - 1), (x + y) / (HEIGHT + WIDTH - 2)], axis=-1)
    return (slopes * (2**bits - 1)).round().astype(np.uint8 if bits == 8 else np.uint16)


def multiplied(bits: int) -> np.ndarray:
    """Colours that alpha is multiplied into: none is above its alpha."""
    values = noise(4, bits)
    values[..., :3] = np.minimum(values[..., :3], values[..., 3:])
    return values


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


TIFF_COMPRESSIONS = {
    "none": {},
    "lzw": {"compression": "lzw"},
    "lzw predicted": {"compression": "lzw", "predictor": True},
    "deflate predicted": {"compression": "deflate", "predictor": True},
    "packbits": {"compression": "packbits"},
    "zstd": {"compression": "zstd"},
    "lzma": {"compression": "lzma"},
}
TIFF_COLOURS: dict[str, tuple[int, dict[str, object], str]] = {
    "grey": (1, {"photometric": "minisblack"}, ""),
    "rgb": (3, {"photometric": "rgb"}, ""),
    "rgb and more": (4, {"photometric": "rgb", "extrasamples": ["unspecified"]}, ""),
    "rgba": (4, {"photometric": "rgb", "extrasamples": ["unassalpha"]}, "plain"),
    "multiplied": (4, {"photometric": "rgb", "extrasamples": ["assocalpha"]}, "multiplied"),
    "grey and alpha": (2, {"photometric": "minisblack", "extrasamples": ["unassalpha"]}, "plain"),
}


def tiff(values: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def tiff_rows() -> Iterator[Row]:
    layouts: dict[str, dict[str, object]] = {"strips": {"rowsperstrip": 10}, "tiles": {"tile": (16, 16)}}
    for (colour, (channels, options, alpha)), bits, planar, (layout, form), (
        method,
        packing,
    ), order in itertools.product(
        TIFF_COLOURS.items(), (8, 16), (False, True), layouts.items(), TIFF_COMPRESSIONS.items(), "<>"
    ):
        if (planar and channels == 1) or (order == ">" and method not in ("none", "lzw predicted")):
            continue
        if colour == "grey and alpha" and bits == 16 and not planar:
            continue  # refused; see `refused_files`
        values = multiplied(bits) if alpha == "multiplied" else noise(channels, bits)
        stored = np.ascontiguousarray(np.moveaxis(values, 2, 0)) if planar else values
        plane = {"planarconfig": "separate" if planar else "contig"} if channels > 1 else {}
        data = tiff(stored, byteorder=order, **options, **plane, **form, **packing)
        name = f"TIFF {bits} bits, {colour}, {'planar' if planar else 'mixed'}, {layout}, {method}, {order}"
        # Dividing alpha out of a colour and multiplying it in again rounds twice.
        yield Row(name, data, values, bits, alpha, {"": 0, "plain": 1, "multiplied": 2}[alpha])


def jpeg_2000_rows() -> Iterator[Row]:
    for (channels, alpha), bits, codec in itertools.product(
        ((1, ""), (2, "plain"), (3, ""), (4, "plain")), (8, 10, 12, 16), ("jp2", "j2k")
    ):
        if (codec == "j2k" and alpha) or (bits > 8 and channels > 1):
            continue
        values = noise(channels, bits)
        options = {"level": 0, "codecformat": codec, "bitspersample": bits, "reversible": True}
        yield Row(
            f"JPEG 2000 {bits} bits, {channels} channels, {codec}",
            imagecodecs.jpeg2k_encode(values, **options),
            values,
            bits,
            alpha,
            int(bool(alpha)) + int(8 < bits < 16),
        )
    for bits in (1, 2, 4, 6):
        values = noise(1, bits)
        data = imagecodecs.jpeg2k_encode(values, level=0, codecformat="jp2", bitspersample=bits, reversible=True)
        yield Row(f"JPEG 2000 {bits} bits", data, (values.astype(int) * 255 // (2**bits - 1)).astype(np.uint8))


def avif_rows() -> Iterator[Row]:
    for bits, chroma in itertools.product((8, 10, 12), ("444", "422", "420")):
        values = smooth(bits)
        data = imagecodecs.avif_encode(
            values, level=95, bitspersample=bits, pixelformat=chroma, primaries=1, transfer=13, matrix=6
        )
        yield Row(f"AVIF {bits} bits, {chroma}", data, values, bits, "", 9)
    yield Row("AVIF grey", imagecodecs.avif_encode(noise(1, 8), level=100, pixelformat="400"), noise(1, 8))
    values = noise(4, 8)
    yield Row(
        "AVIF rgba",
        imagecodecs.avif_encode(values, level=100, pixelformat="444", primaries=1, transfer=13, matrix=0),
        values,
        8,
        "plain",
        1,
    )


def heic(mode: str, values: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    height, width = values.shape[:2]
    pillow_heif.from_bytes(mode, (width, height), values.tobytes()).save(buffer, **options)
    return buffer.getvalue()


def heic_rows() -> Iterator[Row]:
    for chroma in (444, 422, 420):
        yield Row(f"HEIC 8 bits, {chroma}", heic("RGB", smooth(), quality=95, chroma=chroma), smooth(), 8, "", 9)
        data = heic("RGB;16", smooth(16), quality=95, chroma=chroma)
        yield Row(f"HEIC 10 bits, {chroma}", data, smooth(16), 16, "", 9)
    yield Row("HEIC grey", heic("L", noise(1, 8), quality=-1), noise(1, 8))


def pnm_rows() -> Iterator[Row]:
    for magic, channels, bits in ((5, 1, 8), (6, 3, 8), (5, 1, 16), (6, 3, 16), (5, 1, 10), (6, 3, 12)):
        values = noise(channels, bits)
        body = values.astype(">u2").tobytes() if bits > 8 else values.tobytes()
        head = b"P%d\n# a comment\n%d %d\n%d\n" % (magic, WIDTH, HEIGHT, 2**bits - 1)
        yield Row(f"PNM P{magic}, {bits} bits", head + body, values, bits)
        text = " ".join(map(str, values.ravel())).encode()
        head = b"P%d\n%d %d\n%d\n" % (magic - 3, WIDTH, HEIGHT, 2**bits - 1)
        yield Row(f"PNM P{magic - 3}, {bits} bits", head + text, values, bits)
    black = noise(1, 1)
    for magic, body in ((4, np.packbits(black, axis=1).tobytes()), (1, bytes(black.ravel() + 48))):
        yield Row(
            f"PNM P{magic}", b"P%d\n%d %d\n" % (magic, WIDTH, HEIGHT) + body, (255 * (1 - black)).astype(np.uint8)
        )


def other_rows() -> Iterator[Row]:
    colours = {"grey": (1, "L"), "grey and alpha": (2, "LA"), "rgb": (3, "RGB"), "rgba": (4, "RGBA")}
    for colour, (channels, mode) in colours.items():
        for bits in (8, 16):
            values, alpha = noise(channels, bits), "plain" if channels in (2, 4) else ""
            yield Row(
                f"PNG {bits} bits, {colour}", imagecodecs.png_encode(values), values, bits, alpha, int(bool(alpha))
            )
        picture = Image.fromarray(noise(channels, 8), mode)
        if channels >= 3:
            yield Row(
                f"WebP {colour}",
                saved(picture, "WEBP", lossless=True, exact=True),
                noise(channels, 8),
                8,
                "plain" if channels == 4 else "",
                int(channels == 4),
            )
        if channels in (1, 3):
            yield Row(f"BMP {colour}", saved(picture, "BMP"), noise(channels, 8))
            values = smooth() if channels == 3 else smooth()[..., 0]
            for name, options in (("", {}), (", progressive", {"progressive": True})):
                yield Row(
                    f"JPEG {colour}{name}",
                    saved(Image.fromarray(values), "JPEG", quality=97, **options),
                    values,
                    8,
                    "",
                    9,
                )
    few = Image.fromarray(smooth()).quantize(60)
    yield Row("GIF palette", saved(few, "GIF"), np.asarray(few.convert("RGB")))
    yield Row("PNG palette", saved(few, "PNG"), np.asarray(few.convert("RGB")))
    yield Row("GIF grey", saved(Image.fromarray(noise(1, 8)), "GIF"), noise(1, 8))


def all_rows() -> tuple[Row, ...]:
    makers: tuple[Callable[[], Iterator[Row]], ...] = (
        tiff_rows,
        jpeg_2000_rows,
        avif_rows,
        heic_rows,
        pnm_rows,
        other_rows,
    )
    return tuple(row for maker in makers for row in maker())


def cicp_profile(transfer: int, name: str = "made for tests") -> bytes:
    """The profile of sRGB under a name, with a `cicp` tag that says BT.2020 and a transfer."""
    known = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    count = int.from_bytes(known[128:132], "big")
    moved = b"".join(
        known[at : at + 4]
        + struct.pack(">I", int.from_bytes(known[at + 4 : at + 8], "big") + 12)
        + known[at + 8 : at + 12]
        for at in range(132, 132 + 12 * count, 12)
    )
    body = known[132 + 12 * count :]
    entry = b"cicp" + struct.pack(">II", len(known) + 12, 12)
    whole = known[:128] + struct.pack(">I", count + 1) + moved + entry + body
    whole += b"cicp\0\0\0\0" + bytes([9, transfer, 0, 1])
    text = "sRGB built-in".encode("utf-16-be")
    assert whole.count(text) == 1
    whole = whole.replace(text, name.ljust(13)[:13].encode("utf-16-be"))
    return struct.pack(">I", len(whole)) + whole[4:]


def named_profile(name: str) -> bytes:
    """A profile of a gamma of 1.8 under a name of at most 13 letters, without a `cicp` tag."""
    return cicp_profile(13, name)


def gif_with(profile: bytes) -> bytes:
    data = saved(Image.fromarray(smooth()).quantize(60), "GIF")
    start = data.index(b",", 13 + 3 * 64) if data[10] & 0x80 else 13
    parts = [profile[at : at + 255] for at in range(0, len(profile), 255)]
    blocks = b"".join(bytes([len(part)]) + part for part in parts)
    head = 13 + (3 << (data[10] & 7) + 1)
    assert start >= head
    return data[:head] + b"!\xff\x0bICCRGBG1012" + blocks + b"\0" + data[head:]


def bmp_with(kind: int, *, ends: tuple[float, ...] = (), profile: bytes = b"") -> bytes:
    """A BMP with a head of version 5 that says where its colours are from."""
    plain = saved(Image.fromarray(smooth()), "BMP")
    pixels, old = plain[54:], plain[14:54]
    calibration = struct.pack("<9i3I", *(round(end * 2**30) for end in ends or (0,) * 9), *(round(2.2 * 65536),) * 3)
    masks = struct.pack("<4I", 0, 0, 0, 0)
    place = 124 + len(pixels) if profile else 0
    head = struct.pack("<I", 124) + old[4:] + masks + struct.pack("<I", kind) + calibration
    head += struct.pack("<4I", 4, place, len(profile), 0)
    assert len(head) == 124
    start = 14 + len(head)
    return b"BM" + struct.pack("<IHHI", start + len(pixels) + len(profile), 0, 0, start) + head + pixels + profile


def without_boxes(data: bytes, kind: bytes) -> bytes:
    """An AVIF or HEIC whose boxes of a kind are called something that nobody reads."""
    assert kind in data
    return data.replace(kind, b"skip")


def coded(kind: str, primaries: int, transfer: int) -> bytes:
    """An AVIF or HEIC without an `nclx` box: code points stand in the coded stream only."""
    levels = np.ascontiguousarray(np.kron(smooth()[:32, :32], np.ones((2, 2, 1), np.uint8)))
    if kind == "AVIF":
        data = imagecodecs.avif_encode(
            levels, level=95, pixelformat="444", primaries=primaries, transfer=transfer, matrix=9
        )
    else:
        said = {"color_primaries": primaries, "transfer_characteristics": transfer, "matrix_coefficients": 9}
        data = heic("RGB", levels, quality=95, chroma=444, **said)
    return without_boxes(data, b"colr")


TIFF_CHROMATICITIES = {
    "sRGB": ((0.3127, 0.3290), (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)),
    "Display P3": ((0.3127, 0.3290), (0.680, 0.320, 0.265, 0.690, 0.150, 0.060)),
}


def tiff_with(*tags: tuple[int, int, int, object]) -> bytes:
    return tiff(smooth(), photometric="rgb", extratags=[(*tag, False) for tag in tags])


def rationals(*values: float) -> tuple[int, ...]:
    return tuple(number for value in values for number in (round(value * 10_000), 10_000))


@cache
def marked_files() -> dict[str, tuple[bytes, str]]:
    """Files that say something of their colours beside PNG's chunks, and what is told of them.

    "PQ" and "HLG" stand for the refusal of an HDR photo, an empty text for no note.
    """
    rgb, few = Image.fromarray(smooth()), Image.fromarray(smooth()).quantize(60)
    found: dict[str, tuple[bytes, str]] = {}
    for transfer, word in ((16, "PQ"), (18, "HLG")):
        profile = cicp_profile(transfer)
        for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
            found[f"{kind}, profile with cicp {word}"] = saved(rgb, kind, icc_profile=profile), word
        found[f"HEIC, profile with cicp {word}"] = heic("RGB", smooth(), quality=90, icc_profile=profile), word
        found[f"GIF, profile with cicp {word}"] = gif_with(profile), word
        found[f"BMP, profile with cicp {word}"] = bmp_with(0x4D424544, profile=profile), word
        found[f"PNG, profile called {word}"] = saved(rgb, "PNG", icc_profile=named_profile(f"Rec2100 {word}")), word
        for kind in ("AVIF", "HEIC"):
            found[f"{kind}, {word} in the stream only"] = coded(kind, 9, transfer), word
        jp2 = imagecodecs.jpeg2k_encode(smooth(), level=0, codecformat="jp2")
        old = jp2[jp2.index(b"colr") - 4 :][:15]
        new = b"\0\0\0\x12colr\5\0\0" + struct.pack(">HHHB", 9, transfer, 0, 0x80)
        grown = int.from_bytes(jp2[jp2.index(b"jp2h") - 4 :][:4], "big") + len(new) - len(old)
        jp2 = jp2.replace(old, new)
        at = jp2.index(b"jp2h") - 4
        found[f"JPEG 2000, {word} as parameters"] = jp2[:at] + struct.pack(">I", grown) + jp2[at + 4 :], word
    for kind in ("AVIF", "HEIC"):
        found[f"{kind}, Display P3 in the stream only"] = coded(kind, 12, 13), "converted from Display P3"
        found[f"{kind}, BT.709 in the stream only"] = coded(kind, 1, 1), ""
    grey = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found["GIF, profile of sRGB"] = gif_with(grey), ""
    found["BMP, profile of sRGB"] = bmp_with(0x4D424544, profile=grey), ""
    found["BMP, profile in another file"] = bmp_with(0x4C494E4B), "a colour profile in another file"
    found["BMP, sRGB"] = bmp_with(0x73524742), ""
    found["BMP, nothing"] = bmp_with(0), ""
    srgb = (0.4124, 0.2126, 0.0193, 0.3576, 0.7152, 0.1192, 0.1805, 0.0722, 0.9505)
    found["BMP, end points of sRGB"] = bmp_with(0, ends=srgb), ""
    wide = (0.5767, 0.2973, 0.0270, 0.1856, 0.6274, 0.0707, 0.1882, 0.0753, 0.9913)
    found["BMP, end points of Adobe RGB"] = bmp_with(0, ends=wide), "primaries and gammas of its own"
    for name, (white, primaries) in TIFF_CHROMATICITIES.items():
        told = "" if name == "sRGB" else "a white point and primaries of its own"
        tags = (318, 5, 2, rationals(*white)), (319, 5, 6, rationals(*primaries))
        found[f"TIFF, white and primaries of {name}"] = tiff_with(*tags), told
        found[f"TIFF, primaries of {name}"] = tiff_with(tags[1]), told
        exif = Image.Exif()
        exif[318], exif[319] = white, primaries
        for kind in ("JPEG", "PNG", "WEBP"):
            found[f"{kind}, EXIF white and primaries of {name}"] = saved(rgb, kind, exif=exif.tobytes()), told
    found["TIFF, white of D50"] = tiff_with((318, 5, 2, rationals(0.3457, 0.3585))), "a white point and primaries"
    light = np.linspace(0, 1, 256)
    for name, curve, told in (("2.2", light**2.2, ""), ("1.0", light, "a curve of its own")):
        table = (65535 * np.tile(curve, 3)).round().astype(int).tolist()
        found[f"TIFF, a curve of {name}"] = tiff_with((301, 3, 768, table)), told
    for gamma, told in ((2.2, ""), (1.0, "a gamma of 1")):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA500] = TiffImagePlugin.IFDRational(round(10 * gamma), 10)
        found[f"JPEG, EXIF gamma of {gamma}"] = saved(rgb, "JPEG", exif=exif.tobytes()), told
    chunk = b"cICP" + bytes([12, 13, 0, 1])
    palette = saved(few, "PNG")
    marked = palette[:33] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + palette[33:]
    found["PNG palette, cICP"] = marked, "converted from Display P3 (cICP)"
    broken = saved(rgb, "PNG", icc_profile=b"no profile")
    chunk = b"cICP" + bytes([9, 16, 0, 1])
    marked = broken[:33] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + broken[33:]
    found["PNG, a broken profile over cICP of PQ"] = marked, "PQ"
    return found


def refused_files() -> dict[str, bytes]:
    """Sound files of kinds that are not read, by what is unusual in them."""
    grey, colour = noise(1, 8), noise(3, 8)
    wide = noise(2, 16)
    return {
        "grey and alpha of 16 bits": tiff(wide, photometric="minisblack", extrasamples=["unassalpha"]),
        "JPEG 2000 compression": tiff(colour, photometric="rgb", compression="jpeg2000"),
        "JPEG XL compression": tiff(colour, photometric="rgb", compression="jpegxl"),
        "WebP compression": tiff(colour, photometric="rgb", compression="webp"),
        "LERC compression": tiff(grey, photometric="minisblack", compression="lerc"),
        "five planes": tiff(np.moveaxis(noise(5, 8), 2, 0).copy(), photometric="rgb", planarconfig="separate"),
        "CIELAB planes": tiff(np.moveaxis(colour, 2, 0).copy(), photometric="cielab", planarconfig="separate"),
        "CIELAB of 16 bits": tiff(noise(3, 16), photometric="cielab"),
        "JPEG 2000 of 12-bit colour": imagecodecs.jpeg2k_encode(noise(3, 12), level=0, bitspersample=12),
    }
