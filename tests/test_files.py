"""Places for results, asked about before the work: every kind that cannot be written to is refused in words."""

import errno
import json
import os
from pathlib import Path

import pytest

from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.files import (
    check_output,
    check_output_folder,
    encode_text,
    read_bytes,
    read_json,
    read_text,
    write_bytes,
    write_json,
)

TOO_LONG = "n" * 256 + ".png"


def test_a_new_file_in_a_folder_that_is_not_there_is_allowed_and_nothing_is_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "figure.png"
    assert check_output(path, endings=[".png"]) == path
    assert check_output(tmp_path / "figure.PNG", endings=[".png"])
    assert list(tmp_path.iterdir()) == []


def test_a_name_as_long_as_the_file_system_allows_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".png")
    write_bytes(check_output(path), b"data")
    assert path.read_bytes() == b"data"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root, "got the folder"),
        (lambda root: root / TOO_LONG, "a name that is too long"),
        (lambda root: root / TOO_LONG / "figure.png", "a name that is too long"),
        (lambda root: root.joinpath(*["n" * 200] * 30), "a name that is too long"),
        (lambda root: root / ("é" * 70) / ("é" * 130), "a name that is too long"),
        (lambda root: root / os.fsdecode(b"caf\xe9.png"), r"caf\\udce9.png with other bytes"),
        (lambda root: root / "a\0b", "name of a file"),
        (lambda root: Path("/proc/x.png"), "got /proc/x.png: "),
        (lambda root: Path("/proc/x/y/x.png"), "got /proc/x/y/x.png: "),
        (lambda root: Path("/dev/null"), "got the device /dev/null"),
        (lambda root: root / "file" / "x.png", "a place below a file"),
        (lambda root: root / "loop" / "x.png", "links that go round"),
        (lambda root: root / "pipe", "got the device"),
        (lambda root: root / "file", "exists; name another one, or add --overwrite"),
    ],
)
def test_a_place_for_a_file_that_is_none_is_refused(tmp_path: Path, make: object, message: str) -> None:
    (tmp_path / "file").write_text("an earlier result")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigurationError, match=message) as caught:
        check_output(make(tmp_path), option="--png")  # type: ignore[operator]
    assert "--png" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "an earlier result"


@pytest.mark.parametrize(("number", "message"), [(errno.EACCES, "no permission"), (errno.EROFS, "read only")])
def test_a_folder_that_the_system_refuses_to_write_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    """As for a user without permission; root, whom the tests may run as, has all."""

    def refuse(**_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    for check in (check_output, check_output_folder):
        with pytest.raises(ConfigurationError, match=message):
            check(tmp_path / "new")


def test_a_file_is_replaced_only_where_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    path.write_text("old")
    with pytest.raises(ConfigurationError, match="which exists"):
        check_output(path)
    assert check_output(path, overwrite=True) == path
    assert path.read_text() == "old"


def test_what_a_link_leads_to_is_written_and_the_link_stays(tmp_path: Path) -> None:
    link, target = tmp_path / "link.png", tmp_path / "target.png"
    target.write_text("old")
    link.symlink_to(target)
    with pytest.raises(ConfigurationError, match="which exists"):
        check_output(link)
    write_bytes(check_output(link, overwrite=True), b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("name", ["s.pdf", "s", "s.png.gz", ".png"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--png must end in \.png, got"):
        check_output(tmp_path / name, option="--png", endings=[".png"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root / "file", "must be a folder, got the file"),
        (lambda root: root / "file" / "below", "a place below a file"),
        (lambda root: root / ("n" * 256), "too long"),
        (lambda root: Path("/proc/x"), "got /proc/x: "),
        (lambda root: Path("/proc"), "got /proc: "),
        (lambda root: root / os.fsdecode(b"\xe9"), "must be a UTF-8 name|in UTF-8"),
    ],
)
def test_a_folder_that_takes_no_files_is_refused(tmp_path: Path, make: object, message: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=message):
        check_output_folder(make(tmp_path), option="--run-dir")  # type: ignore[operator]


def test_a_folder_may_be_there_or_not(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "new" / "folder"):
        assert check_output_folder(path) == path
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root / "none", "got no file"),
        (lambda root: root, "got a folder"),
        (lambda root: root / TOO_LONG, "too long"),
        (lambda root: root / "a\0b", "null"),
        (lambda root: root / "latin1", "not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_was_expected(tmp_path: Path, make: object, message: str) -> None:
    (tmp_path / "latin1").write_bytes("é".encode("latin-1"))
    with pytest.raises(InputError, match=f"expected a list of models at .*{message}.*; correct it"):
        read_text(make(tmp_path), expected="a list of models", remedy="correct it")  # type: ignore[operator]


def test_text_is_read_with_and_without_its_mark(tmp_path: Path) -> None:
    for mark in (b"", b"\xef\xbb\xbf"):
        (tmp_path / "text").write_bytes(mark + "é".encode())
        assert read_text(tmp_path / "text", expected="text", remedy="correct it") == "é"
    assert read_bytes(tmp_path / "text", expected="text", remedy="correct it") == "\ufeffé".encode()


def test_a_file_name_that_is_no_text_survives_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \xc3\xa9.png")
    write_json(tmp_path / "report.json", {"image": name})
    assert read_json(tmp_path / "report.json") == {"image": name}
    assert os.fsencode(json.loads(encode_text(json.dumps(name, ensure_ascii=False)))) == b"caf\xe9 \xc3\xa9.png"


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "1" * 10_000, "[1]", "", "nul", '{"a": ' * 50_000, '{"a": NaN}', '{"a": 1, "b": {"c": 1, "c": 2}}'],
)
def test_what_is_no_json_object_is_refused_in_one_way(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(InputError, match=r"expected (a )?JSON.* in .*card\.json"):
        read_json(tmp_path / "card.json")
