"""Tables that people bring: clean and attacked scores, read, checked and made into runs; and human scores."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from robustiqa_core.errors import InputError
from robustiqa_core.tables.runs import ScoreRun, check_same_clean, make_run

NEEDED = ("model", "image", "clean", "attacked")
OPTIONAL = ("attack", "strength", "mos")
ATTACK = "attack"
"""What an attack without a name is called."""

Line = tuple[str, float, float, float | None]


def read_score_table(path: Path) -> tuple[ScoreRun, ...]:
    """Return the runs of a CSV with one line for each photo, model, attack and strength, in the order of the file.

    Args:
        path: UTF-8, with the columns model, image, clean and attacked (scores, larger is better, in any one unit a
            model), and where they are known attack, strength (a number) and mos (larger is better). Other columns are
            not read.

    Raises:
        InputError: no such file, no CSV, a column or number missing or wrong (the message names the line), an image
            twice in one run, or clean scores of one model that differ between its runs (the message names both).
    """
    collected: dict[tuple[str, str, float | None], list[Line]] = {}
    for place, row in _read(path, NEEDED, OPTIONAL):
        name = (_text(row, "model", place), row.get("attack") or ATTACK, _number(row, "strength", place))
        collected.setdefault(name, []).append(_line(row, place))
    runs = tuple(make_run(*name, lines) for name, lines in collected.items())
    check_same_clean(runs)
    return runs


def read_mos(path: Path) -> dict[str, float]:
    """Return the human scores in a CSV with the columns file and mos, by the name of the file without its folder.

    Raises:
        InputError: no such file, no CSV, a column or number missing or wrong, or two scores for one name.
    """
    scores: dict[str, float] = {}
    for place, row in _read(path, ("file", "mos"), ()):
        name = Path(_text(row, "file", place)).name
        if scores.setdefault(name, score := _score(row, "mos", place)) != score:
            raise InputError(f"{place}: expected one mos for {name!r}, got another before; correct the line")
    return scores


def _read(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Sequence[tuple[str, Mapping[str, str | None]]]:
    """Return the lines of a CSV, one or more, each with its place for errors."""
    if not path.is_file():
        raise InputError(f"expected a CSV of {', '.join(needed)}, got no file at {path}; check the path")
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            rows = [(f"{path.name} line {reader.line_num}", row) for row in reader]
            columns = list(reader.fieldnames or ())
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"expected a CSV in UTF-8 at {path}, got something else ({error}); export it anew") from error
    if missing := [name for name in needed if name not in columns]:
        also = f" (and optional {', '.join(optional)})" if optional else ""
        raise InputError(
            f"{path.name}: expected the columns {', '.join(needed)}{also}, got {', '.join(columns) or 'none'}; "
            f"add {', '.join(missing)}"
        )
    if not rows:
        raise InputError(f"{path.name}: expected a line for each image, got none; add lines")
    return rows


def _line(row: Mapping[str, str | None], place: str) -> Line:
    clean, attacked = _score(row, "clean", place), _score(row, "attacked", place)
    return _text(row, "image", place), clean, attacked, _number(row, "mos", place)


def _text(row: Mapping[str, str | None], column: str, place: str) -> str:
    if not (text := row.get(column)):
        raise InputError(f"{place}: expected a name in the column {column}, got nothing; fill it in")
    return text


def _score(row: Mapping[str, str | None], column: str, place: str) -> float:
    value = _number(row, column, place)
    if value is None:
        raise InputError(
            f"{place}: expected a finite number as {column}, got nothing; fill it in or leave the line out"
        )
    return value


def _number(row: Mapping[str, str | None], column: str, place: str) -> float | None:
    """Return the number in a column; None where it is empty or not there."""
    text = row.get(column)
    if text is None or not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{place}: expected a finite number as {column}, got {text!r}; correct the line")
    return value
