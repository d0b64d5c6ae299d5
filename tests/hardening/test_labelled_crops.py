"""Labelled crops as a recipe wants them, and what is learnt of them where there is no label: the baseline's score."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from workshop import RECIPE, Workshop

from robustiqa_core.hardening import Epoch, HardeningCache, HardeningRecipe, labelled_data, parse_objective
from robustiqa_core.hardening.cache import KeptCrops
from robustiqa_core.hardening.data import key_of
from robustiqa_core.hardening.targets import Holdout
from robustiqa_core.pruning import PruningSettings
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.datasets import LabelledPhoto, TrainingCrops
from robustiqa_core.training.sampling import Sample

pytestmark = pytest.mark.thorough

LABELLED = replace(RECIPE, data="csv", crops=None, batch_size=4, validation_crops=4, degraded=0.5)


def test_a_share_of_the_crops_is_degraded_and_has_no_label(labelled: tuple[LabelledPhoto, ...]) -> None:
    whole = labelled_data(replace(LABELLED, degraded=0.0), labelled, title="Textures").training
    some, again = (labelled_data(LABELLED, labelled, title="Textures").training for _ in range(2))
    degraded = 0
    for epoch in range(10):
        for index in range(len(some)):
            (pixels, mos), (clean, known) = some[Sample(index, epoch)], whole[Sample(index, epoch)]
            assert torch.equal(pixels, again[Sample(index, epoch)][0])
            if torch.tensor(mos).isnan():
                degraded += not torch.equal(pixels, clean)
            else:
                assert torch.equal(pixels, clean)
                assert mos == known
    assert 40 <= degraded <= 80, "half of 120, some of which a weak degradation leaves as they are"
    assert key_of(some, []) != key_of(whole, [])
    other = labelled_data(replace(LABELLED, degraded=0.25), labelled, title="Textures").training
    assert key_of(some, []) != key_of(other, [])


def test_photos_are_reduced_as_far_as_asked_for_and_labels_left_out(labelled: tuple[LabelledPhoto, ...]) -> None:
    reduced = replace(LABELLED, degraded=0.0, resize=96, smallest_resize=64)
    crops = labelled_data(reduced, labelled, title="Textures").training
    assert isinstance(crops, TrainingCrops)
    samples = [Sample(index, epoch, repeat) for index in range(12) for epoch in range(3) for repeat in range(3)]
    sides = [crops.side(sample) for sample in samples]
    assert sides == [crops.side(sample) for sample in samples]
    assert 64 <= min(sides) < 70
    assert 90 < max(sides) <= 96
    pixels, mos = crops[Sample(3, 0)]
    assert pixels.shape == (3, 64, 64)
    assert mos == crops.photos[3].mos
    taught = labelled_data(replace(reduced, targets="baseline"), labelled, title="Textures")
    crop, target = taught.training[Sample(3, 0)]
    assert torch.equal(crop, pixels)
    assert torch.tensor(target).isnan()
    assert not torch.tensor(taught.validation[Sample(0, 0)][1]).isnan(), "what judges has its labels"
    keys = {
        key_of(labelled_data(recipe, labelled, title="Textures").training, [])
        for recipe in (reduced, replace(reduced, smallest_resize=None), replace(reduced, targets="baseline"))
    }
    assert len(keys) == 3


def test_a_share_of_the_batches_is_of_the_better_half(labelled: tuple[LabelledPhoto, ...]) -> None:
    data = labelled_data(replace(LABELLED, better_half=0.5, tuned="all"), labelled, title="Textures")
    assert isinstance(data.training, TrainingCrops)
    mos = [photo.mos for photo in data.training.photos]
    samples = data.training_samples(1, 0)
    batches = [[mos[sample.index] for sample in samples[place : place + 4]] for place in (0, 4, 8)]
    assert [min(batch) >= sorted(mos)[5] for batch in batches] == [False, True, False]


def test_the_baselines_opinion_stands_where_a_label_is_missing() -> None:
    mos = torch.tensor([0.2, 0.4, 0.6, 0.8])
    crops = KeptCrops("four", torch.zeros(4, 3, 8, 8, dtype=torch.uint8), mos)
    holdout = Holdout(crops, 100 * mos + 7, labelled=True, scale=ScoreRange(0, 100))
    targets = torch.tensor([0.1, torch.nan, 0.9, torch.nan])

    def teacher(missing: Tensor) -> Tensor:
        assert missing.tolist() == [False, True, False, True]
        return torch.tensor([37.0, 57.0])

    torch.testing.assert_close(holdout.complete(targets, teacher), torch.tensor([0.1, 0.3, 0.9, 0.5]))
    assert holdout.complete(mos, teacher) is mos


@pytest.mark.parametrize(
    "recipe",
    [
        LABELLED,
        replace(LABELLED, objective=parse_objective("at:steps=1"), tuned="all"),
        replace(LABELLED, pruning=PruningSettings("pls_vip", 0.1)),
        replace(LABELLED, pruning=PruningSettings("pls_vip", 0.1), targets="baseline"),
        replace(LABELLED, loss="norm_in_norm", better_half=0.5, tuned="all", resize=96, smallest_resize=64),
    ],
    ids=["maps", "photos", "criterion", "unlabelled", "better"],
)
def test_a_model_learns_from_both(
    recipe: HardeningRecipe, workshop: Workshop, labelled: tuple[LabelledPhoto, ...]
) -> None:
    found = []
    for wanted in (recipe, replace(recipe, degraded=0.0, targets="labels", seed=1)):
        data = labelled_data(wanted, labelled, title="Textures")
        records, result = workshop.run(wanted, data=data, cache=HardeningCache())
        epochs = [record for record in records if isinstance(record, Epoch)]
        assert len(epochs) == 3
        assert all(epoch.loss is not None and epoch.loss > 0 for epoch in epochs[1:])
        found.append(result.network.state_dict())
    assert any(not torch.equal(value, found[1][name]) for name, value in found[0].items())
