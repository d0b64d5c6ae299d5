"""The rows of a table as they are computed, in a file that a killed run can be taken up from."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.evaluation.tables.rows import TableRow

_HEADER = "robustiqa_table"
"""Key of the first line, whose value is the version of the format."""


def journal_path(out: Path) -> Path:
    """Return where the journal of the table `out` is: next to it.

    Example:
        >>> journal_path(Path("results/table.parquet")).name
        'table.parquet.journal.jsonl'
    """
    return out.with_name(f"{out.name}.journal.jsonl")


class _Row(Protocol):
    @property
    def key(self) -> str:
        """What tells the row from all others."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return the row as a JSON object."""
        ...


Row = TypeVar("Row", bound=_Row)


class RowJournal(Generic[Row]):
    """JSON Lines: the settings of a table, then a line for each row.

    A row is on the disk when `append` returns. Whenever the process is killed, at most the line that is being written
    is torn; it is removed when the journal is opened again.

    Args:
        path: the file, made where it is missing.
        settings: what decides the numbers of all rows (`TablePlan.settings`).
        read: makes a row of a JSON object and of the place that it comes from.

    Raises:
        ConfigurationError: the file was begun with other settings; the message says which.
        InputError: the file is no journal, or a line in it is damaged.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], read: Callable[[Mapping[str, Any], str], Row]) -> None:
        self.path, self._row = path, read
        self.rows: dict[str, Row] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            self._read(json.loads(json.dumps(settings)))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, row: Row) -> None:
        """Write a row unless it exists, and wait until it is on disk."""
        if row.key not in self.rows:
            self._write(row.to_json())
            self.rows[row.key] = row

    def _read(self, settings: Mapping[str, Any]) -> None:
        self._file.seek(0)
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            self._file.truncate(len(whole))
        lines = whole.splitlines()
        if not lines:
            self._write({_HEADER: 1, "settings": settings})
            return
        header = self._parse(lines[0], 1)
        if header.get(_HEADER) != 1:
            raise InputError(f"expected the journal of a table in {self.path}, got another file; choose another --out")
        _check_same(header["settings"], settings, self.path)
        for number, line in enumerate(lines[1:], 2):
            row = self._row(self._parse(line, number), f"{self.path} line {number}")
            self.rows[row.key] = row

    def _parse(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            value = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InputError(
                f"expected JSON in {self.path} line {number}, got something else ({error}); remove the line"
            ) from error
        if not isinstance(value, dict):
            raise InputError(f"expected a JSON object in {self.path} line {number}, got {value!r}; remove the line")
        return value

    def _write(self, value: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(value, allow_nan=False, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


class Journal(RowJournal[TableRow]):
    """The journal of a table of attacked photos; see `RowJournal`."""

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        super().__init__(path, settings, lambda value, place: TableRow.from_json(value, place=place))


def _check_same(begun: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:
    """Raise ConfigurationError that names the first setting that differs."""
    for name in [*begun, *(name for name in now if name not in begun)]:
        if begun.get(name) != now.get(name):
            raise ConfigurationError(
                f"expected the settings that {path.name} was started with, {name} = {json.dumps(begun.get(name))}, "
                f"got {json.dumps(now.get(name))}; repeat the first command or choose another --out"
            )
