"""The rows of a table: complete, in order, independent of batches, and resumable."""

import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import pandas as pd
import pytest
from table_scorers import ATTACKS, Contrast, plan, save_photos

from robustiqa_core.attacks import AttackResult, AttackStep, complete, parse_attack, run
from robustiqa_core.errors import ConfigurationError, InputError
from robustiqa_core.evaluation.tables.attack_grid import attack_grid, label_attack
from robustiqa_core.evaluation.tables.evaluate import evaluate, evaluate_steps
from robustiqa_core.evaluation.tables.journal import Journal, journal_path
from robustiqa_core.evaluation.tables.output import check_out, table_frame, write_table
from robustiqa_core.evaluation.tables.photos import batches, find_photos, read_names
from robustiqa_core.evaluation.tables.plan import TablePlan, in_order
from robustiqa_core.evaluation.tables.rows import Skipped, TableRow
from robustiqa_core.images.photo import read_image
from robustiqa_core.metrics.fidelity import haarpsi

SIZES = [(80, 64), (72, 64), (80, 64), (80, 64), (72, 64)]


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    return save_photos(tmp_path / "photos", SIZES)


def rows_of(paths: list[Path], table: TablePlan) -> list[TableRow]:
    records = list(evaluate(paths, table))
    assert all(isinstance(record, TableRow) for record in records)
    return in_order(records, paths, table)  # type: ignore[arg-type]


def test_there_is_one_row_for_each_photo_model_attack_and_strength_in_their_order(photos: list[Path]) -> None:
    table = plan(Contrast(), Contrast(2.0))
    rows = rows_of(photos, table)
    found = [(row.report.image, row.stem, row.report.attack, row.strength) for row in rows]
    attacks = [("pgd", 2 / 255), ("pgd", 4 / 255), ("noise", 2 / 255), ("noise", 4 / 255)]
    expected = itertools.product(map(str, photos), ("contrast-0", "contrast-1"), attacks)
    assert found == [(image, stem, *attack) for image, stem, attack in expected]
    assert len({row.key for row in rows}) == len(rows)


def test_a_row_has_what_the_attack_alone_gives(photos: list[Path]) -> None:
    scorer = Contrast()
    row = rows_of(photos, plan(scorer))[5]
    photo = read_image(photos[1])
    result = complete(ATTACKS[1], scorer, photo.images)
    assert row.report.image_sha256 == photo.sha256
    assert row.report.clean_score == result.clean_scores.item()
    assert row.report.adversarial_score == result.adversarial_scores.item()
    assert row.report.rounded_score == result.rounded_scores.item()
    assert row.haarpsi == haarpsi(result.images, result.rounded).item()
    assert (row.report.width, row.report.height) == (72, 64)
    assert row.report.settings["steps"] == 2
    assert row.report.gradient_calls == 2
    assert row.score_range == scorer.score_range
    assert row.versions.keys() >= {"robustiqa", "torch", "numpy", "python"}
    assert "--steps 2" in row.report.command
    assert row.table_command == "a test"


def test_a_table_can_be_closed_between_two_steps_of_an_attack(photos: list[Path]) -> None:
    table = plan(Contrast())
    records = evaluate_steps(photos, table)
    steps = [next(records) for _ in range(2)]
    assert [(step.step, step.steps) for step in steps if isinstance(step, AttackStep)] == [(0, 2), (1, 2)]
    records.close()
    everything = list(evaluate_steps(photos, table))
    rows = [record for record in everything if isinstance(record, TableRow)]
    assert [row.key for row in rows] == [row.key for row in evaluate(photos, table) if isinstance(row, TableRow)]
    batches_of_a_size = 2
    expected = batches_of_a_size * sum(attack.steps + 1 for attack in table.attacks)
    assert sum(isinstance(record, AttackStep) for record in everything) == expected


def test_no_figure_depends_on_the_batch(photos: list[Path]) -> None:
    together = rows_of(photos, plan(Contrast(), batch_size=4))
    alone = rows_of(photos, plan(Contrast(), batch_size=1))
    assert [row.batch for row in alone] == [1] * len(alone)
    assert {row.batch for row in together} == {2, 3}

    def timeless(rows: list[TableRow]) -> list[TableRow]:
        return [replace(row, batch=0, report=replace(row.report, seconds=0.0)) for row in rows]

    assert timeless(together) == timeless(alone)


def test_the_seconds_of_the_rows_add_up_to_the_time_of_the_attacks(
    photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    results: list[AttackResult] = []

    def watched(*arguments: Any) -> Iterator[AttackStep | AttackResult]:
        for record in run(*arguments):
            if isinstance(record, AttackResult):
                # As long as no attack on these photos takes, so that rounding does not matter.
                record = replace(record, seconds=60.0 + len(results))
                results.append(record)
            yield record

    monkeypatch.setattr("robustiqa_core.evaluation.tables.evaluate.run", watched)
    rows = rows_of(photos, plan(Contrast(), attacks=ATTACKS[:1]))
    assert {row.batch for row in rows} == {2, 3}
    assert sum(row.report.seconds for row in rows) == pytest.approx(sum(result.seconds for result in results))


def test_photos_of_one_size_go_together_and_memory_is_bounded(tmp_path: Path) -> None:
    paths = save_photos(tmp_path, [*SIZES, *((64 + index, 64) for index in range(12))])
    found = list(batches(paths, batch_size=2, max_side=2048))
    assert all(isinstance(batch, tuple) for batch in found)
    names = [[PurePath(opened.place).name for opened in batch] for batch in found if isinstance(batch, tuple)]
    assert sorted(itertools.chain(*names)) == [path.name for path in paths]
    assert names[0] == ["00.png", "02.png"]
    assert names[1] == ["01.png", "04.png"]
    # More than four batches of two waited before the photos were all read: the oldest went alone.
    assert names[2] == ["03.png"]
    assert names == [
        [PurePath(opened.place).name for opened in batch]
        for batch in batches(paths, batch_size=2, max_side=2048)
        if isinstance(batch, tuple)
    ]


def test_a_photo_that_cannot_be_used_is_reported_and_the_others_are_done(photos: list[Path], tmp_path: Path) -> None:
    damaged, small = tmp_path / "damaged.png", tmp_path / "small.png"
    damaged.write_bytes(photos[0].read_bytes()[:200])
    save_photos(tmp_path / "small", [(40, 30)])[0].rename(small)
    records = list(evaluate([damaged, photos[0], small], plan(Contrast(), attacks=ATTACKS[:1])))
    skipped = [record for record in records if isinstance(record, Skipped)]
    assert [record.image for record in skipped] == [str(damaged), str(small)]
    assert "damaged.png" in skipped[0].reason
    assert "at least 64 x 64 px, got 40 x 30" in skipped[1].reason
    assert [record.report.image for record in records if isinstance(record, TableRow)] == [str(photos[0])]


def test_a_score_that_is_not_finite_costs_its_own_row_only(photos: list[Path]) -> None:
    clean = {path: read_image(path).images.mean().item() for path in photos}
    brightest = max(photos, key=lambda path: clean[path])
    threshold = sorted(clean.values())[-2] + 0.01
    assert clean[brightest] > threshold
    records = list(evaluate(photos, plan(Contrast(hidden=threshold), attacks=ATTACKS[:1], batch_size=4)))
    (skipped,) = [record for record in records if isinstance(record, Skipped)]
    assert (skipped.image, skipped.model) == (str(brightest), "contrast-0")
    assert skipped.attack is not None
    assert skipped.attack.startswith("pgd:")
    assert "finite" in skipped.reason
    assert len(records) == len(photos)


def test_transferred_scores_are_those_of_the_stored_image_on_the_other_models(photos: list[Path]) -> None:
    first, second = Contrast(), Contrast(2.0)
    rows = rows_of(photos[:2], plan(first, second, attacks=ATTACKS[:1], transfer=True))
    for row, path in zip(rows, (photos[0], photos[0], photos[1], photos[1]), strict=True):
        own, other = (first, second) if row.stem == "contrast-0" else (second, first)
        name = "contrast-1" if own is first else "contrast-0"
        rounded = complete(ATTACKS[0], own, read_image(path).images).rounded
        assert row.transfer == {name: pytest.approx(other(rounded).item())}
    assert rows_of(photos[:2], plan(first, second, attacks=ATTACKS[:1]))[0].transfer == {}


def test_human_scores_are_found_by_the_path_of_the_photo(photos: list[Path]) -> None:
    table = replace(plan(Contrast(), attacks=ATTACKS[:1]), mos={str(photos[0]): 4.5, photos[1].name: 1.0})
    assert [row.mos for row in rows_of(photos[:2], table)] == [4.5, None]


def test_a_killed_run_goes_on_where_it_was_and_ends_with_the_same_rows(photos: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "table.parquet"
    scorer = Contrast()
    table = plan(scorer)
    unbroken = rows_of(photos, table)
    with Journal(journal_path(out), table.settings()) as journal:
        for record in itertools.islice(evaluate(photos, table), 7):
            assert isinstance(record, TableRow)
            journal.append(record)
    with journal_path(out).open("ab") as file:
        # What a kill in the middle of a write leaves behind.
        file.write(b'{"key": "torn')
    scorer.calls = 0
    with Journal(journal_path(out), table.settings()) as journal:
        assert len(journal.rows) == 7
        known = dict(journal.rows)
        for record in evaluate(photos, table, known=known):
            assert isinstance(record, TableRow)
            journal.append(record)
        resumed = in_order(journal.rows.values(), photos, table)
    assert {row.key for row in known.values()} < {row.key for row in resumed}
    assert [row.report.rounded_score for row in resumed] == [row.report.rounded_score for row in unbroken]
    lines = journal_path(out).read_text().splitlines()
    assert len(lines) == 1 + len(unbroken)
    scorer.calls = 0
    with Journal(journal_path(out), table.settings()) as journal:
        again = [record for record in evaluate(photos, table, known=journal.rows) if isinstance(record, TableRow)]
    assert scorer.calls == 0
    assert in_order(again, photos, table) == resumed


def test_a_journal_of_other_settings_is_refused_and_names_them(photos: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "table.csv.journal.jsonl"
    table = plan(Contrast())
    with Journal(path, table.settings()):
        pass
    other = plan(Contrast(), attacks=attack_grid(["pgd:steps=3"]))
    with pytest.raises(ConfigurationError, match=r"started with, attacks = .*steps=2.*got .*steps=3.*another --out"):
        Journal(path, other.settings())
    with pytest.raises(ConfigurationError, match=r'models = \{"contrast-0": ""\}'):
        Journal(path, plan(Contrast(), Contrast()).settings())
    # Only how the photos are put together differs.
    with Journal(path, replace(table, batch_size=1).settings()) as journal:
        assert journal.rows == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"model,image\n", "line 1, got something else"),
        (b"{}\n", "got another file"),
        (b"[]\n", "line 1, got"),
        (b"HEADER\n{}\n", "line 2, got one that does not match"),
        (b"HEADER\nnot JSON\n", "line 2, got something else"),
    ],
)
def test_a_damaged_journal_is_refused_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "journal.jsonl"
    table = plan(Contrast())
    with Journal(path, table.settings()):
        pass
    header = path.read_bytes().strip()
    path.write_bytes(content.replace(b"HEADER", header))
    with pytest.raises(InputError, match=message):
        Journal(path, table.settings())


def test_a_row_survives_json(photos: list[Path]) -> None:
    for row in rows_of(photos[:1], plan(Contrast(), Contrast(2.0), transfer=True)):
        text = json.dumps(row.to_json(), allow_nan=False)
        assert TableRow.from_json(json.loads(text), place="a test") == row


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".json"])
def test_the_table_is_tidy_in_every_format(photos: list[Path], tmp_path: Path, ending: str) -> None:
    rows = rows_of(photos, plan(Contrast(), Contrast(2.0), transfer=True))
    out = tmp_path / f"table{ending}"
    write_table(out, rows, [Skipped("broken.png", "cannot be read")])
    if ending == ".parquet":
        frame = pd.read_parquet(out)
    elif ending == ".csv":
        frame = pd.read_csv(out)
    else:
        written = json.loads(out.read_text())
        assert written["skipped"] == [
            {"image": "broken.png", "reason": "cannot be read", "model": None, "attack": None}
        ]
        frame = pd.json_normalize(written["rows"])
    assert len(frame) == len(rows)
    assert frame["rounded_score"].tolist() == pytest.approx([row.report.rounded_score for row in rows], abs=1e-12)
    assert frame["settings.eps"].tolist() == pytest.approx([row.strength for row in rows])
    # Noise has no steps, PGD has.
    assert frame["settings.steps"].isna().tolist() == [row.report.attack == "noise" for row in rows]
    assert frame["transfer.contrast-1"].isna().tolist() == [row.stem == "contrast-1" for row in rows]
    assert {"model", "variant", "image", "attack", "strength", "command", "table_command", "versions.torch"} <= set(
        frame
    )


def test_a_parquet_table_keeps_its_types(photos: list[Path]) -> None:
    types = table_frame(rows_of(photos[:1], plan(Contrast()))).dtypes
    assert str(types["settings.steps"]) == "Int64"
    assert str(types["rounded_score"]) == "Float64"
    assert str(types["image"]) == "string"


def test_a_table_of_another_kind_is_refused_before_the_work() -> None:
    with pytest.raises(ConfigurationError, match=r"must end in \.parquet, \.csv, \.json, got 'table\.xlsx'"):
        check_out(Path("table.xlsx"))


def test_photos_are_found_by_file_folder_and_word(photos: list[Path], tmp_path: Path) -> None:
    (photos[0].parent / "notes.txt").write_text("no photo")
    assert find_photos([str(photos[0].parent)]).paths == tuple(photos)
    assert find_photos([str(photos[3]), str(photos[0].parent)], limit=2).paths == (photos[3], photos[0])
    assert len(find_photos(["samples"]).paths) > 5
    # One file that is named in two ways is one photo.
    detour = photos[0].parent / ".." / photos[0].parent.name / photos[0].name
    assert find_photos([str(photos[0]), str(detour)]).paths == (photos[0],)
    (tmp_path / "empty").mkdir()
    for word, message in ((tmp_path / "empty", "got none"), (tmp_path / "nowhere", "'samples', got")):
        with pytest.raises(InputError, match=message):
            find_photos([str(word)])
    with pytest.raises(ConfigurationError, match="limit"):
        find_photos(["samples"], limit=0)


def test_a_grid_has_each_attack_in_each_strength() -> None:
    attacks = attack_grid(["pgd:steps=3", "noise"], [2 / 255, 4 / 255])
    assert attacks == tuple(
        parse_attack(text) for text in ("pgd:steps=3,eps=2/255", "pgd:steps=3,eps=4/255", "noise:eps=2/255", "noise")
    )
    assert attack_grid(["noise"]) == (parse_attack("noise"),)
    with pytest.raises(ConfigurationError, match="eps once"):
        attack_grid(["pgd:eps=1/255"], [2 / 255])
    with pytest.raises(ConfigurationError, match="noise:eps=4/255,norm=linf,seed=0 twice"):
        attack_grid(["noise", "noise:seed=0"])


def test_attacks_are_told_apart_by_what_differs_from_the_default() -> None:
    assert label_attack("pgd", {"eps": 1 / 255, "steps": 10, "norm": "linf"}) == "pgd"
    assert label_attack("pgd", {"eps": 1 / 255, "steps": 20, "step_size": 1 / 255}) == "pgd:steps=20,step_size=1/255"


def test_a_plan_refuses_what_cannot_be_told_apart() -> None:
    with pytest.raises(ConfigurationError, match="distinct models"):
        plan()
    with pytest.raises(ConfigurationError, match="distinct attacks"):
        plan(Contrast(), attacks=ATTACKS[:1] * 2)
    with pytest.raises(ConfigurationError, match="at least two models"):
        plan(Contrast(), transfer=True)
    with pytest.raises(ConfigurationError, match="batch_size"):
        plan(Contrast(), batch_size=0)


def test_a_list_takes_its_photos_in_its_order_and_names_what_is_missing(photos: list[Path], tmp_path: Path) -> None:
    folder, listed = str(photos[0].parent), tmp_path / "chosen.txt"
    chosen = [photos[3], photos[0], photos[1]]
    listed.write_text("# which they are\n\n" + "\n".join(path.name for path in chosen) + "\n")
    assert find_photos([folder], names=str(listed)).paths == tuple(chosen)
    assert find_photos([folder], names=str(listed), limit=2).paths == tuple(chosen[:2])
    listed.write_text("\n".join([photos[0].name, *(f"lost{number}.png" for number in range(7))]))
    with pytest.raises(InputError, match=r"got 1 of them; missing: lost0\.png, .*lost4\.png, \.\.\.; add them"):
        find_photos([folder], names=str(listed))
    for text, message in (("# nothing\n", "got none"), ("a.png\na.png\n", "a.png twice")):
        listed.write_text(text)
        with pytest.raises(InputError, match=message):
            find_photos([folder], names=str(listed))
    with pytest.raises(InputError, match=r"one of nips2017_200, got 'nowhere'"):
        find_photos([folder], names="nowhere")


def test_the_list_of_the_documentation_is_that_of_the_photos_where_they_are_there() -> None:
    names = read_names("nips2017_200")
    assert len(names) == 200
    assert list(names) == sorted(names)
    folder = Path(os.environ.get("ROBUSTIQA_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "nips2017"
    if not folder.is_dir():
        pytest.skip(f"the 200 photos are not at {folder}; they may not be shipped")
    assert [path.name for path in find_photos([str(folder)], names="nips2017_200").paths] == list(names)
