"""The archive of a run: every photo byte by byte, the table, and names that are files on every system."""

import csv
import io
import json
import zipfile

import pytest
import torch
from tiny_scorer import CARD, TinyScorer

from robustiqa_core.attacks import FGSM
from robustiqa_core.images.photo import Photo, decode_image
from robustiqa_core.scorer import ScoreRange
from ui.attacks.batch_job import BatchOutcome, batch_records
from ui.attacks.batch_recipe import BatchRecipe
from ui.attacks.recipe import PhotoChoice
from ui.lab.files import lab_zip

NAMES = ("a b.png", "../../etc/passwd", "\\..\\x", "a b.png", "...", "ü.jpg")
RANGES = {CARD.stem: ScoreRange(0.0, 2.0), "linearity-hardened": ScoreRange(0.0, 1.0)}


@pytest.fixture(scope="module")
def outcome() -> BatchOutcome:
    choices = tuple(PhotoChoice("upload", name, name, 512, str(place)) for place, name in enumerate(NAMES))
    recipe = BatchRecipe(choices, (("linearity", "baseline"), ("linearity", "hardened")), FGSM(4 / 255))
    photos = [
        Photo(torch.full((1, 3, 64, 64), (20 + place) / 255), name, "PNG", (64, 64), (), "")
        for place, name in enumerate(NAMES)
    ]
    *_, last = batch_records(recipe, [TinyScorer(), TinyScorer(slope=5.0)], photos, torch.device("cpu"))
    assert isinstance(last, BatchOutcome)
    return last


def test_the_archive_has_every_photo_and_a_table_that_says_what_the_reports_say(outcome: BatchOutcome) -> None:
    with zipfile.ZipFile(io.BytesIO(lab_zip(outcome, RANGES))) as archive:
        names = archive.namelist()
        assert len(names) == len(set(names)) == 2 + len(NAMES) * (1 + 2 * 2)
        for name in names:
            assert not name.startswith(("/", "."))
            assert ".." not in name.split("/")
            assert name.isascii()
        rows = list(csv.DictReader(io.StringIO(archive.read("table.csv").decode())))
        table = json.loads(archive.read("table.json"))
        for place, photo in enumerate(outcome.photos):
            folder = next(name.split("/")[0] for name in names if name.startswith(f"{place + 1:02d}-"))
            assert archive.read(f"{folder}/clean.png") == photo.runs[0].clean_png
            for number, stem in enumerate(outcome.recipe.stems):
                report = photo.runs[number].report
                stored = archive.read(f"{folder}/{stem}-fgsm.png")
                assert stored == photo.runs[number].adversarial_png
                row = rows[2 * place + number]
                assert (row["photo"], row["model"]) == (NAMES[place], stem)
                assert float(row["rounded_score"]) == report.rounded_score
                assert float(TinyScorer(slope=(20.0, 5.0)[number])(decode_image(stored).images)) == pytest.approx(
                    report.rounded_score, abs=1e-6
                )
                assert float(row["share"]) == pytest.approx(report.gain / RANGES[stem].width)
                assert json.loads(archive.read(f"{folder}/{stem}-fgsm.json"))["rounded_score"] == report.rounded_score
    for mean in table["means"]:
        found = [float(row["gain"]) for row in rows if row["model"] == mean["model"]]
        assert mean["gain"] == pytest.approx(sum(found) / len(found))


def test_the_same_run_gives_the_same_bytes(outcome: BatchOutcome) -> None:
    assert lab_zip(outcome, RANGES) == lab_zip(outcome, RANGES)
