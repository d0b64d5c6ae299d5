"""Tables of clean and attacked scores that people bring: read, checked and made into runs."""

import re
from collections.abc import Sequence
from pathlib import Path

from robustiqa_core.csv_tables.mos import FILE
from robustiqa_core.csv_tables.mos import MOS as ANY_MOS
from robustiqa_core.csv_tables.reader import Column, CsvRow, CsvTable, parse_strength, read_csv
from robustiqa_core.errors import InputError
from robustiqa_core.evaluation.tables.runs import ScoreRun, check_same_clean, make_run

ATTACK = "attack"
"""What an attack without a name is called."""

Line = tuple[str, float, float, float | None]

_MODEL = Column("model", others=("metric", "method_name", "iqa", "iqa_model"))
_VARIANT = Column("variant", needed=False, filled=False)
_IMAGE = Column("image", others=("file", *FILE.others))
_CLEAN = Column(
    "clean",
    "number",
    others=(
        "clean_score",
        "clean_val",
        "clean_value",
        "clear",
        "clear_val",
        "clear_score",
        "score_clean",
        "original_score",
        "original",
    ),
)
_ATTACKED = Column(
    "attacked",
    "number",
    others=(
        "rounded_score",
        "attacked_score",
        "attacked_val",
        "attacked_value",
        "score_attacked",
        "adversarial_score",
        "adversarial",
        "adv_score",
        "adv",
    ),
)
_ATTACK = Column("attack", needed=False, filled=False, others=("attack_name", "attack_method"))
_STRENGTH = Column("strength", "strength", needed=False, filled=False, others=("eps", "epsilon"))
_MOS = Column("mos", "number", needed=False, filled=False, others=ANY_MOS.others)
_COLUMNS = (_MODEL, _IMAGE, _CLEAN, _ATTACKED, _ATTACK, _STRENGTH, _MOS)

_NUMBER = r"[0-9]+(?:[.,][0-9]+)?"
_OF_STRENGTH = re.compile(
    rf"(?P<attack>.*?)(?P<eps>eps|epsilon|strength)?[\s_=:(-]*(?P<strength>{_NUMBER}(?:\s*/\s*{_NUMBER})?)\)?"
    r"(?:[\s_-]*(?:score|value|val))?",
    re.IGNORECASE,
)
_ATTACKED_WORDS = re.compile(r"attacked|adversarial|adv", re.IGNORECASE)
_NO_ATTACK = re.compile(rf"{_ATTACKED_WORDS.pattern}|scores?|values?|val", re.IGNORECASE)
"""Words in the name of a column that do not tell one attack from another."""


def read_score_table(path: Path, *, lower_is_better: bool = False) -> tuple[ScoreRun, ...]:
    """Return the runs of a CSV of clean and attacked scores, in the order of the file.

    Args:
        path: in any form that `csv_tables` reads, with the columns model, image, clean and attacked, and where they
            are known attack, strength (a number, or a fraction such as 4/255) and mos (larger is better); one line for
            each photo, model, attack and strength. Or wide: in place of attacked and strength one column for each
            strength, named like `attacked_val_eps=2`; then the model may be missing and is called like the file.
            Other columns are not read.
        lower_is_better: whether a smaller score means a better photo; the signs of clean and attacked are turned.

    Raises:
        InputError: no such file, no CSV, a column or number missing or wrong (the message names the line), an image
            twice in one run, or clean scores of one model that differ between its runs (the message names both).
    """
    table = read_csv(path, _COLUMNS)
    collected: dict[tuple[str, str, float | None], list[Line]] = {}
    sign = -1.0 if lower_is_better else 1.0
    for name, (image, clean, attacked, mos) in _wide_lines(table, path) or _long_lines(table):
        collected.setdefault(name, []).append((image, sign * clean + 0.0, sign * attacked + 0.0, mos))
    runs = tuple(make_run(*name, lines) for name, lines in collected.items())
    check_same_clean(runs)
    return runs


Named = tuple[tuple[str, str, float | None], Line]


def _long_lines(table: CsvTable) -> list[Named]:
    """Return (model, attack, strength) and the scores of each line."""
    rows = table.rows((*_COLUMNS, _VARIANT))
    _check_unit(table, [row.texts["strength"] for row in rows])
    return [
        ((_model(row), row.texts["attack"] or ATTACK, row.numbers["strength"]), _line(row, "attacked")) for row in rows
    ]


def _wide_lines(table: CsvTable, path: Path) -> list[Named]:
    """Return the same of a table with a column for each strength; nothing of another table."""
    named = {column: found for column in table.header if (found := _attack_and_strength(column)) is not None}
    if not named or table.has(_ATTACKED):
        return []
    _check_unit(table, [text for _, text in named.values()])
    model = Column("model", needed=False, filled=False, others=_MODEL.others)
    rows = table.rows((model, _VARIANT, _IMAGE, _CLEAN, _ATTACK, _MOS, *(Column(name, "number") for name in named)))
    return [
        ((_model(row) or path.stem, attack or row.texts["attack"] or ATTACK, parse_strength(text)), _line(row, column))
        for column, (attack, text) in named.items()
        for row in rows
    ]


def _attack_and_strength(column: str) -> tuple[str, str] | None:
    """Return the attack, which may be empty, and the strength in the name of a column such as `pgd_eps=4/255`."""
    found = _OF_STRENGTH.fullmatch(column)
    if found is None or "clean" in column.casefold():
        return None
    if found["eps"] is None and _ATTACKED_WORDS.search(found["attack"]) is None:
        return None
    return re.sub(r"[\s_=:(-]+", " ", _NO_ATTACK.sub("", found["attack"])).strip(), found["strength"]


def _check_unit(table: CsvTable, strengths: Sequence[str]) -> None:
    """Raise InputError where one strength is written as a fraction of the range, and another in steps of it."""
    fraction = next((text for text in strengths if "/" in text), None)
    steps = next((text for text in strengths if "/" not in text and (parse_strength(text) or 0.0) > 1), None)
    if fraction is not None and steps is not None:
        raise InputError(
            f"{table.name}: expected strengths in one unit, got {fraction} and {steps}; use one unit for all"
        )


def _model(row: CsvRow) -> str:
    return "-".join(filter(None, (row.texts["model"], row.texts["variant"])))


def _line(row: CsvRow, attacked: str) -> Line:
    return row.texts["image"], row.number("clean"), row.number(attacked), row.numbers["mos"]
