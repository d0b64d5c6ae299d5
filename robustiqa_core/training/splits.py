"""Near-duplicates, and a validation split that does not share them with the training photos."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from robustiqa_core.checks import check_fraction
from robustiqa_core.errors import InputError
from robustiqa_core.training.datasets import LabelledPhoto

_HASH_SIDE = 16
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF", "GIF", "JPEG2000", "PPM")
# Of 256 bits. Different scenes differ in about half of them; the same scene, retaken or degraded, in few.
SAME_SCENE_BITS = 32


def difference_hash(path: Path) -> npt.NDArray[np.uint8]:
    """Return 256 bits, packed to (32,), that say whether brightness rises from each of 16 x 17 cells to the next.

    Raises:
        InputError: the file is no photo.

    Source: N. Krawetz, "Kind of Like That", 2013 (dHash).
    """
    try:
        with Image.open(path, formats=_FORMATS) as photo:
            # Lets a JPEG be decoded at an eighth of its size, ten times as fast.
            photo.draft("L", (4 * _HASH_SIDE, 4 * _HASH_SIDE))
            grey = photo.convert("L").resize((_HASH_SIDE + 1, _HASH_SIDE), Image.Resampling.BOX)
    except (OSError, SyntaxError) as error:
        raise InputError(f"expected a photo at {path}, got a file that cannot be read ({error}); remove it") from error
    cells = np.asarray(grey, dtype=np.int16)
    return np.packbits(cells[:, 1:] > cells[:, :-1])


def scenes(hashes: npt.NDArray[np.uint8], *, bits: int = SAME_SCENE_BITS) -> npt.NDArray[np.int64]:
    """Return the scene (N,) of each photo: photos linked by chains of hashes that differ in at most `bits` bits.

    Args:
        hashes: (N, B), packed bits.
        bits: largest number of differing bits between two photos of a scene.

    Example:
        >>> scenes(np.array([[0b1], [0b11], [0b11111111]], dtype=np.uint8), bits=1).tolist()
        [0, 0, 2]
    """
    labels = np.arange(len(hashes))
    for index in range(1, len(hashes)):
        distance = np.bitwise_count(hashes[:index] ^ hashes[index]).sum(1)
        linked = np.unique(labels[:index][distance <= bits])
        if linked.size:
            labels[: index + 1][np.isin(labels[: index + 1], linked) | (labels[: index + 1] == index)] = linked[0]
    return labels


def held_out(paths: Sequence[Path], *, share: float = 0.05, seed: int = 0) -> npt.NDArray[np.bool_]:
    """Return which photos (N,) are held out: about `share` of them, whole scenes at a time.

    Args:
        paths: of the photos.
        share: fraction of the photos to hold out, in (0, 1].
        seed: of the choice.
    """
    check_fraction("share", share)
    labels = scenes(np.stack([difference_hash(path) for path in paths]))
    sizes = np.bincount(labels, minlength=len(paths))
    order = torch.randperm(len(paths), generator=torch.Generator().manual_seed(seed)).numpy()
    wanted, held = round(share * len(paths)), np.zeros(len(paths), dtype=bool)
    taken = 0
    for label in order[sizes[order] > 0]:
        if taken >= wanted:
            break
        held[label] = True
        taken += int(sizes[label])
    return held[labels]


def hold_out(photos: Sequence[LabelledPhoto], *, share: float = 0.05, seed: int = 0) -> tuple[LabelledPhoto, ...]:
    """Return the training photos with about `share` of them marked as validation, whole scenes at a time.

    Args:
        photos: of the split train.
        share: fraction of the photos to hold out, in (0, 1].
        seed: of the choice.
    """
    held = held_out([photo.path for photo in photos], share=share, seed=seed)
    return tuple(
        replace(photo, split="validation") if is_held else photo for photo, is_held in zip(photos, held, strict=True)
    )
