from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from robustiqa_core.errors import ConfigurationError, NumericalError
from robustiqa_core.files import read_tensors
from robustiqa_core.models import QualityModel, build
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.baseline import new_network, round_to_half, to_unit_interval
from robustiqa_core.training.datasets import (
    LabelledPhoto,
    TrainingCrops,
    load_pixels,
    mask_corner,
    resize_short_side,
    select,
)
from robustiqa_core.training.loop import TrainingSettings, fit_score_mapping, predict, train
from robustiqa_core.training.sampling import Sample
from robustiqa_core.training.state import state_path
from robustiqa_core.training.steps import TrainingRecord

pytestmark = pytest.mark.thorough

# Three steps an epoch.
SETTINGS = TrainingSettings(epochs=2, batch_size=4, resize=80, crop=64, warmup=2, trunk_rate=1e-3)
PRETRAINED = ("features.", "scnn.")


def new_model(name: str = "linearity") -> QualityModel:
    torch.manual_seed(0)
    return build(name, {"short_side": 80}, ScoreRange(0, 1))


def run(
    model: QualityModel,
    photos: Sequence[LabelledPhoto],
    folder: Path,
    settings: TrainingSettings = SETTINGS,
    *,
    stop: int = 0,
    stop_after: int | None = None,
    save_seconds: float = 1000,
) -> list[TrainingRecord]:
    """Train, and be killed after step `stop`."""
    records = []
    for record in train(
        model,
        select(photos, "train"),
        select(photos, "validation"),
        settings,
        run_dir=folder,
        stop_after=stop_after,
        workers=0,
        save_seconds=save_seconds,
    ):
        records.append(replace(record, seconds=0.0))
        if record.step == stop:
            break
    return records


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("linearity", replace(SETTINGS, balanced=True)),
        # Killed inside the stage in which only the new layers learn, and between the two.
        ("dbcnn", replace(SETTINGS, head_epochs=1)),
        ("tres", SETTINGS),
    ],
)
def test_a_killed_training_resumes_to_the_same_weights(
    name: str, settings: TrainingSettings, photos: tuple[LabelledPhoto, ...], tmp_path: Path
) -> None:
    unbroken, resumed = new_model(name), new_model(name)
    expected = run(unbroken, photos, tmp_path / "unbroken", settings)
    assert [record.step for record in expected] == [1, 2, 3, 4, 5, 6]
    assert [record.figure is not None for record in expected] == [False, False, True, False, False, True]
    # Killed in the second step of the first epoch: the first step had been saved.
    assert run(new_model(name), photos, tmp_path / "killed", settings, stop=2, save_seconds=0) == expected[:2]
    # Killed in the second epoch: the end of the first had been saved.
    assert run(new_model(name), photos, tmp_path / "killed", settings, stop=5) == expected[1:5]
    assert run(resumed, photos, tmp_path / "killed", settings) == expected[3:]
    for key, value in unbroken.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key


def test_only_new_layers_learn_in_the_first_stage(photos: tuple[LabelledPhoto, ...], tmp_path: Path) -> None:
    settings = replace(SETTINGS, head_epochs=1)
    start, model = new_model("dbcnn").state_dict(), new_model("dbcnn")
    run(model, photos, tmp_path, settings, stop_after=1)
    first = {name: value.clone() for name, value in model.state_dict().items()}
    changed = {name for name, value in first.items() if not torch.equal(value, start[name])}
    assert changed == {"fc.weight", "fc.bias"}
    assert all(parameter.requires_grad for parameter in model.parameters())
    run(new_model("dbcnn"), photos, tmp_path, settings)
    second = read_tensors(state_path(tmp_path))[0]
    statistics = {name for name in start if name.endswith(("running_mean", "running_var", "num_batches_tracked"))}
    assert len({name for name in statistics if name.startswith(PRETRAINED)}) > 100
    for name in statistics | {name for name, _ in model.named_parameters()}:
        assert not torch.equal(second[f"model/{name}"], first[name]), name


def test_balanced_training_sees_other_photos(photos: tuple[LabelledPhoto, ...], tmp_path: Path) -> None:
    skewed = [replace(photo, mos=photo.mos**4) for photo in photos]
    losses = {
        run(new_model(), skewed, tmp_path / str(balanced), replace(SETTINGS, balanced=balanced), stop=1)[0].loss
        for balanced in (False, True)
    }
    assert len(losses) == 2


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


@pytest.mark.parametrize("change", [{"epochs": -1}, {"crop": 500}, {"trunk_rate": 0.0}, {"precision": "float16"}])
def test_nonsense_settings_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        TrainingSettings(**change)  # type: ignore[arg-type]


def test_predict_leaves_the_mode_as_it_was(photos: tuple[LabelledPhoto, ...]) -> None:
    model = new_model().train()
    scores: Tensor = predict(model, photos[:2])
    assert model.training
    assert scores.shape == (2,)


def test_a_photo_that_comes_again_in_an_epoch_is_cropped_elsewhere(photos: tuple[LabelledPhoto, ...]) -> None:
    crops = TrainingCrops(photos, resize=80, crop=64, seed=0)
    seen = {crops[Sample(15, 0, repeat)][0].numpy().tobytes() for repeat in range(4)}
    assert len(seen) > 1


def test_the_mos_are_learnt_on_the_scale_0_to_1(photos: tuple[LabelledPhoto, ...]) -> None:
    in_percent = [replace(photo, mos=1 + 99 * photo.mos) for photo in photos]
    scaled = to_unit_interval(in_percent, ScoreRange(1.0, 100.0))
    assert [photo.mos for photo in scaled] == pytest.approx([photo.mos for photo in photos])
    assert to_unit_interval(photos, ScoreRange(0.0, 1.0)) == photos


@pytest.mark.parametrize(("name", "scnn"), [("dbcnn", None), ("linearity", {})])
def test_scnn_weights_are_for_dbcnn_and_for_no_other(name: str, scnn: dict[str, Tensor] | None) -> None:
    with pytest.raises(ConfigurationError, match="--scnn FILE with --model dbcnn"):
        new_network(name, {"short_side": 80}, seed=0, device=torch.device("cpu"), trunk={}, scnn=scnn)


def test_a_new_network_has_the_weights_of_its_branches_and_leaves_the_random_state() -> None:
    known = new_model("dbcnn")
    before = torch.random.get_rng_state()
    made = [
        new_network(
            "dbcnn",
            {"short_side": 80},
            seed=seed,
            device=torch.device("cpu"),
            trunk=known.features.state_dict(),
            scnn=known.get_submodule("scnn").state_dict(),
        )
        for seed in (1, 1, 2)
    ]
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, value in known.state_dict().items():
        if name.startswith(PRETRAINED):
            assert torch.equal(made[0].state_dict()[name], value), name
    heads = [network.get_parameter("fc.weight") for network in made]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


# Where the watermark was found in BIQ2021: rows and columns of 512.
WATERMARK = (slice(460, 487), slice(0, 67))


@pytest.mark.parametrize("size", [(512, 512), (299, 299), (384, 512), (768, 1024)])
def test_the_masked_corner_hides_the_watermark_and_nothing_else(size: tuple[int, int]) -> None:
    height, width = size
    photo = torch.randint(0, 255, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    marked = photo.clone()
    rows, columns = (
        slice(part.start * side // 512, -(-part.stop * side // 512)) for part, side in zip(WATERMARK, size, strict=True)
    )
    marked[:, rows, columns] = 255
    masked = mask_corner(marked)
    assert torch.equal(masked, mask_corner(photo))
    assert (masked < 255).all()
    assert marked[:, rows, columns].max() == 255
    changed = (masked != marked).any(0).nonzero()
    assert changed[:, 0].min() >= 0.88 * height
    assert changed[:, 1].max() <= 0.15 * width


class MeanScore(nn.Module):
    """Scores by brightness."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("k", torch.tensor(1.0))

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((1, 2, 3))


def test_predict_scores_the_photos_with_or_without_their_corner(tmp_path: Path) -> None:
    Image.new("RGB", (100, 100), (51, 51, 51)).save(tmp_path / "plain.png")
    marked = Image.new("RGB", (100, 100), (51, 51, 51))
    marked.paste((255, 255, 255), (0, 90, 13, 95))
    marked.save(tmp_path / "marked.png")
    both = [LabelledPhoto(tmp_path / f"{name}.png", 0.5, "test") for name in ("plain", "marked")]
    seen, masked = (predict(MeanScore(), both, mask_corner=mask).tolist() for mask in (False, True))
    assert seen == pytest.approx([0.2, 0.2 + 0.8 * 13 * 5 / 100**2], abs=1e-6)
    assert masked == pytest.approx([0.2, 0.2], abs=1e-6)
    assert load_pixels(both[1].path)[0, :, 92, 5].tolist() == [255, 255, 255]
