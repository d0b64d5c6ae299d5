"""The one reader of tables that people bring, forgiving in form and strict in content.

`docs/reference/tables.md` lists what is read. All that can be told apart safely is accepted (separators, decimal marks,
encodings, common names of columns); what could be read in two ways is refused with its line.
"""

import codecs
import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from robustiqa_core.errors import InputError
from robustiqa_core.files import read_bytes

MAX_BYTES = 100 * 1024**2
"""Bytes that a table may have."""
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""What may stand between two cells, and what it is called."""
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""How programs write that a number is not known, in lower case."""

Kind: TypeAlias = Literal["text", "number", "strength"]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")
_SHOWN = 160
"""Characters of a text of unknown origin that an error repeats."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is looked for.

    Args:
        name: what it is called here.
        kind: `text`; `number`, with a decimal point or comma; `strength`, a number or a fraction such as `4/255`.
        needed: whether the table must have it.
        filled: whether each line must have something in it.
        others: other names that it goes by, the likeliest first; case, spaces, `_`, `-` and `.` do not matter.
    """

    name: str
    kind: Kind = "text"
    needed: bool = True
    filled: bool = True
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One line of a table.

    Args:
        place: file and line, for errors.
        texts: by the name of the column; empty where there is nothing.
        numbers: by the name of the column; None where the number is not known.
    """

    place: str
    texts: Mapping[str, str]
    numbers: Mapping[str, float | None]

    def number(self, column: str) -> float:
        """Return the number in a column, or raise InputError where it is not known."""
        value = self.numbers[column]
        if value is None:
            got = repr(self.texts[column]) if self.texts[column] else "nothing"
            raise InputError(
                f"{self.place}: expected a finite number as {column}, got {got}; fill it in or leave the line out"
            )
        return value


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A table cut into cells, each without the spaces around it.

    Args:
        name: of the file.
        separator: a key of `SEPARATORS`.
        header: names of the columns, as they are written.
        lines: number in the file and cells of each line below the header, as many cells as the header has.
    """

    name: str
    separator: str
    header: tuple[str, ...]
    lines: tuple[tuple[int, tuple[str, ...]], ...]

    def rows(self, columns: Sequence[Column]) -> tuple[CsvRow, ...]:
        """Return the lines with what stands in some columns.

        Raises:
            InputError: a column that is needed or a cell that must be filled is missing, a number is none, a column is
                there twice, there is no line, or numbers have decimal points here and decimal commas there.
        """
        places = self._find(columns)
        if not self.lines:
            raise InputError(f"{self.name}: expected at least one line below the header, got none; add lines")
        numeric = [column for column in columns if column.kind != "text" and column.name in places]
        self._check_marks([places[column.name] for column in numeric])
        return tuple(self._row(line, cells, columns, places) for line, cells in self.lines)

    def has(self, column: Column) -> bool:
        """Return whether a column is there under any of its names."""
        return column.name in self._find([column], strict=False)

    def _row(self, line: int, cells: Sequence[str], columns: Sequence[Column], places: Mapping[str, int]) -> CsvRow:
        place = f"{self.name} line {line}"
        texts = {column.name: cells[places[column.name]] if column.name in places else "" for column in columns}
        numbers = {
            column.name: _number(texts[column.name], column, place) for column in columns if column.kind != "text"
        }
        row = CsvRow(place, texts, numbers)
        for column in columns:
            if column.filled and column.name in places:
                if column.kind != "text":
                    row.number(column.name)
                elif not texts[column.name]:
                    raise InputError(f"{place}: expected a name in the column {column.name}, got nothing; fill it in")
        return row

    def _find(self, columns: Sequence[Column], *, strict: bool = True) -> dict[str, int]:
        """Return the place of each column that is there."""
        known = [plain_name(name) for name in self.header]
        places: dict[str, int] = {}
        for column in columns:
            for name in map(plain_name, (column.name, *column.others)):
                if known.count(name) > 1:
                    twice = " and ".join(repr(self.header[place]) for place, other in enumerate(known) if other == name)
                    raise InputError(f"{self.name}: expected one column {column.name}, got {twice}; rename one of them")
                if name in known:
                    places[column.name] = known.index(name)
                    break
        missing = [column.name for column in columns if column.needed and column.name not in places]
        if strict and missing:
            needed = ", ".join(column.name for column in columns if column.needed)
            optional = ", ".join(column.name for column in columns if not column.needed)
            raise InputError(
                f"{self.name}: expected the columns {needed}{f' (and optional {optional})' if optional else ''}, "
                f"got {shown(', '.join(filter(None, self.header))) or 'none'} (separated by "
                f"{SEPARATORS[self.separator]}); add {', '.join(missing)}"
            )
        return places

    def _check_marks(self, places: Iterable[int]) -> None:
        """Raise InputError where one number has a decimal comma and another a decimal point."""
        first: dict[str, tuple[int, str]] = {}
        for line, cells in self.lines:
            for text in (cells[place] for place in places):
                marks = [mark for mark in ",." if mark in text and mark not in first]
                if marks and parse_strength(text) is not None:
                    first.update((mark, (line, text)) for mark in marks)
        if len(first) == 2:
            (line, text), (other_line, other) = first.values()
            raise InputError(
                f"{self.name} line {other_line}: expected decimal points or decimal commas, got {shown(other)!r} here "
                f"and {shown(text)!r} in line {line}; write all numbers in one way, without marks for thousands"
            )


def read_csv(path: Path, columns: Sequence[Column]) -> CsvTable:
    """Return a table as cells.

    Args:
        path: text in UTF-8, UTF-16 or Windows-1252, with a header, separated by commas, semicolons or tabs.
        columns: that may be looked for; the separator is the one that finds most of them in the header.

    Raises:
        InputError: no such file, too large, no text, quotes that do not end, or a line with more cells than the header.
    """
    text = _decoded(path)
    lines = re.split(r"\r\n|\r|\n", text)
    first = next((place for place, line in enumerate(lines) if line.strip()), 0)
    named = re.fullmatch(r"\s*\"?sep=(.)\"?[,;\s]*", lines[first], re.IGNORECASE)
    if named:
        first = next((place for place in range(first + 1, len(lines)) if lines[place].strip()), first + 1)
    separator = named[1] if named and named[1] in SEPARATORS else _separator("".join(lines[first : first + 1]), columns)
    # Cut by csv from the header on, since only csv knows where a quoted cell ends.
    reader = csv.reader(io.StringIO("\n".join(lines[first:]), newline=""), delimiter=separator, skipinitialspace=True)
    found = []
    before = 0
    try:
        for cells in reader:
            line, before = first + before + 1, reader.line_num
            if any("\n" in cell for cell in cells):
                raise InputError(f"{path.name} line {line}: expected quotes that end in their line; close them")
            stripped = tuple(cell.strip() for cell in cells)
            if any(stripped):
                found.append((line, stripped))
    except csv.Error as error:
        raise InputError(
            f"{path.name} line {first + before + 1}: expected a CSV, got {error}; correct the line"
        ) from error
    header = found[0][1] if found else ()
    return CsvTable(path.name, separator, header, tuple(_fitted(found[1:], header, path.name, separator)))


def plain_name(name: str) -> str:
    """Return a column's name without case, spaces and marks, by which two ways to write it are compared.

    Example:
        >>> plain_name(" Image-Name") == plain_name("image_name")
        True
    """
    # A dot between digits is a number's, as in `eps=0.5`.
    return re.sub(r"[\s_\"'-]+|(?<![0-9])\.|\.(?![0-9])", "", unicodedata.normalize("NFKC", name).casefold())


def parse_number(text: str) -> float | None:
    """Return the finite number that a text is, with a decimal point or comma; None where it is none.

    Example:
        >>> parse_number("0,5"), parse_number("1e-3"), parse_number("1.234,5")
        (0.5, 0.001, None)
    """
    if _NUMBER.fullmatch(text) is None:
        return None
    value = float(text.replace(",", "."))
    return value if math.isfinite(value) else None


def parse_strength(text: str) -> float | None:
    """Return the finite number that a text is, or a fraction of two of them; None where it is none.

    Example:
        >>> parse_strength("4/255") == 4 / 255, parse_strength("4 / 0")
        (True, None)
    """
    above, slash, below = (part.strip() for part in text.partition("/"))
    numerator, denominator = parse_number(above), parse_number(below) if slash else 1.0
    if numerator is None or not denominator:
        return None
    value = numerator / denominator
    return value if math.isfinite(value) else None


def shown(text: str) -> str:
    """Return a text of unknown origin as an error can repeat it: printable, in one line, and not too long."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]}..."


def _number(text: str, column: Column, place: str) -> float | None:
    """Return the number in a cell; None where it is not known."""
    if text.casefold() in MISSING:
        return None
    value = parse_strength(text) if column.kind == "strength" else parse_number(text)
    if value is None:
        wanted = "a number or a fraction such as 4/255" if column.kind == "strength" else "a finite number"
        raise InputError(f"{place}: expected {wanted} as {column.name}, got {shown(text)!r}; correct the line")
    return value


def _separator(head: str, columns: Sequence[Column]) -> str:
    """Return the separator by which a header has most of the columns, else the one that cuts it most often."""
    wanted = [{plain_name(name) for name in (column.name, *column.others)} for column in columns]

    def found(separator: str) -> tuple[int, int]:
        cells = next(csv.reader([head], delimiter=separator, skipinitialspace=True), [])
        names = set(map(plain_name, cells))
        return sum(not names.isdisjoint(each) for each in wanted), len(cells)

    try:
        return max(SEPARATORS, key=found)
    except csv.Error:
        return ","


def _fitted(
    lines: Iterable[tuple[int, tuple[str, ...]]], header: Sequence[str], name: str, separator: str
) -> Iterable[tuple[int, tuple[str, ...]]]:
    """Yield the lines with as many cells as the header has; what a short line lacks is empty."""
    for line, cells in lines:
        if any(cells[len(header) :]):
            raise InputError(
                f"{name} line {line}: expected {len(header)} cells as in the header, separated by "
                f"{SEPARATORS[separator]}, got {len(cells)}; quote a cell that has the separator in it"
            )
        yield line, (*cells, *("" for _ in header))[: len(header)]


def _decoded(path: Path) -> str:
    """Return the text of a file in one of the encodings that spreadsheets write."""
    data = read_bytes(path, expected="a table as CSV", remedy="check the path")
    if len(data) > MAX_BYTES:
        raise InputError(f"{path.name}: expected a table of at most {MAX_BYTES / 1e6:.0f} MB, got more; split it")
    try:
        text = _by_encoding(data)
    except UnicodeDecodeError:
        text = "\0"
    # No table has control characters; a photo, a spreadsheet (.xlsx) and an archive have.
    if re.search(r"[\x00-\x08\x0e-\x1f]", text):
        raise InputError(
            f"{path.name}: expected a table as text (CSV in UTF-8, UTF-16 or Windows-1252), got another kind of file; "
            "export it as CSV"
        )
    return text


def _by_encoding(data: bytes) -> str:
    if data.startswith(codecs.BOM_UTF8):
        return data.decode("utf-8-sig")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    # Every second byte of a header in UTF-16 is 0, and no byte of one in another encoding.
    start = data[:64]
    if len(start) > 1 and not any(start[1::2]):
        return data.decode("utf-16-le")
    if len(start) > 1 and not any(start[::2]):
        return data.decode("utf-16-be")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252")
