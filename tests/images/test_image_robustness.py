"""Files from anywhere: refused by name, too large, cut off, changed at random, decoded by many threads at once."""

import io
import random
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pillow_heif
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from robustiqa_core.errors import InputError
from robustiqa_core.images.photo import Photo, decode_image

STARTS = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF\x40\0\0\0WEBPVP8X",
    b"BM",
    b"II*\0\x08\0\0\0",
    b"MM\0+\0\x08\0\0",
    b"GIF89a",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
    b"P3 ",
    b"P6\n2 2 255\n",
    b"\0\0\0\x18ftypavif\0\0\0\0avifmif1",
    b"\0\0\0\x18ftypheic\0\0\0\0heicmif1",
]


def encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format=file_format, **options)
    return buffer.getvalue()


@cache
def good_files() -> dict[str, bytes]:
    """Small files of noise in many formats, with metadata: in noise no lost byte goes unseen."""
    values = np.random.default_rng(0).integers(0, 256, (14, 20, 4), dtype=np.uint8)
    picture = Image.fromarray(values[..., :3])
    exif = Image.Exif()
    exif[271], exif[274] = "Maker", 6
    exif.get_ifd(0x8769)[33434] = (1, 60)
    metadata = {
        "exif": exif.tobytes(),
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    }
    pictures = {
        "grey": Image.fromarray(values[..., 0]),
        "rgb": picture,
        "rgba": Image.fromarray(values),
        "palette": picture.quantize(32),
        "cmyk": Image.fromarray(values, "CMYK"),
        "16": Image.fromarray(values.view(np.uint16)[..., 0]),
        "1": Image.fromarray(values[..., 0] > 127),
    }
    kinds: dict[str, tuple[str, ...]] = {
        "JPEG": ("grey", "rgb", "cmyk"),
        "PNG": ("grey", "rgb", "rgba", "palette", "16", "1"),
        "WEBP": ("rgb", "rgba"),
        "BMP": ("grey", "rgb", "palette", "1"),
        "TIFF": tuple(pictures),
    }
    files = {f"{kind} {name}": encoded(pictures[name], kind, **metadata) for kind in kinds for name in kinds[kind]}
    others = [picture.transpose(Image.Transpose.ROTATE_180)]
    for kind in ("PNG", "WEBP", "TIFF"):
        files[f"{kind} several"] = encoded(picture, kind, save_all=True, append_images=others)
    files["JPEG progressive"] = encoded(picture, "JPEG", progressive=True)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        files[f"TIFF {compression}"] = encoded(picture, "TIFF", compression=compression)
    files["TIFF group4"] = encoded(pictures["1"], "TIFF", compression="group4")
    files["BMP run-length"] = run_length_bmp(8, 4)
    files["GIF palette"] = encoded(pictures["palette"], "GIF")
    files["GIF several"] = encoded(pictures["palette"], "GIF", save_all=True, append_images=[pictures["grey"]])
    for name in ("grey", "rgb", "rgba"):
        files[f"AVIF {name}"] = encoded(pictures[name], "AVIF", quality=90, **metadata)
        files[f"JPEG2000 {name}"] = encoded(pictures[name], "JPEG2000", irreversible=False)
    files["JPEG2000 code stream"] = encoded(picture, "JPEG2000", no_jp2=True)
    files["AVIF several"] = encoded(picture, "AVIF", save_all=True, append_images=others)
    for name, mode in (("grey", "L"), ("rgb", "RGB"), ("rgba", "RGBA")):
        heif = pillow_heif.from_bytes(mode, picture.size, pictures[name].tobytes())
        files[f"HEIC {name}"] = heic_encoded(heif, quality=90, **(metadata if name == "rgb" else {}))
    two = pillow_heif.from_pillow(picture)
    two.add_from_pillow(others[0])
    files["HEIC several"] = heic_encoded(two)
    for name, kind in (("grey", 5), ("rgb", 6)):
        files[f"PNM P{kind}"] = encoded(pictures[name], "PPM")
        numbers = " ".join(map(str, np.asarray(pictures[name]).ravel()))
        files[f"PNM P{kind - 3}"] = f"P{kind - 3} 20 14 255\n{numbers}\n".encode()
    files["PNM P4"] = encoded(pictures["1"], "PPM")
    for bits in (8, 16):
        planes = np.random.default_rng(1).integers(0, 2**bits, (4, 14, 20)).astype(f"u{bits // 8}")
        buffer = io.BytesIO()
        tifffile.imwrite(
            buffer, planes, photometric="rgb", planarconfig="separate", extrasamples=["unassalpha"], rowsperstrip=5
        )
        files[f"TIFF planes {bits}"] = buffer.getvalue()
    files["PNG colours"] = with_chunks(
        files["PNG rgb"], {b"cHRM": struct.pack(">8I", *CHROMATICITIES), b"gAMA": b"\0\0\xb1\x8f"}
    )
    files["PNG code points"] = with_chunks(files["PNG rgb"], {b"cICP": bytes([12, 13, 0, 1])})
    return files


CHROMATICITIES = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


def with_chunks(png: bytes, chunks: dict[bytes, bytes]) -> bytes:
    """The PNG with chunks behind its head, in place of its profile."""
    start, end = (
        png.index(b"iCCP") - 4,
        png.index(b"iCCP") + 8 + int.from_bytes(png[png.index(b"iCCP") - 4 :][:4], "big"),
    )
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks.items()
    ]
    return png[:33] + b"".join(parts) + png[33:start] + png[end:]


def heic_encoded(heif: pillow_heif.HeifFile, **options: object) -> bytes:
    buffer = io.BytesIO()
    heif.save(buffer, **options)
    return buffer.getvalue()


def run_length_bmp(width: int, height: int) -> bytes:
    """A BMP compressed by run lengths: each row is one run."""
    rows = b"".join(bytes([min(width, 255), 40 * row % 256, 0, 0]) for row in range(min(height, 4))) + b"\0\1"
    palette = b"".join(bytes([level, level, level, 0]) for level in range(256))
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 14 + 40 + 1024 + len(rows), 0, 0, 14 + 40 + 1024) + head + palette + rows


def outcome(data: bytes) -> Photo | None:
    """The photo, or None if the data were refused with InputError; any other exception or warning passes through."""
    try:
        return decode_image(data)
    except InputError as error:
        assert str(error).startswith("expected ")
        assert ", got " in str(error)
        return None


@pytest.mark.parametrize("name", good_files())
def test_the_good_files_are_good(name: str) -> None:
    assert outcome(good_files()[name]) is not None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (b"Dear reader,\nthis is text.", "a text file"),
        (b"\xef\xbb\xbfgr\xc3\xbc\xc3\x9fe", "a text file"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"></svg>', "an SVG drawing"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf", "a HEIF image with a codec that is not read"),
        (b"\xff\x0a\0\0", "a JPEG XL image"),
        (b"P7\nWIDTH 2\n", "a PAM image"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "a video"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"PK\3\4\x14\0", "a ZIP archive"),
        (b"8BPS\0\1", "a Photoshop file"),
        (b"\0\1\2\3\4\5\x80\x81", "data of an unknown kind"),
    ],
)
def test_what_is_no_photo_is_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=rf"expected a photo \(JPEG, .*PNM\), got {words}; save it as"):
        decode_image(data, name="holiday.jpg")


@pytest.mark.parametrize("extra", [(254, 1), (50706, 0x00000401)], ids=["preview", "DNG"])
def test_the_preview_in_a_raw_file_is_not_taken_for_the_photo(extra: tuple[int, int]) -> None:
    tags = sorted([(256, 1), (257, 1), (258, 8), (262, 1), (273, 8), (279, 1), extra])
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    with pytest.raises(InputError, match="a camera's raw file"):
        decode_image(b"II*\0\x0a\0\0\0\0\0" + struct.pack("<H", len(tags)) + directory + b"\0\0\0\0")


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = b"IDAT" + zlib.compress(b"\0" * 1000)
    chunks = (struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in (body, pixels))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def patched(name: str, width: int, height: int) -> bytes:
    """A good file whose header announces another size."""
    data = bytearray(good_files()[name])
    if name.startswith("JPEG"):
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
    elif name.startswith("BMP"):
        struct.pack_into("<ii", data, 18, width, height)
    elif name.startswith("WEBP"):
        data[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    else:
        for tag, value in ((256, width), (257, height)):
            struct.pack_into("<I", data, data.index(struct.pack("<HH", tag, 4)) + 8, value)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        png_header(20_000, 20_000),
        patched("JPEG rgb", 60_000, 60_000),
        patched("BMP rgb", 30_000, 30_000),
        patched("WEBP rgb", 16_383, 16_383),
        patched("TIFF rgb", 100_000, 1_000_000),
        png_header(9_000, 9_000),
        run_length_bmp(4_000, 2_000),
    ],
    ids=["PNG", "JPEG", "BMP", "WebP", "TIFF", "between our limit and Pillow's", "run-length BMP"],
)
def test_bombs_are_refused_from_their_header(data: bytes) -> None:
    before = time.process_time()
    with pytest.raises(InputError, match=r"expected at most \d+ million pixels, got \d+ x \d+; reduce it first"):
        decode_image(data)
    assert time.process_time() - before < 1.0


@pytest.mark.parametrize("name", good_files())
def test_a_truncated_file_is_refused_or_complete_but_never_half(name: str) -> None:
    data = good_files()[name]
    whole = decode_image(data).sha256
    refused = 0
    for length in range(0, len(data), max(1, len(data) // 150)):
        photo = outcome(data[:length])
        refused += photo is None
        assert photo is None or photo.sha256 == whole, length
    assert refused > 10


@settings(max_examples=150, deadline=None)
@given(start=st.sampled_from([b"", *STARTS]), rest=st.binary(max_size=300))
def test_random_bytes_are_refused(start: bytes, rest: bytes) -> None:
    photo = outcome(start + rest)
    # Of these, only what has no compression can be drawn from bytes at random.
    assert photo is None or start[:2] in (b"BM", b"P6")


@pytest.mark.thorough
@settings(max_examples=600, deadline=None)
@given(
    name=st.sampled_from(sorted(good_files())),
    seed=st.integers(0, 2**32 - 1),
    changes=st.integers(1, 6),
    fix_checksums=st.booleans(),
)
def test_a_changed_file_is_a_photo_or_refused(name: str, seed: int, changes: int, fix_checksums: bool) -> None:
    data = mutated(good_files()[name], random.Random(seed), changes)
    photo = outcome(with_png_checksums(data) if fix_checksums else data)
    if photo is not None:
        assert photo.images.isfinite().all()
        assert max(photo.size) <= 2048


def mutated(data: bytes, chance: random.Random, changes: int) -> bytes:
    """The data with bytes changed, inserted, removed or cut off, most of them near the start, where the headers are."""
    changed = bytearray(data)
    for _ in range(changes):
        place = chance.randrange(min(len(changed), chance.choice((64, 400, len(data)))) + 1)
        kind = chance.randrange(5)
        if kind == 0:
            changed[place : place + 1] = chance.randbytes(1)
        elif kind == 1:
            changed[place : place + 4] = chance.choice(
                (b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f")
            )
        elif kind == 2:
            changed[place:place] = chance.randbytes(chance.randrange(1, 20))
        elif kind == 3:
            del changed[place : place + chance.randrange(1, 40)]
        elif chance.random() < 0.3:
            del changed[place:]
    return bytes(changed)


def with_png_checksums(data: bytes) -> bytes:
    """The data with right PNG checksums, so that changes reach what lies behind that check."""
    changed, position = bytearray(data), 8
    while data.startswith(b"\x89PNG") and position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        if end + 4 > len(data):
            break
        struct.pack_into(">I", changed, end, zlib.crc32(data[position + 4 : end]))
        position = end + 4
    return bytes(changed)


def test_damaged_metadata_neither_warn_nor_matter() -> None:
    clean = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    damaged_exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x05\0\xff\xff\xff\xff" * 3
    expected = decode_image(encoded(clean, "PNG")).sha256
    assert decode_image(encoded(clean, "PNG", exif=damaged_exif)).sha256 == expected
    assert decode_image(encoded(clean, "WEBP", lossless=True, exif=damaged_exif)).sha256 == expected
    jpeg = decode_image(encoded(clean, "JPEG", exif=damaged_exif, comment=b"\xff" * 100))
    assert jpeg.sha256 == decode_image(encoded(clean, "JPEG")).sha256


def test_a_lower_limit_set_in_pillow_is_an_error_like_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(InputError, match="expected a photo that fits into memory"):
        decode_image(good_files()["TIFF rgb"])
    assert decode_image(good_files()["PNG rgb"]).size == (14, 20)


def test_many_threads_decode_at_once_and_leave_pillow_as_it_was() -> None:
    files = list(good_files().values())
    limit = Image.MAX_IMAGE_PIXELS
    one_by_one = [decode_image(data).sha256 for data in files]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            assert [photo.sha256 for photo in pool.map(decode_image, files)] == one_by_one
    assert limit == Image.MAX_IMAGE_PIXELS


def test_a_colour_chunk_that_is_cut_off_and_a_code_stream_without_channels_are_refused() -> None:
    png = good_files()["PNG colours"]
    assert outcome(png[: png.index(b"cHRM") + 20]) is None
    stream = bytearray(good_files()["JPEG2000 code stream"])
    stream[40:42] = b"\0\0"
    assert outcome(bytes(stream)) is None
