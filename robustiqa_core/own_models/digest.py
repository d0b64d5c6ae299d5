"""A digest of what a model of the user's own is, so that nothing that was kept of an earlier one passes for its own."""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from robustiqa_core.files import is_file
from robustiqa_core.own_models.catalogue import OwnModel
from robustiqa_core.own_models.foreign import lies_in, stamp_of

_CODE_AND_WEIGHTS = {".py", ".pt", ".pth", ".pt2", ".ckpt", ".bin", ".safetensors", ".onnx", ".npz", ".npy"}


def digest_of(own: OwnModel, scores: Sequence[float]) -> str:
    """Return a hash of a model's settings, of the files that its source is made of, and of what it says of some photos.

    The scores stand for weights that its code reads from wherever it likes.

    Args:
        own: the model, which has been opened.
        scores: of photos that are always the same.
    """
    settings = (own.size, own.mean, own.deviation, own.higher_is_better, own.score_range)
    digest = hashlib.sha256(repr((settings, [f"{score:.5g}" for score in scores])).encode())
    for name, path in sorted(_files(own.source)):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name} {content}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def source_stamp(own: OwnModel) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a model's settings or files do, so that what was made of it is made anew.

    Files are those of its source and the code and weights beside it. A module that is imported by its name is read once
    by a process, whatever becomes of its file.
    """
    settings = (repr(own), 0, 0)
    place = own.source.rpartition(":")[0]
    if not place.endswith(".py"):
        path = Path(own.source)
        return (settings, (own.source, *stamp_of(path))) if is_file(path) else (settings,)
    folder = Path(place).parent
    beside = sorted(path for path in folder.glob("*") if path.suffix in _CODE_AND_WEIGHTS)
    return (settings, *((str(path), *stamp_of(path)) for path in beside))


def _files(source: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of a source that has been opened, by names that do not depend on where it lies."""
    place = source.rpartition(":")[0]
    module = sys.modules.get(place)
    if place.endswith(".py"):
        first = Path(place).resolve()
    elif module is not None:
        if getattr(module, "__file__", None) is None:
            return
        first = Path(str(module.__file__)).resolve()
    else:
        path = Path(source)
        yield path.name, path
        return
    folder = str(first.parent)
    beside = {Path(str(known.__file__)) for known in list(sys.modules.values()) if lies_in(known, folder)}
    for path in {first, *beside}:
        if path.is_file():
            yield str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name, path
