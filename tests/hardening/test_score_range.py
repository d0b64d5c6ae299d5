"""A model's own range is measured on the photos of its baseline's, or is called what it is."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from workshop import Workshop

from robustiqa_core import cli
from robustiqa_core.checkpoints.storage import list_cards, load_card, load_network, load_scorer, save_checkpoint
from robustiqa_core.errors import InputError, NumericalError
from robustiqa_core.evaluation.mos import score_photos
from robustiqa_core.files import read_json
from robustiqa_core.folders import CHECKPOINTS_VARIABLE
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard, RangeSource, unmeasured_ranges
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.baseline import with_validation
from robustiqa_core.training.datasets import LabelledPhoto, select
from robustiqa_core.training.score_range import RANGE_PHOTOS, photos_sha256, range_of, range_photos

pytestmark = pytest.mark.thorough

CPU = torch.device("cpu")


@pytest.fixture
def checkpoints(baseline: QualityModel, card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a baseline and a variant of it that states the baseline's range."""
    root = tmp_path / "checkpoints"
    small = replace(card, settings={"short_side": 96})
    for variant in ("baseline", "mine"):
        save_checkpoint(baseline, replace(small, variant=variant), root=root)
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(root))
    return root


@pytest.fixture
def measure(labelled: tuple[LabelledPhoto, ...], tmp_path: Path) -> Callable[..., int]:
    """The command with the labelled photos as a table."""
    table = tmp_path / "scores.csv"
    lines = [f"{photo.path.name},{photo.mos},{photo.split}" for photo in labelled]
    table.write_text("\n".join(["file,mos,split", *lines]) + "\n")
    words = ["--dataset", "csv", "--root", str(labelled[0].path.parent), "--scores", str(table), "--device", "cpu"]
    return lambda *names: cli.main(["measure-range", *names, *words])


def test_the_command_writes_the_lowest_and_highest_score_of_the_training_photos(
    checkpoints: Path,
    measure: Callable[..., int],
    labelled: tuple[LabelledPhoto, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    weights = (checkpoints / "linearity-mine.safetensors").read_bytes()
    before = load_card("linearity", "mine")
    assert measure("linearity-mine", "--json") == 0
    (printed,) = json.loads(capsys.readouterr().out)
    card = load_card("linearity", "mine")
    learning = select(with_validation(labelled, 0), "train")
    scores = list(score_photos(load_scorer("linearity", "mine", device=CPU), learning, device=CPU))
    assert card.score_range == ScoreRange(min(scores), max(scores)) != before.score_range
    source = card.range_source
    assert source is not None
    assert (source.kind, source.photos, source.of) == ("measured", 12, "scores, training split, drawn with seed 0")
    assert source.command == "robustiqa measure-range linearity-mine --dataset csv --seed 0 --root FOLDER"
    assert source.photos_sha256 == photos_sha256(learning)
    assert printed["high"] == card.score_range.high
    assert load_network("linearity", "mine", device=CPU).score_range == card.score_range
    # Nothing but the range and its source: not a bit of the weights, and no other line of the card.
    assert (checkpoints / "linearity-mine.safetensors").read_bytes() == weights
    assert replace(card, score_range=before.score_range, range_source=None) == before
    assert load_card("linearity").score_range == before.score_range


def test_all_models_are_measured_on_the_same_photos_and_a_second_time_changes_nothing(
    checkpoints: Path, measure: Callable[..., int]
) -> None:
    assert measure() == 0
    first = [path.read_bytes() for path in sorted(checkpoints.glob("*.json"))]
    assert len({card.range_source.photos_sha256 for card in list_cards() if card.range_source}) == 1
    assert measure() == 0
    assert [path.read_bytes() for path in sorted(checkpoints.glob("*.json"))] == first


def test_a_range_that_differs_by_rounding_only_stays(checkpoints: Path, measure: Callable[..., int]) -> None:
    assert measure("linearity-mine") == 0
    path = checkpoints / "linearity-mine.json"
    card = read_json(path)
    card["score_range"]["high"] += 1e-6 * (card["score_range"]["high"] - card["score_range"]["low"])
    path.write_text(json.dumps(card))
    assert measure("linearity-mine") == 0
    assert read_json(path)["score_range"] == card["score_range"]


def test_an_unknown_model_is_refused_with_those_that_there_are(
    checkpoints: Path, measure: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure("linearity-yours") == 2
    assert "linearity-baseline, linearity-mine" in capsys.readouterr().err


def test_a_hardened_card_says_that_its_range_is_matched_to_the_start_and_not_its_own(workshop: Workshop) -> None:
    _, result = workshop.run()
    card = result.card
    assert card.range_source == RangeSource("matched", 8, "linearity-baseline")
    assert "on 8 held-out crops, not measured" in card.range_source.words
    assert {
        each["scale"]["convention"] for each in (card.hardening["attacked"][key] for key in ("baseline", "hardened"))
    } == {"baseline"}
    assert unmeasured_ranges([card], [card.stem]) == {card.stem: card.range_source.words}


def test_old_cards_are_read_and_their_ranges_called_what_they_are(card: ModelCard) -> None:
    old = card.to_json()
    del old["range_source"]
    trained = replace(card.training, dataset="X, training split", settings={"mapping_photos": 2000})
    read = ModelCard.from_json(old, place="an old card")
    assert read.known_range_source is None
    known = replace(read, training=trained).known_range_source
    assert known == RangeSource("measured", 2000, "X, training split")
    hardened = replace(read, variant="h", hardening={"recipe": {"start": "baseline"}, "agreement": {"crops": 256}})
    assert hardened.known_range_source == RangeSource("matched", 256, "linearity-baseline")
    assert unmeasured_ranges([read, hardened], ["linearity-baseline", "linearity-h"]).keys() == {"linearity-h"}


def test_a_source_that_is_neither_measured_nor_matched_is_refused(card: ModelCard) -> None:
    for wrong in ({"kind": "guessed", "photos": 1, "of": "x"}, {"kind": "measured"}, "measured"):
        with pytest.raises(InputError):
            ModelCard.from_json({**card.to_json(), "range_source": wrong}, place="the card")


def test_the_draw_is_at_most_2000_photos_and_depends_on_the_seed_alone() -> None:
    many = [LabelledPhoto(Path(f"{index}.png"), 0.5, "train") for index in range(RANGE_PHOTOS + 500)]
    drawn = range_photos(many)
    assert len(set(drawn)) == RANGE_PHOTOS
    assert range_photos(many) == drawn != range_photos(many, 1)


@pytest.mark.parametrize("scores", [[0.5, 0.5], [0.1, float("nan"), 0.3]])
def test_scores_without_a_range_are_refused(scores: list[float]) -> None:
    with pytest.raises(NumericalError, match="differ from photo to photo"):
        range_of(scores)
