"""S-CNN learns to tell distortions, and DBCNN takes what it learnt."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from robustiqa_core.errors import ConfigurationError, InputError, MissingWeightsError
from robustiqa_core.images.degradations import DEGRADATIONS
from robustiqa_core.models.scnn import SCNN, SCNN_CLASSES
from robustiqa_core.training.datasets import load_pixels
from robustiqa_core.training.distortions import PUBLISHED_CLASSES, DistortedCrops, Distortion, list_photos
from robustiqa_core.training.sampling import Sample
from robustiqa_core.training.scnn import SCNNCard, SCNNSettings, accuracy, load_scnn, save_scnn, train_scnn
from robustiqa_core.training.steps import TrainingRecord

pytestmark = pytest.mark.thorough

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "weights" / "scnn.pkl"
CPU = torch.device("cpu")
EASY = (Distortion("noise", 5), Distortion("blur", 5), Distortion("underexposure", 5), Distortion("overexposure", 5))
# Ten steps an epoch.
SETTINGS = SCNNSettings(epochs=3, batch_size=8, resize=64, crop=64, versions=2, warmup=0, rate=3e-3)


def run(
    textures: tuple[Path, ...], folder: Path, settings: SCNNSettings = SETTINGS, *, stop: int = 0
) -> tuple[list[TrainingRecord], SCNN | None, SCNNCard | None]:
    records: list[TrainingRecord] = []
    for item in train_scnn(
        textures[:44], settings, command="none", device=CPU, run_dir=folder, classes=EASY, workers=0
    ):
        if not isinstance(item, TrainingRecord):
            return records, *item
        records.append(replace(item, seconds=0.0))
        if item.step == stop:
            break
    return records, None, None


def assert_equal(network: SCNN, other: SCNN) -> None:
    for name, value in network.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_it_learns_to_tell_four_strong_distortions_apart(textures: tuple[Path, ...], tmp_path: Path) -> None:
    records, network, card = run(textures, tmp_path)
    assert network is not None
    assert card is not None
    assert records[-1].step == 30
    unseen = DistortedCrops(textures[44:], EASY, resize=64, crop=64, seed=9)
    # One in four by chance.
    assert accuracy(network, unseen, SETTINGS) >= 0.75
    figures = [record.figure for record in records if record.figure is not None]
    assert card.accuracy == pytest.approx(max(figures), abs=1e-4)
    assert card.classes == ("noise 5", "blur 5", "underexposure 5", "overexposure 5")
    assert (card.training.photos, card.validation_photos) == (40, 4)
    assert card.training.settings["stopped_after_epoch"] == 3
    assert card.training.settings["best_epoch"] == 1 + figures.index(max(figures))
    written = save_scnn(network, card, tmp_path / "scnn.safetensors")
    assert json.loads((tmp_path / "scnn.json").read_text())["sha256"] == written.sha256
    (tmp_path / "renamed.pkl").write_bytes((tmp_path / "scnn.safetensors").read_bytes())
    for name in ("scnn.safetensors", "renamed.pkl"):
        loaded = load_scnn(tmp_path / name)
        assert_equal(loaded, network)
        assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_a_killed_training_resumes_to_the_same_bits(textures: tuple[Path, ...], tmp_path: Path) -> None:
    # Five steps an epoch.
    settings = replace(SETTINGS, epochs=2, versions=1)
    expected, unbroken, _ = run(textures, tmp_path / "unbroken", settings)
    run(textures, tmp_path / "killed", settings, stop=7)
    records, resumed, _ = run(textures, tmp_path / "killed", settings)
    # The end of the first epoch had been saved.
    assert records == expected[5:]
    assert unbroken is not None
    assert resumed is not None
    assert_equal(resumed, unbroken)


def test_the_classes_are_those_of_the_paper() -> None:
    assert len(set(PUBLISHED_CLASSES)) == SCNN_CLASSES
    assert {distortion.kind for distortion in PUBLISHED_CLASSES} <= DEGRADATIONS.keys()


def test_a_crop_shows_its_class_and_depends_on_seed_and_sample_alone(textures: tuple[Path, ...]) -> None:
    def crops(*classes: Distortion, seed: int = 0) -> DistortedCrops:
        return DistortedCrops(textures[:8], classes, resize=80, crop=80, seed=seed)

    dark = Distortion("underexposure", 5)
    pixels, number = crops(*EASY)[Sample(3, 1, 1)]
    assert (pixels.shape, pixels.dtype) == ((3, 80, 80), torch.uint8)
    again, same = crops(*EASY)[Sample(3, 1, 1)]
    assert torch.equal(pixels, again)
    assert number == same
    drawn = {crops(*EASY)[Sample(index, epoch)][1] for index in range(8) for epoch in range(4)}
    assert drawn == {0.0, 1.0, 2.0, 3.0}
    clean = load_pixels(textures[0]).float().mean()
    assert crops(dark)[Sample(0, 0)][0].float().mean() < 0.5 * clean
    # What is random in a distortion differs from crop to crop.
    noise = [crops(Distortion("noise", 5), seed=seed)[Sample(0, 0)][0] for seed in (0, 1)]
    assert not torch.equal(*noise)


def test_photos_are_found_in_folders_of_folders(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for index in range(20):
        (tmp_path / ("more" if index % 2 else ".") / f"{index}.JPG").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no photo")
    assert len(list_photos(tmp_path)) == 20
    with pytest.raises(InputError, match=r"at least 20 photos.*got 10"):
        list_photos(tmp_path / "more")


def test_a_file_that_is_no_scnn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="train-scnn"):
        load_scnn(tmp_path / "scnn.safetensors")
    for name, message in (("text.pkl", "cannot be read safely"), ("text.safetensors", "expected safetensors")):
        (tmp_path / name).write_text("not a checkpoint")
        with pytest.raises(InputError, match=message):
            load_scnn(tmp_path / name)
    safetensors.torch.save_file({"other": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="not known: other"):
        load_scnn(tmp_path / "other.safetensors")
    state = SCNN(5).state_dict()
    del state["features.scnn3.conv.weight"]
    safetensors.torch.save_file(state, tmp_path / "part.safetensors")
    with pytest.raises(InputError, match=r"missing: features\.scnn3\.conv\.weight"):
        load_scnn(tmp_path / "part.safetensors")


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="needs shared/data/weights/scnn.pkl beside the repository")
def test_the_published_file_is_told_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "downloaded").write_bytes(PUBLISHED.read_bytes())
    published = load_scnn(tmp_path / "downloaded")
    assert published.classifier.out_features == SCNN_CLASSES
    assert_equal(load_scnn(PUBLISHED), published)


@pytest.mark.parametrize("change", [{"crop": 300}, {"versions": 0}, {"rate": 0.0}, {"epochs": 0}])
def test_nonsense_settings_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        SCNNSettings(**change)  # type: ignore[arg-type]
