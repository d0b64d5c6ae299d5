"""Many photos in one command: it skips those that fail, names them, and its exit status says so."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from robustiqa_core.errors import InputError, NumericalError
from robustiqa_core.evaluation.tables.photos import find_photos
from robustiqa_core.evaluation.tables.rows import Skipped

T = TypeVar("T")

DONE, LEFT_OUT = 0, 1
"""Exit status of a command that did everything, and of one that left something out; 2 is bad input, as everywhere."""


def gather_photos(words: Sequence[str]) -> tuple[tuple[Path, ...], tuple[Skipped, ...]]:
    """Return the photos that words name, each once, and what is left out: of folders, and words that name nothing."""
    paths: dict[Path, Path] = {}
    skipped: list[Skipped] = []
    for word in words:
        try:
            found = find_photos([word])
        except InputError as error:
            skipped.append(Skipped(word, str(error)))
            continue
        for path in found.paths:
            paths.setdefault(path.resolve(), path)
        skipped += [Skipped(str(file.path), file.reason) for file in found.left_out]
    named = set(paths.values())
    return tuple(paths.values()), tuple(record for record in skipped if Path(record.image) not in named)


def each_photo(paths: Iterable[Path], work: Callable[[Path], T]) -> Iterator[T | Skipped]:
    """Yield what `work` returns for each photo, or why it could not be done."""
    for path in paths:
        try:
            yield work(path)
        except (InputError, NumericalError) as error:
            yield Skipped(str(path), str(error))


def finish(done: int, skipped: Sequence[Skipped]) -> int:
    """Name what is missing on standard error, a line each, and return the exit status.

    Raises:
        InputError: nothing was done at all.
    """
    if not done and len(skipped) == 1:
        raise InputError(skipped[0].reason)
    if not done:
        reason = one_line(skipped[0]) if skipped else "none was named"
        raise InputError(f"expected a usable photo, got none out of {max(1, len(skipped))}: {reason}")
    for record in skipped:
        print(f"left out {one_line(record)}", file=sys.stderr)
    if skipped:
        print(f"{len(skipped)} left out, {done} done", file=sys.stderr)
    return LEFT_OUT if skipped else DONE


def one_line(record: Skipped) -> str:
    """Return what is missing and why, in one line."""
    about = " ".join(filter(None, [record.image, record.model, record.attack]))
    return f"{about}: {' '.join(record.reason.split())}"
