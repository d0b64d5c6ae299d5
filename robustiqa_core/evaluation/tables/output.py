"""The finished table as Parquet, CSV or JSON."""

import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from robustiqa_core.errors import ConfigurationError
from robustiqa_core.evaluation.tables.rows import Skipped, TableRow
from robustiqa_core.files import encode_text, write_bytes, write_json

ENDINGS = (".parquet", ".csv", ".json")
"""Of the files that a table can be written to."""


def check_out(path: Path) -> Path:
    """Return `path` if a table can be written to it, else raise ConfigurationError; asked before hours of work."""
    if path.suffix.lower() not in ENDINGS:
        raise ConfigurationError(f"--out must end in {', '.join(ENDINGS)}, got {path.name!r}; change the name")
    return path


def table_frame(rows: Sequence[TableRow]) -> pd.DataFrame:
    """Return the rows as a tidy frame: one line a row, and names with a dot for what has parts (`settings.eps`).

    A setting that an attack does not have is empty in its rows.
    """
    return pd.json_normalize([row.to_json() for row in rows]).convert_dtypes()


def write_table(path: Path, rows: Sequence[TableRow], skipped: Sequence[Skipped] = ()) -> None:
    """Write the table whole or not at all; the ending of `path` says how.

    Parquet and CSV have one line a row. JSON keeps parts as objects, under `rows`, and has what is missing too.

    Args:
        path: ends in .parquet, .csv or .json.
        rows: in their order.
        skipped: what is missing from the table.

    Raises:
        ConfigurationError: another ending.
    """
    ending = check_out(path).suffix.lower()
    if ending == ".json":
        write_json(path, {"rows": [row.to_json() for row in rows], "skipped": [asdict(record) for record in skipped]})
    elif ending == ".csv":
        write_bytes(path, encode_text(table_frame(rows).to_csv(index=False)))
    else:
        buffer = io.BytesIO()
        table_frame(rows).to_parquet(buffer, index=False)
        write_bytes(path, buffer.getvalue())
