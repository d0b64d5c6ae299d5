"""What a hardened network is tuned on: crops of labelled photos, or of sample photos that the baseline scores."""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor
from torch.utils.data import Dataset

from robustiqa_core.errors import ConfigurationError
from robustiqa_core.hardening.recipe import HardeningRecipe
from robustiqa_core.images.degradations import DEGRADATIONS, LEVELS
from robustiqa_core.images.photo import to_8bit
from robustiqa_core.images.samples import list_samples
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.baseline import to_unit_interval, with_validation
from robustiqa_core.training.datasets import (
    LabelledPhoto,
    TrainingCrops,
    load_pixels,
    random_crop,
    resize_short_side,
    select,
)
from robustiqa_core.training.sampling import (
    Sample,
    combined_seed,
    partly_better_order,
    random_order,
    replayed,
    sized_batches,
)
from robustiqa_core.training.splits import held_out

# Of the sample photos; whole scenes at a time.
_VALIDATION_SHARE = 0.25
# Share of the crops that are not degraded.
_CLEAN_SHARE = 0.25
# So that how a crop is degraded or its photo reduced has nothing to do with where it was cut.
_DEGRADING, _RESIZING = 1, 2
# Of held-out photos and crops, so that every recipe is judged by the same.
_VALIDATION_SEED = 0


class DistillationCrops(Dataset[tuple[Tensor, float]]):
    """Random crops of photos, three of four degraded by a random kind and level; nobody's opinion is needed.

    A crop depends on the seed and the sample alone. The photos come equally often.
    """

    def __init__(self, paths: Sequence[Path], count: int, *, resize: int, crop: int, seed: int) -> None:
        """Keep the settings; nothing is read.

        Args:
            paths: where the photos lie.
            count: crops of an epoch.
            resize: pixels of a photo's shorter side before cropping.
            crop: pixels of a side of the crop, at most `resize`.
            seed: of crops and degradations.
        """
        self.paths, self.count = tuple(paths), count
        self.resize, self.crop, self.seed = resize, crop, seed
        self._photos: dict[int, Tensor] = {}

    def _photo(self, index: int) -> Tensor:
        """Return a photo (3, H, W), resized; it is kept, since decoding it for each crop would take long."""
        if index not in self._photos:
            self._photos[index] = resize_short_side(load_pixels(self.paths[index]), self.resize)[0]
        return self._photos[index]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, sample: Sample) -> tuple[Tensor, float]:
        """Return 8-bit pixels (3, crop, crop), and NaN, since only the baseline knows the target."""
        seed = combined_seed(self.seed, sample.epoch, sample.index)
        generator = torch.Generator().manual_seed(seed)
        pixels = random_crop(self._photo(sample.index % len(self.paths)), self.crop, generator)
        if torch.rand((), generator=generator) >= _CLEAN_SHARE:
            pixels = _degraded(pixels, generator, seed)
        return pixels, torch.nan


class TuningCrops(TrainingCrops):
    """Random crops of labelled photos, as a recipe wants them: some degraded, some of photos that were made smaller.

    A share of them is whole photos, made as small as a crop. A crop depends on the seed and the sample alone, and is
    the one of `TrainingCrops` where nothing is asked for.
    """

    def __init__(self, photos: Sequence[LabelledPhoto], recipe: HardeningRecipe) -> None:
        """Keep the settings; nothing is read.

        Args:
            photos: where the photos lie.
            recipe: with sizes and seed; which share is degraded; from which side on photos are reduced; and whether
                the baseline says all targets.
        """
        super().__init__(photos, resize=recipe.resize, crop=recipe.crop, seed=recipe.seed)
        self.share, self.smallest, self.whole = recipe.degraded, recipe.smallest_resize, recipe.whole
        self.sides = recipe.crop_sides
        self.unlabelled = recipe.targets == "baseline"

    def _generator(self, sample: Sample, purpose: int) -> torch.Generator:
        return torch.Generator().manual_seed(
            combined_seed(self.seed, sample.epoch, sample.index + sample.repeat * len(self.photos), purpose)
        )

    def side(self, sample: Sample) -> int:
        """Return the pixels of the shorter side of a sample's photo before cropping."""
        if self.smallest is None and not self.whole:
            return self.resize
        generator = self._generator(sample, _RESIZING)
        if self.whole and torch.rand((), generator=generator) < self.whole:
            return self.crop_side(sample)
        if self.smallest is None:
            return self.resize
        return int(torch.randint(self.smallest, self.resize + 1, (), generator=generator))

    def __getitem__(self, sample: Sample) -> tuple[Tensor, float]:
        """Return 8-bit pixels (3, crop, crop), and the MOS, or NaN where only the baseline knows the target."""
        pixels, mos = super().__getitem__(sample)
        generator = self._generator(sample, _DEGRADING)
        if torch.rand((), generator=generator) < self.share:
            return _degraded(pixels, generator, generator.initial_seed()), torch.nan
        return pixels, torch.nan if self.unlabelled else mos


def _degraded(pixels: Tensor, generator: torch.Generator, seed: int) -> Tensor:
    """Return a crop (3, H, W), 8-bit, degraded by a kind and a level that the generator draws."""
    kind, level = (int(torch.randint(size, (), generator=generator)) for size in (len(DEGRADATIONS), len(LEVELS)))
    degraded = list(DEGRADATIONS.values())[kind](pixels[None].float() / 255, LEVELS[level], seed=seed)
    return to_8bit(degraded)[0]


Crops: TypeAlias = DistillationCrops | TrainingCrops


@dataclass(frozen=True, slots=True, eq=False)
class TuningData:
    """Crops to tune on and to judge by.

    Args:
        name: what they are, for people.
        training: crops for a `Sample`.
        epoch: crops of an epoch.
        validation: crops for a `Sample` of epoch 0, of photos that are in no training crop.
        validation_count: how many of them.
        labelled: whether the targets are human scores, from 0 to 1; else they are the baseline's own scores.
        photos: number of training photos.
        better_half: share of the batches of `batch` crops whose photos are all of the better half.
        batch: crops of a batch; it matters where there is such a share, or where batches differ in size.
        replays: how often each batch is shown in a row.
        test: labelled photos that decide nothing, in the data set's unit; empty without labels.
    """

    name: str
    training: Crops
    epoch: int
    validation: Crops
    validation_count: int
    labelled: bool
    photos: int
    better_half: float = 0.0
    batch: int = 1
    replays: int = 1
    test: tuple[LabelledPhoto, ...] = ()

    def training_samples(self, epoch: int, seed: int) -> list[Sample]:
        """Return the samples of an epoch, counted from 0, shuffled."""
        if self.better_half and isinstance(self.training, TrainingCrops):
            mos = [photo.mos for photo in self.training.photos]
            order = partly_better_order(mos, self.batch, share=self.better_half, seed=seed, epoch=epoch)
        else:
            order = random_order(len(self.training), seed=seed, epoch=epoch)
        samples = order[: self.epoch]
        if isinstance(self.training, TuningCrops) and len(self.training.sides) > 1:
            samples = sized_batches(samples, self.training.sides, self.batch, seed=seed)
        return replayed(samples, self.batch, self.replays)

    @property
    def shown(self) -> int:
        """Crops that the steps of an epoch see, each as often as it is shown."""
        return self.epoch if self.replays == 1 else self.epoch // self.batch * self.batch * self.replays

    @property
    def validation_samples(self) -> list[Sample]:
        """The samples to judge by, in a fixed order."""
        samples = random_order(len(self.validation), seed=_VALIDATION_SEED, epoch=0)
        return samples[: self.validation_count]


def key_of(crops: Crops, samples: Sequence[Sample]) -> str:
    """Return a name for some crops: a hash of everything that their pixels and targets depend on."""
    if isinstance(crops, DistillationCrops):
        photos: list[object] = [(path.name, path.stat().st_size) for path in crops.paths]
    else:
        photos = [(str(photo.path), photo.mos) for photo in crops.photos]
    asked: object = None
    if isinstance(crops, TuningCrops):
        asked = (crops.share, crops.smallest, crops.unlabelled, crops.whole, crops.sides)
    told = (type(crops).__name__, asked, photos, crops.resize, crops.crop, crops.seed, samples)
    return hashlib.sha256(repr(told).encode()).hexdigest()


def sample_split(root: Path | None = None) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return the sample photos for training and those that are held out, a quarter, whole scenes at a time.

    Raises:
        InputError: the sample photos are not there.
    """
    return _split(tuple(sample.path for sample in list_samples(root)))


@functools.cache
def _split(paths: tuple[Path, ...]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    held = held_out(paths, share=_VALIDATION_SHARE, seed=_VALIDATION_SEED)
    learning, validation = (
        tuple(path for path, is_held in zip(paths, held, strict=True) if is_held == kind) for kind in (False, True)
    )
    return learning, validation


def distillation_data(recipe: HardeningRecipe, *, root: Path | None = None) -> TuningData:
    """Return what a recipe without a labelled set is tuned on.

    Args:
        recipe: with `data` "distillation".
        root: folder of the sample photos; without it those that the product ships.

    Raises:
        ConfigurationError: the recipe names a labelled set.
        InputError: the sample photos are not there.
    """
    if not recipe.is_distillation or recipe.crops is None:
        raise ConfigurationError(f"expected a recipe for distillation, got one for {recipe.data}; give its photos")
    learning, validation = sample_split(root)
    sizes = {"resize": recipe.resize, "crop": recipe.crop}
    return TuningData(
        name=f"distillation: {len(learning)} sample photos with the baseline's own scores",
        training=DistillationCrops(learning, recipe.crops, seed=recipe.seed, **sizes),
        epoch=recipe.crops,
        validation=DistillationCrops(validation, recipe.validation_crops, seed=_VALIDATION_SEED, **sizes),
        validation_count=recipe.validation_crops,
        labelled=False,
        photos=len(learning),
        batch=recipe.batch_size,
        replays=recipe.replays,
    )


def labelled_data(
    recipe: HardeningRecipe,
    photos: Sequence[LabelledPhoto],
    *,
    title: str,
    mos_range: ScoreRange | None = None,
) -> TuningData:
    """Return what a recipe with a labelled set is tuned on.

    Args:
        recipe: with the set's name as `data`.
        photos: of all splits; validation photos are held out of the training photos where there are none.
        title: name of the set for people.
        mos_range: nominal range of the MOS; that of the training photos where None.

    Raises:
        ConfigurationError: the recipe is for distillation.
        InputError: too few photos of a split.
    """
    if recipe.is_distillation:
        raise ConfigurationError("expected a recipe for a labelled set, got distillation; name the set in the recipe")
    known = with_validation(photos, _VALIDATION_SEED)
    learning = select(known, "train")
    scale = mos_range or ScoreRange(min(photo.mos for photo in learning), max(photo.mos for photo in learning))
    training, validation = (to_unit_interval(part, scale) for part in (learning, select(known, "validation")))
    return TuningData(
        name=f"{title}, training split",
        training=TuningCrops(training, recipe),
        epoch=min(recipe.crops or len(learning), len(learning)),
        validation=TrainingCrops(
            validation, seed=_VALIDATION_SEED, resize=recipe.crop if recipe.whole else recipe.resize, crop=recipe.crop
        ),
        validation_count=min(recipe.validation_crops, len(validation)),
        labelled=True,
        photos=len(learning),
        better_half=recipe.better_half,
        batch=recipe.batch_size,
        replays=recipe.replays,
        test=tuple(photo for photo in known if photo.split == "test"),
    )
