"""Crops are decided by the seed, and what judges is not what was learnt from."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from robustiqa_core.blocks import BlockSettings
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening import HardeningCache, HardeningRecipe, distillation_data, labelled_data
from robustiqa_core.hardening.cache import kept_crops
from robustiqa_core.hardening.data import DistillationCrops, key_of, sample_split
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.datasets import LabelledPhoto, TrainingCrops
from robustiqa_core.training.sampling import Sample

RECIPE = HardeningRecipe(
    "linearity", "after_stage7", BlockSettings(), crops=24, validation_crops=8, resize=64, crop=64, batch_size=4
)


def test_a_crop_depends_on_the_seed_and_the_sample_alone(sample_root: Path) -> None:
    data, again = (distillation_data(RECIPE, root=sample_root) for _ in range(2))
    crops, others = data.training, again.training
    assert [sample.index for sample in data.training_samples(0, 0)] != list(range(24))
    first = [crops[Sample(index, 0)][0] for index in range(12)]
    backwards = [others[Sample(index, 0)][0] for index in reversed(range(12))]
    assert all(torch.equal(a, b) for a, b in zip(first, reversed(backwards), strict=True))
    assert all(pixels.shape == (3, 64, 64) and pixels.dtype == torch.uint8 for pixels in first)
    assert not any(torch.equal(crops[Sample(index, 1)][0], pixels) for index, pixels in enumerate(first))
    shifted = distillation_data(replace(RECIPE, seed=1), root=sample_root).training
    assert not any(torch.equal(shifted[Sample(index, 0)][0], pixels) for index, pixels in enumerate(first))
    assert all(torch.tensor(crops[Sample(index, 0)][1]).isnan() for index in range(3))


@pytest.mark.parametrize("workers", [0, 2])
def test_crops_made_side_by_side_are_those_made_one_by_one(sample_root: Path, workers: int) -> None:
    data, again = (distillation_data(RECIPE, root=sample_root) for _ in range(2))
    samples = data.training_samples(0, 0)
    making = kept_crops(data.training, samples, HardeningCache(), workers=workers)
    done = []
    with pytest.raises(StopIteration) as end:
        while True:
            done.append(next(making).done)
    assert done == [8, 16, 24]
    made = end.value.value
    assert made.targets.isnan().all() and made.targets.dtype == torch.float32
    assert torch.equal(made.pixels, torch.stack([again.training[sample][0] for sample in samples]))


def test_a_quarter_of_the_crops_is_clean_and_the_others_are_degraded(sample_root: Path) -> None:
    (path, *_) = sample_split(sample_root)[0]
    # A crop as large as the photo's shorter side of a photo that is scaled to it: clean ones differ by place alone.
    crops = DistillationCrops([path], 60, resize=64, crop=64, seed=0)
    pixels = [crops[Sample(index, 0)][0].float() for index in range(60)]
    known = crops._photo(0).float()
    windows = known.unfold(2, 64, 1).unbind(2)
    views = [view for window in windows for view in (window, window.flip(2))]
    clean = sum(any(torch.equal(view, crop) for view in views) for crop in pixels)
    assert 6 <= clean <= 26


def test_held_out_sample_photos_are_of_other_scenes() -> None:
    learning, held = ({path.stem for path in paths} for paths in sample_split())
    assert not learning & held
    assert 3 <= len(held) < len(learning)
    # One is the other, out of focus.
    assert not {"mountain_path", "mountain_path_out_of_focus"} & (learning if "mountain_path" in held else held)


def test_what_judges_is_the_same_for_every_seed(sample_root: Path) -> None:
    data, other = (distillation_data(replace(RECIPE, seed=seed), root=sample_root) for seed in (0, 5))
    for crops in (data.validation, other.validation):
        assert isinstance(crops, DistillationCrops)
    assert data.validation_samples == other.validation_samples
    assert key_of(data.validation, data.validation_samples) == key_of(other.validation, other.validation_samples)
    assert key_of(data.training, []) != key_of(other.training, [])
    assert key_of(data.training, [Sample(0, 0)]) != key_of(data.training, [Sample(0, 1)])


def test_labels_are_learnt_from_0_to_1_on_training_photos_only(labelled: tuple[LabelledPhoto, ...]) -> None:
    recipe = replace(RECIPE, data="csv", crops=None)
    data = labelled_data(recipe, labelled, title="Textures", mos_range=ScoreRange(0, 20))
    assert isinstance(data.training, TrainingCrops)
    assert isinstance(data.validation, TrainingCrops)
    assert (data.epoch, data.validation_count, len(data.test), data.photos) == (12, 4, 4, 12)
    assert data.labelled
    assert data.training[Sample(0, 0)][1] == labelled[0].mos / 20
    shown = {photo.path for photo in data.training.photos}
    assert not shown & {photo.path for photo in (*data.validation.photos, *data.test)}
    # Without a nominal range the ends of the training photos are 0 and 1.
    own = labelled_data(recipe, labelled, title="Textures")
    targets = [own.training[Sample(index, 0)][1] for index in range(12)]
    assert (min(targets), max(targets)) == (0, 1)
    few = labelled_data(replace(recipe, crops=8), labelled, title="Textures")
    assert len(few.training_samples(0, 0)) == 8
    assert len(data.training_samples(0, 0)) == 12
    assert few.training_samples(0, 0) != few.training_samples(1, 0)


def test_data_of_the_wrong_kind_is_refused(labelled: tuple[LabelledPhoto, ...]) -> None:
    with pytest.raises(ConfigurationError, match="give its photos"):
        distillation_data(replace(RECIPE, data="csv"))
    with pytest.raises(ConfigurationError, match="name the set in the recipe"):
        labelled_data(RECIPE, labelled, title="Textures")
