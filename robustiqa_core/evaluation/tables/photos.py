"""Which photos a table is made of, and batches of them that can be attacked together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from robustiqa_core.checks import MIN_SIDE, check_count
from robustiqa_core.errors import InputError
from robustiqa_core.evaluation.tables.rows import Skipped
from robustiqa_core.folders import lists_root
from robustiqa_core.images.folders import FolderListing, LeftOut, list_folder
from robustiqa_core.images.kinds import PHOTO_KINDS
from robustiqa_core.images.photo import Photo, read_image
from robustiqa_core.images.photo_file import PhotoFile
from robustiqa_core.images.samples import list_samples

SAMPLES = "samples"
"""Word that stands for all sample photos."""
_SHOWN = 5
"""Missing photos that an error names."""
_WAITING = 4
"""Full batches that may wait for photos of their size before the oldest goes as it is, which bounds the memory."""


@dataclass(frozen=True, slots=True)
class OpenPhoto:
    """A decoded photo and what it is known by, such as its path."""

    place: str
    photo: Photo


@dataclass(frozen=True, slots=True)
class FoundPhotos:
    """What words of a command name.

    Args:
        paths: the photos, each once.
        left_out: what lies in the folders among them and is not taken, each once.
    """

    paths: tuple[Path, ...]
    left_out: tuple[LeftOut, ...]


def find_photos(words: Sequence[str], *, limit: int | None = None, names: str | None = None) -> FoundPhotos:
    """Return the photos that words name, each once: in their order, those of a folder by name.

    Args:
        words: files, folders (not the folders in them), or `samples` for the sample photos.
        limit: how many of the first are taken; all without it.
        names: a list, see `read_names`: of the photos those that it names are taken, in its order.

    Raises:
        InputError: a word is neither file nor folder, a folder has no photo, or photos of the list are missing.

    Example:
        >>> find_photos(["samples"], limit=1).paths[0].name
        'mountain_path_out_of_focus.png'
    """
    if limit is not None:
        check_count("limit", limit)
    found = [_expand(word) for word in words]
    # By where a file really is: one that is named in two ways is one photo, and would count twice in every figure.
    paths: dict[Path, Path] = {}
    for path in (path for listing in found for path in listing.photos):
        paths.setdefault(path.resolve(), path)
    named = {Path(word) for word in words}
    left_out = dict.fromkeys(file for listing in found for file in listing.left_out if file.path not in named)
    chosen = tuple(paths.values()) if names is None else _listed(tuple(paths.values()), names)
    return FoundPhotos(chosen[:limit], tuple(left_out))


def read_names(name: str) -> tuple[str, ...]:
    """Return the file names in a list of photos, in its order.

    Args:
        name: a text file with one file name a line, where lines that begin with # say what the list is; or the name of
            a list that is shipped, such as `nips2017_200`.

    Raises:
        InputError: there is no such list, it cannot be read, names nothing, or one photo twice.

    Example:
        >>> len(read_names("nips2017_200"))
        200
    """
    path = Path(name)
    if not path.is_file():
        shipped = sorted(file.stem for file in lists_root().glob("*.txt"))
        if name not in shipped:
            raise InputError(
                f"expected a list of photos, a text file or one of {', '.join(shipped)}, got {name!r}; check the path"
            )
        path = lists_root() / f"{name}.txt"
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"expected a text file with one name per line at {path}, got {error}; save it as UTF-8 text"
        ) from error
    found = [line for line in lines if line and not line.startswith("#")]
    twice = sorted({line for line in found if found.count(line) > 1})
    if not found or twice:
        raise InputError(
            f"expected names in {path}, each once, got {f'{twice[0]} twice' if twice else 'none'}; correct the list"
        )
    return tuple(found)


def _listed(paths: tuple[Path, ...], names: str) -> tuple[Path, ...]:
    """Return those of the photos that a list names, in its order; raise InputError that names what is missing."""
    wanted, known = read_names(names), {path.name: path for path in reversed(paths)}
    missing = [name for name in wanted if name not in known]
    if missing:
        first = ", ".join(missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
        raise InputError(
            f"expected the {len(wanted)} photos of the list {names}, got {len(wanted) - len(missing)} of them; "
            f"missing: {first}; add them or use another list"
        )
    return tuple(known[name] for name in wanted)


def _expand(word: str) -> FolderListing:
    path = Path(word)
    if path.is_file():
        return FolderListing((path,), ())
    if path.is_dir():
        listing = list_folder(path)
        if not listing.photos:
            raise InputError(_no_photo(path, listing.left_out))
        return listing
    if word == SAMPLES:
        # As the user would have written it, where that is shorter.
        here = Path.cwd()
        paths = (sample.path for sample in list_samples())
        return FolderListing(tuple(path.relative_to(here) if path.is_relative_to(here) else path for path in paths), ())
    raise InputError(f"expected a photo, a folder of photos or {SAMPLES!r}, got {word!r}; check the path")


def _no_photo(folder: Path, left_out: Sequence[LeftOut]) -> str:
    """Return the message for a folder without photos."""
    got = "none"
    if left_out:
        others = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
        got = f"{left_out[0].path.name} ({left_out[0].reason}){others}"
    return f"expected photos ({PHOTO_KINDS}) in {folder}, got {got}; name another folder"


def batches(
    paths: Iterable[PhotoFile | Path], *, batch_size: int, max_side: int
) -> Iterator[tuple[OpenPhoto, ...] | Skipped]:
    """Yield batches of photos of one size, and each photo that cannot be read or is too small.

    A photo waits until `batch_size` of its size are there, or until more wait than fit in memory. The order is
    the same in every run.

    Args:
        paths: the photos.
        batch_size: most photos of a batch.
        max_side: larger photos are reduced to this many pixels.
    """
    waiting: dict[tuple[int, int], list[OpenPhoto]] = {}
    for path in paths:
        try:
            photo = read_image(path, max_side=max_side, min_side=MIN_SIDE)
        except InputError as error:
            yield Skipped(str(path), str(error))
            continue
        waiting.setdefault(photo.size, []).append(OpenPhoto(str(path), photo))
        if len(waiting[photo.size]) == batch_size:
            yield tuple(waiting.pop(photo.size))
        elif sum(map(len, waiting.values())) > _WAITING * batch_size:
            yield tuple(waiting.pop(next(iter(waiting))))
    yield from map(tuple, waiting.values())
