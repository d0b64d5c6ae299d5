"""Tables of users are read in every usual form, and end in a result or in one clear error."""

import codecs
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robustiqa_core.csv_tables.mos import read_mos
from robustiqa_core.csv_tables.reader import Column, parse_strength, read_csv
from robustiqa_core.errors import InputError
from robustiqa_core.evaluation.tables.score_table import read_score_table
from robustiqa_core.training.tables import list_table

MOS_LINES = ("file,mos", "a.png,0.5", "b.png,1.25")
EXPECTED = {"a.png": 0.5, "b.png": 1.25}


def written(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def scores(path: Path) -> dict[str, float | None]:
    return {entry.file: entry.mos for entry in read_mos(path)}


PLAIN = "\n".join(MOS_LINES) + "\n"


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", ";").replace(".5", ",5").replace(".25", ",25"),
        "sep=;\n" + PLAIN.replace(",", ";"),
        '"sep=\t"\r\n' + PLAIN.replace(",", "\t"),
        codecs.BOM_UTF8 + PLAIN.encode(),
        codecs.BOM_UTF8 + ("sep=;\r\n" + PLAIN.replace(",", ";")).encode(),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"),
        "\n" + PLAIN + "\n\n",
        "FILE , Mos\na.png , 0.5\n b.png, 1.25\n",
        'file,mos\n"a.png", "0,5"\n"b.png" ,"1,25"\n',
        "Image Name,MOS,,\na.png,0.5,,\nb.png,1.25,,\n",
        "image_name,mean-MOS\na.png,0.5\nb.png,1.25\n",
        "number,filename,mos_mean,std\n1,a.png,0.5,.1\n2,b.png,1.25,.2\n",
        "file,mos\n.\\a.png,5e-1\n./b.png,+1.25\n",
        "file,mos\na.png,0.5\nb.png,1.25\n;;;\n".replace(";;;", ",,"),
    ],
)
def test_a_table_is_read_in_every_usual_form(data: str | bytes, tmp_path: Path) -> None:
    assert scores(written(tmp_path / "mos.csv", data)) == EXPECTED


def test_names_with_separators_accents_and_folders_are_read(tmp_path: Path) -> None:
    table = written(tmp_path / "mos.csv", 'file;mos\n"a;b.png";1\nd\\caf\xe9.png;2\n'.encode("cp1252"))
    assert scores(table) == {"a;b.png": 1.0, "d/café.png": 2.0}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("file,mos\na.png,0,5\n", "line 2: expected 2 cells as in the header, separated by commas, got 3"),
        ("file;mos\na.png;0,5\nb.png;0.5\n", "line 3: expected decimal points or decimal commas"),
        ("file;mos\na.png;1.234,5\n", r"line 2: expected a finite number as mos, got '1\.234,5'"),
        ("file,mos\na.png,inf\n", "line 2: expected a finite number as mos, got 'inf'"),
        ('file,mos\na.png,"1\nb.png,2\n', "line 2: expected quotes that end in their line"),
        ("file,mos,MOS\na.png,1,2\n", "expected one column mos, got 'mos' and 'MOS'"),
        ("file|mos\na.png|1\n", r"got file\|mos \(separated by commas\); add file, mos"),
        ("file,dmos\na.png,1\n", "add --dmos if so"),
        (
            "file,mos\na.png,1\nb.png,2\na.png,1\n",
            r"line 4: expected each photo once, got a\.png as in mos\.csv line 2",
        ),
        ("file,mos\nx\\a.png,1\nx/a.png,2\n", "line 3: expected each photo once"),
        (",mos\na.png,1\n", "add file"),
        ("file,mos\n,1\n", "line 2: expected a name in the column file"),
        (b"\x89PNG\r\n\x1a\n\0\0", "expected a table as text"),
        (b"PK\x03\x04", "export it as CSV"),
        ("", "add file, mos"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_with_its_line(data: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_mos(written(tmp_path / "mos.csv", data))


def test_difference_scores_are_turned_only_where_it_is_said(tmp_path: Path) -> None:
    table = written(tmp_path / "mos.csv", "file,dmos\na.png,10\nb.png,40\n")
    assert {entry.file: entry.mos for entry in read_mos(table, dmos=True)} == {"a.png": -10.0, "b.png": -40.0}


def test_a_score_that_is_not_known_is_no_number(tmp_path: Path) -> None:
    table = written(tmp_path / "mos.csv", "file,mos\na.png,\nb.png,NA\nc.png,nan\nd.png,1\n")
    assert scores(table) == {"a.png": None, "b.png": None, "c.png": None, "d.png": 1.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4/255", 4 / 255),
        ("4 / 255", 4 / 255),
        ("0.5/255", 0.5 / 255),
        ("0,5", 0.5),
        ("4", 4.0),
        ("4/0", None),
        ("x", None),
    ],
)
def test_strengths_are_read_as_fractions_too(text: str, value: float | None) -> None:
    assert parse_strength(text) == value


LONG = (
    "model,image,clean,attacked,attack,strength,mos\n"
    "m,a.png,0.1,0.3,pgd,2/255,1\nm,b.png,0.2,0.5,pgd,2/255,\nm,c.png,0.3,0.5,pgd,2/255,3\n"
)
WIDE = "image;clean_val;attacked_val_eps=2;attacked_val_eps=4\na.png;0,1;0,3;0,5\nb.png;0,2;0,5;0,7\n"
DATA = "file,mos,split\na.png,1,test\nb.png,2,train\nc.png,3,\n"
BASES = [LONG, WIDE, DATA, PLAIN, LONG.replace(",", "\t"), "sep=;\n" + DATA.replace(",", ";")]
PIECES = st.sampled_from(
    ['"', ",", ";", "\t", "\n", "\r", "0", "/", "=", "é", "\0", "\ufeff", "mos", "eps=2", "x" * 300, "\\"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    base=st.sampled_from(BASES),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 8), PIECES), max_size=6),
    cut=st.integers(0, 3),
)
def test_mutated_tables_end_in_a_result_or_in_one_clear_error(
    base: str, encoding: str, edits: list[tuple[float, int, str]], cut: int, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).touch()
    text = base
    for share, removed, piece in edits:
        place = round(share * len(text))
        text = text[:place] + piece + text[place + removed :]
    data = text.encode(encoding, "replace")
    table = written(tmp_path / "table.csv", data[: len(data) - cut])
    for read in (read_mos, read_score_table, lambda path: list_table(path, tmp_path)):
        try:
            read(table)
        except InputError as error:
            assert "; " in str(error)
            assert "\n" not in str(error)
            assert len(str(error)) < 1500


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_random_bytes_are_refused_or_read(data: bytes, tmp_path: Path) -> None:
    columns = (Column("file"), Column("mos", "number"))
    try:
        read_csv(written(tmp_path / "table.csv", data), columns).rows(columns)
    except InputError as error:
        assert "; " in str(error)
