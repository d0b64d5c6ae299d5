"""Which human score is of which photo: by path, then by a name that is unique, and never of another photo."""

from pathlib import Path

import pytest

from robustiqa_core.csv_tables.mos import MosMatch, match_mos, read_mos
from robustiqa_core.errors import InputError


def photos(root: Path, *names: str) -> list[Path]:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return [root / name for name in names]


def matched(root: Path, names: list[str], given: list[Path], table: str = "mos.csv") -> MosMatch:
    path = root / table
    path.write_text("file,mos\n" + "".join(f"{name},{place}\n" for place, name in enumerate(names, 1)))
    return match_mos(path, read_mos(path), given)


def by_name(match: MosMatch, root: Path) -> dict[str, float]:
    return {path.relative_to(root).as_posix(): score for path, score in match.scores.items()}


def test_photos_of_one_name_in_two_folders_have_their_own_scores(tmp_path: Path) -> None:
    given = photos(tmp_path, "jp2k/1.png", "jpeg/1.png")
    assert by_name(matched(tmp_path, ["jp2k/1.png", "jpeg\\1.png"], given), tmp_path) == {
        "jp2k/1.png": 1.0,
        "jpeg/1.png": 2.0,
    }


def test_a_photo_never_gets_the_score_of_its_namesake(tmp_path: Path) -> None:
    given = photos(tmp_path, "jp2k/1.png", "jpeg/1.png", "jpeg/2.png")
    match = matched(tmp_path, ["jp2k/1.png"], given)
    assert by_name(match, tmp_path) == {"jp2k/1.png": 1.0}
    assert match.without == (str(given[1]), str(given[2]))
    assert "2 of 3 photos" in match.notes[0]
    assert "jpeg/2.png" in match.notes[0]
    # Not even where the namesake was not given: the table's own file is there.
    for name in ("jp2k/1.png", "jp2k/1"):
        with pytest.raises(InputError, match=r"got none for 2 photos: it names jp2k/1"):
            matched(tmp_path, [name], given[1:])
    # A table in the folder of its photos means these.
    with pytest.raises(InputError, match="got none for 2 photos"):
        matched(tmp_path, ["1.png"], given[1:], "jp2k/mos.csv")


def test_a_bare_name_that_two_photos_have_is_of_neither(tmp_path: Path) -> None:
    given = photos(tmp_path, "a/1.png", "b/1.png", "b/2.png")
    match = matched(tmp_path, ["1", "2"], given)
    assert by_name(match, tmp_path) == {"b/2.png": 2.0}
    assert match.unused == ("1",)
    assert "1 (1)" in match.notes[1]


@pytest.mark.parametrize("name", ["1.png", "1", "1.PNG", "photos/1.png", "moved/1.jpg", "./photos/../photos/1.png"])
def test_a_photo_is_found_by_its_path_or_its_unique_name(name: str, tmp_path: Path) -> None:
    (photo,) = photos(tmp_path, "photos/1.png")
    assert matched(tmp_path, [name], [photo]).scores == {photo: 1.0}
    assert matched(tmp_path, [str(photo)], [photo]).scores == {photo: 1.0}


def test_a_match_by_name_across_folders_is_told(tmp_path: Path) -> None:
    (photo,) = photos(tmp_path, "small/1.png")
    assert "by name alone, such as full/1.png and" in matched(tmp_path, ["full/1.png"], [photo]).notes[0]


def test_a_name_that_no_file_can_have_matches_nothing(tmp_path: Path) -> None:
    given = photos(tmp_path, "1.png")
    assert matched(tmp_path, ["x" * 300, "1.png"], given).unused == ("x" * 300,)
