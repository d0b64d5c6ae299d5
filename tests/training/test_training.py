from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from robustiqa_core.errors import ConfigurationError, InputError, NumericalError
from robustiqa_core.models import ARCHITECTURES, QualityModel, build
from robustiqa_core.models.tres import TReSOutputs
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.baseline import round_to_half, with_validation
from robustiqa_core.training.datasets import (
    LabelledPhoto,
    Sample,
    TrainingCrops,
    read_biq2021,
    read_table,
    resize_short_side,
    select,
)
from robustiqa_core.training.loop import TrainingRecord, TrainingSettings, fit_score_mapping, predict, train
from robustiqa_core.training.losses import linearity_loss, norm_in_norm, ranking_loss, tres_loss
from robustiqa_core.training.splits import difference_hash, hold_out, scenes

SETTINGS = TrainingSettings(epochs=2, batch_size=4, resize=80, crop=64, warmup=2, trunk_rate=1e-3)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelledPhoto, ...]:
    """Sixteen photos whose quality is their contrast."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    result = []
    for index in range(16):
        mos = index / 15
        pixels = 127.5 + 127.5 * mos * generator.uniform(-1, 1, (12, 15, 3))
        path = folder / f"{index}.png"
        Image.fromarray(pixels.round().astype(np.uint8)).resize((100, 80), Image.Resampling.NEAREST).save(path)
        result.append(LabelledPhoto(path, mos, "train" if index % 4 else "validation"))
    return tuple(result)


def new_model(name: str = "linearity") -> QualityModel:
    torch.manual_seed(0)
    return build(name, {"short_side": 80}, ScoreRange(0, 1))


def run(
    model: QualityModel, photos: tuple[LabelledPhoto, ...], folder: Path, stop: int | None = None
) -> list[TrainingRecord]:
    records = []
    learning, validation = select(photos, "train"), select(photos, "validation")
    for record in train(model, learning, validation, SETTINGS, run_dir=folder, workers=0, save_seconds=0):
        records.append(record)
        if record.step == stop:
            break
    return records


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_killed_training_resumes_to_the_same_weights(
    name: str, photos: tuple[LabelledPhoto, ...], tmp_path: Path
) -> None:
    def untimed(records: list[TrainingRecord]) -> list[TrainingRecord]:
        return [replace(record, seconds=0.0) for record in records]

    unbroken, killed, resumed = new_model(name), new_model(name), new_model(name)
    expected = run(unbroken, photos, tmp_path / "unbroken")
    first = run(killed, photos, tmp_path / "killed", stop=2)
    second = run(resumed, photos, tmp_path / "killed")
    # The step at which it was killed had not been saved, and is taken again.
    assert untimed(first[:1] + second) == untimed(expected)
    assert second[0].seconds > first[0].seconds
    assert [record.step for record in expected] == [1, 2, 3, 4, 5, 6]
    assert [record.validation_srocc is not None for record in expected] == [False, False, True, False, False, True]
    for key, value in unbroken.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_a_training_that_is_stopped_early_goes_on_later(photos: tuple[LabelledPhoto, ...], tmp_path: Path) -> None:
    learning, validation = select(photos, "train"), select(photos, "validation")

    def records(stop_after: int | None) -> list[TrainingRecord]:
        run_dir = tmp_path / "run"
        return list(
            train(new_model(), learning, validation, SETTINGS, run_dir=run_dir, stop_after=stop_after, workers=0)
        )

    assert [record.step for record in records(1)] == [1, 2, 3]
    assert [record.step for record in records(None)] == [4, 5, 6]
    with pytest.raises(ConfigurationError, match="stop_after"):
        records(3)


def test_a_state_of_other_settings_is_refused(photos: tuple[LabelledPhoto, ...], tmp_path: Path) -> None:
    run(new_model(), photos, tmp_path, stop=2)
    other = TrainingSettings(epochs=3, batch_size=4, resize=80, crop=64)
    with pytest.raises(InputError, match="other settings"):
        next(train(new_model(), select(photos, "train"), select(photos, "validation"), other, run_dir=tmp_path))


def test_fewer_photos_than_a_batch_are_refused(photos: tuple[LabelledPhoto, ...], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one batch of 16"):
        next(train(new_model(), photos[:3], photos[:3], TrainingSettings(), run_dir=tmp_path))


def test_a_crop_depends_on_seed_epoch_and_photo_alone(photos: tuple[LabelledPhoto, ...]) -> None:
    crops = TrainingCrops(photos, resize=80, crop=64, seed=0)
    again = TrainingCrops(photos, resize=80, crop=64, seed=0)
    assert torch.equal(crops[Sample(3, 1)][0], again[Sample(3, 1)][0])
    assert any(not torch.equal(crops[Sample(3, 1)][0], crops[Sample(3, epoch)][0]) for epoch in range(2, 6))
    assert crops[Sample(3, 1)][0].shape == (3, 64, 64)
    assert crops[Sample(3, 1)][1] == photos[3].mos


def test_resizing_goes_both_ways_and_keeps_the_aspect() -> None:
    pixels = torch.full((1, 3, 100, 50), 7, dtype=torch.uint8)
    for side in (25, 80):
        resized = resize_short_side(pixels, side)
        assert resized.shape == (1, 3, 2 * side, side)
        assert (resized == 7).all()


def test_the_mapping_makes_the_scores_match_the_mos(photos: tuple[LabelledPhoto, ...]) -> None:
    model = new_model().eval()
    scores = predict(model, photos)
    mos = 3 * scores + 0.5
    fit_score_mapping(model, scores, mos)
    assert torch.allclose(predict(model, photos), mos, atol=1e-4)
    with pytest.raises(NumericalError, match="rise with the MOS"):
        fit_score_mapping(model, mos, -mos)


def test_rounding_to_half_changes_no_weight_by_more_than_half_precision() -> None:
    model = new_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    round_to_half(model)
    for name, value in model.state_dict().items():
        assert torch.allclose(value.double(), before[name].double(), rtol=2**-10, atol=1e-7)


def hand_computed(predictions: list[float], mos: list[float]) -> float:
    a, b = np.array(predictions) - np.mean(predictions), np.array(mos) - np.mean(mos)
    return float(np.abs(a / np.sqrt((a**2).sum()) - b / np.sqrt((b**2).sum())).sum() / (2 * np.sqrt(len(a))))


def test_norm_in_norm_equals_its_formula_and_stays_between_0_and_1() -> None:
    predictions, mos = [0.3, -1.0, 2.0, 0.1], [0.5, 0.2, 0.9, 0.7]
    found = norm_in_norm(torch.tensor(predictions)[:, None], torch.tensor(mos))
    assert found.item() == pytest.approx(hand_computed(predictions, mos), abs=1e-6)
    worst = norm_in_norm(-torch.tensor([0.0, 1.0])[:, None], torch.tensor([0.0, 1.0]))
    assert worst.item() == pytest.approx(1.0, abs=1e-6)


def test_the_training_loss_weighs_the_taps_by_a_tenth() -> None:
    mos = torch.tensor([0.0, 1.0])
    perfect, worst = mos, -mos
    loss = linearity_loss(torch.stack((perfect, worst, worst), 1), mos)
    assert loss.item() == pytest.approx(0.2 / 1.2, abs=1e-6)


def test_the_ranking_loss_equals_its_formula_worked_by_hand() -> None:
    # Sorted by MOS: predictions 0.2, 0.6, 0.5 with MOS 0, 0.4, 1; span 0.3.
    found = ranking_loss(torch.tensor([0.5, 0.2, 0.6]), torch.tensor([1.0, 0.0, 0.4]))
    assert found.item() == pytest.approx((0.4 - 0.3 + 0.6) + (0.1 - 0.3 + 0.4), abs=1e-6)


def test_the_tres_loss_is_zero_for_perfect_and_consistent_outputs_and_counts_each_part() -> None:
    mos = torch.tensor([0.0, 0.4, 1.0])
    maps = torch.zeros(3, 2, 1, 1)
    perfect = TReSOutputs(mos[:, None], maps, maps)
    assert tres_loss(perfect, perfect, mos).item() == pytest.approx(0.0, abs=1e-6)
    moved = TReSOutputs(mos[:, None], maps + 0.25, maps - 0.5)
    assert tres_loss(perfect, moved, mos).item() == pytest.approx(0.75, abs=1e-6)
    halved = TReSOutputs(0.5 * mos[:, None], maps, maps)
    ranking = ranking_loss(0.5 * mos, mos).item()
    expected = 0.5 * mos.mean().item() + 0.5 * ranking + 0.05 * ranking
    assert tres_loss(perfect, halved, mos).item() == pytest.approx(expected, abs=1e-6)


def test_scenes_are_kept_together_when_photos_are_held_out(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    photos = []
    for scene in range(10):
        pixels = generator.uniform(0, 255, (16, 17))
        for copy in range(3):
            noisy = np.clip(pixels + generator.normal(0, 1, pixels.shape), 0, 255).astype(np.uint8)
            path = tmp_path / f"{scene}-{copy}.png"
            Image.fromarray(noisy).resize((170, 160), Image.Resampling.NEAREST).save(path)
            photos.append(LabelledPhoto(path, 0.5, "train"))
    labels = scenes(np.stack([difference_hash(photo.path) for photo in photos]))
    assert labels.reshape(10, 3).std(axis=1).max() == 0
    assert len(set(labels)) == 10
    held = hold_out(photos, share=0.2, seed=1)
    validation = select(held, "validation")
    assert len(validation) == 6
    assert len({photo.path.name.split("-")[0] for photo in validation}) == 2
    assert hold_out(photos, share=0.2, seed=1) == held


def test_a_data_set_with_a_validation_split_keeps_it(photos: tuple[LabelledPhoto, ...]) -> None:
    assert with_validation(photos, seed=0) == photos


def table(tmp_path: Path, text: str) -> Path:
    (tmp_path / "a.png").write_bytes(b"")
    path = tmp_path / "scores.csv"
    path.write_text(text)
    return path


def test_a_table_of_file_mos_split_is_read(tmp_path: Path) -> None:
    photos = read_table(table(tmp_path, "file,mos,split\na.png,0.5,test\na.png,1,\n"), tmp_path)
    assert [(photo.mos, photo.split) for photo in photos] == [(0.5, "test"), (1.0, "train")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,mos\na.png,1\n", "add file"),
        ("file,mos\na.png,good\n", "line 2.*finite number"),
        ("file,mos\na.png,nan\n", "line 2.*finite number"),
        ("file,mos,split\na.png,1,dev\n", "line 2.*train, validation, test"),
        ("file,mos\nb.png,1\n", r"line 2.*photo at .*b\.png"),
        ("file,mos\n", "at least one photo"),
    ],
)
def test_a_faulty_table_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_table(table(tmp_path, text), tmp_path)


def test_biq2021_is_read_from_its_repository_layout(tmp_path: Path) -> None:
    images = tmp_path / "Images"
    images.mkdir()
    (images / "ss01 (1).JPG").write_bytes(b"")
    (images / "ss01 (2).jpg").write_bytes(b"")
    (tmp_path / "Train (Images and MOS).csv").write_text("Image Name,MOS,,\nss01 (1).jpg,0.25,,\n")
    with pytest.raises(InputError, match="Test"):
        read_biq2021(tmp_path)
    (tmp_path / "Test (Images and MOS).csv").write_text("Image Name,MOS\nss01 (2).jpg,0.75\n")
    photos = read_biq2021(tmp_path)
    assert [(photo.path.name, photo.mos, photo.split) for photo in photos] == [
        ("ss01 (1).JPG", 0.25, "train"),
        ("ss01 (2).jpg", 0.75, "test"),
    ]


@pytest.mark.parametrize("change", [{"epochs": 0}, {"crop": 500}, {"trunk_rate": 0.0}, {"precision": "float16"}])
def test_nonsense_settings_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        TrainingSettings(**change)  # type: ignore[arg-type]


def test_predict_leaves_the_mode_as_it_was(photos: tuple[LabelledPhoto, ...]) -> None:
    model = new_model().train()
    scores: Tensor = predict(model, photos[:2])
    assert model.training
    assert scores.shape == (2,)
