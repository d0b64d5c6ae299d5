"""A last layer whose scores fall when photos get worse: the MOS and synthetic series decide it together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from robustiqa_core.checks import check_count, check_fraction, check_positive
from robustiqa_core.device import Precision
from robustiqa_core.errors import InputError
from robustiqa_core.images.degradations import DEGRADATIONS, LEVELS
from robustiqa_core.images.photo import to_8bit
from robustiqa_core.metrics.correlation import srocc
from robustiqa_core.models import QualityModel
from robustiqa_core.training.datasets import LabelledPhoto, WholePhotos, load_pixels, resize_short_side
from robustiqa_core.training.last_layer import kept_inputs, last_layer

KINDS = ("blur", "noise", "jpeg", "contrast")
"""Degradations whose order is learnt, keys of `DEGRADATIONS`."""
_PART = 100
"""Photos whose features are kept in one file, and lost at most when a run is killed."""
_MOS_DEVIATION = 0.1
"""Of the MOS from a score that is right, as a share of the scale: what an error of the score is weighed by."""
_MOST_STEPS = 500


@dataclass(frozen=True, slots=True)
class OrderedHeadSettings:
    """What decides an ordered last layer besides the network and the photos.

    Args:
        weight: of the order of the series, relative to the agreement with the MOS.
        margin: difference that two neighbouring levels should have, as a share of the MOS scale.
        softness: how gradually a difference that is too small counts, as a share of the scale.
        penalty: on the squared change of the layer's weights, the more the fewer photos it is fitted to.
        photos: labelled photos, drawn from the training photos.
        series: of these, how many are degraded.
        seed: of the draw and of what is random in a degradation.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    weight: float = 0.2
    margin: float = 0.02
    softness: float = 0.01
    penalty: float = 500.0
    photos: int = 2500
    series: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("weight", "softness", "penalty"):
            check_positive(name, getattr(self, name))
        check_fraction("margin", self.margin)
        check_count("photos", self.photos, low=2)
        check_count("series", self.series, high=self.photos)
        check_count("seed", self.seed, low=0)


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """How far the fit is.

    Args:
        photos: whose features are known.
        total: photos in all.
        seconds: spent on the features so far, interruptions left out.
        ordered: share of neighbouring levels of the training series that stand in the right order, before and after;
            None until the end.
        validation_srocc: on the validation photos, before and after; None until the end.
    """

    photos: int
    total: int
    seconds: float
    ordered: tuple[float, float] | None = None
    validation_srocc: tuple[float | None, float | None] | None = None


class SeriesPhotos(Dataset[tuple[Tensor, float]]):
    """Photos with all levels of all kinds: 8-bit pixels (1 + 20, 3, H, W), the photo itself first, and the MOS."""

    def __init__(self, photos: Sequence[LabelledPhoto], *, side: int, seed: int) -> None:
        """Keep the settings; nothing is read.

        Args:
            photos: where the photos lie.
            side: pixels of a photo's shorter side before it is degraded.
            seed: of what is random in a degradation, another one for each photo.
        """
        self.photos, self.side, self.seed = tuple(photos), side, seed

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor, float]:
        photo = self.photos[index]
        pixels = resize_short_side(load_pixels(photo.path), self.side)
        images = pixels.float() / 255
        seed = self.seed + index
        worse = [to_8bit(DEGRADATIONS[kind](images, level, seed=seed)) for kind in KINDS for level in LEVELS]
        return torch.cat([pixels, *worse]), photo.mos


def fit_ordered_head(
    network: QualityModel,
    training: Sequence[LabelledPhoto],
    validation: Sequence[LabelledPhoto],
    settings: OrderedHeadSettings,
    *,
    run_dir: Path,
    precision: Precision = "float32",
) -> Iterator[OrderRecord]:
    """Fit a network's last linear layer, in place, to the MOS and to the order of synthetic series at once.

    The least squares of ridge regression, with its penalty on the change of the weights, plus the logistic loss of
    RankNet on pairs of neighbouring levels. The sum is convex, and L-BFGS finds its minimum. All other layers stay as
    they are, so that a fit takes seconds once the features are known.

    Args:
        network: trained, with its k and b for the scale of the photos' MOS.
        training: photos to draw from, MOS in the data set's unit.
        validation: photos that are only measured.
        settings: how.
        run_dir: folder of the kept features.
        precision: of the branches.

    Yields:
        A record every 100 photos, and one at the end.

    Raises:
        InputError: fewer training photos than the settings ask for, or all with one MOS.

    Source: C. Burges et al., "Learning to Rank using Gradient Descent", ICML 2005 (the loss of a pair); degraded copies
    as pairs: X. Liu, J. van de Weijer, A. Bagdanov, "RankIQA", ICCV 2017. The margin and the joint fit are ours.
    """
    if len(training) < settings.photos:
        raise InputError(f"expected at least {settings.photos} training photos, got {len(training)}; use fewer")
    order = torch.randperm(len(training), generator=torch.Generator().manual_seed(settings.seed)).tolist()
    drawn = [training[index] for index in order[: settings.photos]]
    total = len(drawn) + len(validation) + settings.series
    done, seconds = 0, 0.0
    tables: list[Tensor] = []
    for photos, degraded in ((drawn, False), (validation, False), (drawn[: settings.series], True)):
        parts = []
        for start in range(0, len(photos), _PART):
            some = photos[start : start + _PART]
            part, taken = _inputs(network, some, degraded, settings.seed + start, run_dir, precision)
            parts.append(part)
            done, seconds = done + len(some), seconds + taken
            yield OrderRecord(done, total, seconds)
        tables.append(torch.cat(parts).float())
    mos = torch.tensor([photo.mos for photo in drawn])
    width = (mos.max() - mos.min()).item()
    if not width > 0:
        raise InputError("expected photos with different scores, got the same score for all; check the data set")
    layer, scale = last_layer(network), network.k.item() / width
    before = scale * layer.weight[0].detach().float().cpu()
    level = (mos / width).mean()
    clean, held_out, series = tables
    mean = clean.mean(0)
    steps = _steps(series)
    after = _solved(clean - mean, mos / width - level, steps, before, settings)
    with torch.no_grad():
        layer.weight.copy_(after[None] / scale)
        layer.bias.copy_((level * width - network.b.cpu()) / network.k.cpu() - mean @ (after / scale))
    aims = [photo.mos for photo in validation]
    yield OrderRecord(
        total,
        total,
        seconds,
        ordered=(_ordered(steps, before), _ordered(steps, after)),
        validation_srocc=(srocc((held_out @ before).numpy(), aims), srocc((held_out @ after).numpy(), aims)),
    )


def _inputs(
    network: QualityModel,
    photos: Sequence[LabelledPhoto],
    degraded: bool,
    seed: int,
    run_dir: Path,
    precision: Precision,
) -> tuple[Tensor, float]:
    """Return what the last layer gets of photos (N, K), or of their series (N, 21, K), and the seconds it took."""
    side = network.settings.short_side
    items = SeriesPhotos(photos, side=side, seed=seed) if degraded else WholePhotos(photos)
    told = f" degraded, {side} px, seed {seed}" if degraded else ""
    names = [f"{photo.path}{told}" for photo in photos]
    return kept_inputs(network, items, names, run_dir=run_dir, precision=precision)


def _steps(series: Tensor) -> Tensor:
    """Return what each step of each series takes away (P, K), of features (N, 21, K) as `SeriesPhotos` orders them."""
    count, levels = len(series), len(LEVELS)
    worse = series[:, 1:].reshape(count, len(KINDS), levels, -1)
    start = series[:, :1, None].expand(-1, len(KINDS), -1, -1)
    whole = torch.cat((start, worse), dim=2)
    return (whole[:, :, :-1] - whole[:, :, 1:]).flatten(0, 2)


def _solved(rows: Tensor, targets: Tensor, steps: Tensor, start: Tensor, settings: OrderedHeadSettings) -> Tensor:
    """Return the weights (K,) with the least loss.

    Args:
        rows: (N, K), features of the labelled photos less their mean.
        targets: (N,), their MOS less its mean, as a share of the scale.
        steps: (P, K), from `_steps`.
        start: (K,), the weights as they are, in the same unit.
        settings: the weights of the parts.
    """
    weights = start.clone().requires_grad_()
    error_weight = 0.5 / _MOS_DEVIATION**2
    solver = torch.optim.LBFGS([weights], max_iter=_MOST_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        errors = (rows @ weights - targets).square().sum() + settings.penalty * (weights - start).square().sum()
        pairs = F.softplus((settings.margin - steps @ weights) / settings.softness)
        value = error_weight * errors / len(rows) + settings.weight * pairs.mean()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        solver.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach()


def _ordered(steps: Tensor, weights: Tensor) -> float:
    return (steps @ weights > 0).float().mean().item()
