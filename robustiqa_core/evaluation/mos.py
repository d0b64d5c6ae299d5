"""Agreement of any Scorer with human scores: the photos scored one by one, the usual figures with their intervals."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from robustiqa_core.errors import InputError, NumericalError
from robustiqa_core.files import encode_text
from robustiqa_core.metrics.bootstrap import bootstrap_interval
from robustiqa_core.metrics.correlation import fitted_logistic, krocc, logistic, plcc, rmse, spell_correlation, srocc
from robustiqa_core.metrics.pairing import Array
from robustiqa_core.models.card import Measurement
from robustiqa_core.scorer import Scorer
from robustiqa_core.training.baseline import measure
from robustiqa_core.training.datasets import LabelledPhoto, WholePhotos

LOGISTIC_NOTE = (
    "PLCC and RMSE after the usual 4-parameter logistic, fitted to these photos. Intervals: 95 %, from photos drawn "
    "with replacement 1,000 times, the logistic held fixed."
)


@dataclass(frozen=True, slots=True, eq=False)
class MosEvaluation:
    """Agreement of a model with human scores.

    Args:
        figures: SROCC, PLCC, KROCC and RMSE with what they were measured on.
        intervals: 95 % interval (low, high) of each of the four figures, by its name; None where it is undefined.
        parameters: (high, low, middle, slope) of the fitted logistic; None where none can be fitted.
        scores: (N,), in the model's unit.
        mapped: (N,), the scores after the logistic, in the unit of the MOS; None without one.
        mos: (N,).
    """

    figures: Measurement
    intervals: dict[str, tuple[float, float] | None]
    parameters: tuple[float, float, float, float] | None
    scores: Array
    mapped: Array | None
    mos: Array

    @property
    def lines(self) -> tuple[str, ...]:
        """One line for people a figure: its name, its value and its interval."""
        return tuple(
            f"{name.upper():<6}{spell_correlation(getattr(self.figures, name), 4):>7}"
            + ("" if interval is None else f"  [{interval[0]:.4f}, {interval[1]:.4f}]")
            for name, interval in self.intervals.items()
        )


class _Photos(Dataset[tuple[Tensor | str, float]]):
    """Whole photos; in place of the pixels of one that cannot be read, why: a worker's errors end all its work."""

    def __init__(self, photos: WholePhotos) -> None:
        self.photos = photos

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor | str, float]:
        try:
            return self.photos[index]
        except InputError as error:
            return str(error), 0.0


def score_photos(
    scorer: Scorer, photos: Sequence[LabelledPhoto], *, device: torch.device, mask_corner: bool = False
) -> Iterator[float]:
    """Yield the score of each whole photo; see `try_photos`.

    Raises:
        InputError: a photo cannot be decoded or scored.
    """
    for score in try_photos(scorer, photos, device=device, mask_corner=mask_corner):
        if isinstance(score, str):
            raise InputError(score)
        yield score


def try_photos(
    scorer: Scorer, photos: Sequence[LabelledPhoto], *, device: torch.device, mask_corner: bool = False
) -> Iterator[float | str]:
    """Yield the score of each whole photo, or why it has none; the next one is decoded meanwhile.

    Args:
        scorer: the model, on `device`.
        photos: where the photos lie.
        device: where to compute.
        mask_corner: whether the lower left corner of each photo is covered; see `training.datasets.mask_corner`.
    """
    loader = DataLoader(_Photos(WholePhotos(photos, mask_corner=mask_corner)), batch_size=None, num_workers=1)
    for pixels, _ in loader:
        yield pixels if isinstance(pixels, str) else _score(scorer, pixels[None].to(device).float() / 255)


@torch.inference_mode()
def _score(scorer: Scorer, images: Tensor) -> float | str:
    try:
        score = float(scorer(images.to(memory_format=torch.channels_last)))
    except (InputError, NumericalError) as error:
        return str(error)
    return score if math.isfinite(score) else f"expected a finite score, got {score}; look for a division by 0"


def evaluate_mos(scores: Sequence[float], mos: Sequence[float], *, dataset: str, command: str) -> MosEvaluation:
    """Return how well scores (N,) agree with human scores (N,).

    Args:
        scores: larger is better, two or more. What needs the logistic is undefined for fewer than four.
        mos: mean opinion scores, larger is better.
        dataset: name and split of the photos.
        command: that gives these figures again.

    Raises:
        InputError: fewer than two photos, or scores that are not finite.
    """
    x, y = np.asarray(scores, dtype=np.float64), np.asarray(mos, dtype=np.float64)
    parameters = fitted_logistic(x, y)
    mapped = None if parameters is None else logistic(x, *parameters)
    return MosEvaluation(
        figures=measure(x, list(mos), dataset=dataset, command=command),
        intervals={
            "srocc": bootstrap_interval(srocc, x, y),
            "plcc": None if mapped is None else bootstrap_interval(plcc, mapped, y),
            "krocc": bootstrap_interval(krocc, x, y),
            "rmse": None if mapped is None else bootstrap_interval(rmse, mapped, y),
        },
        parameters=parameters,
        scores=x,
        mapped=mapped,
        mos=y,
    )


def photo_table(evaluation: MosEvaluation, photos: Sequence[LabelledPhoto], root: Path) -> bytes:
    """Return a CSV with one row a photo: its file from `root`, MOS, score, and score after the logistic."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "mos", "score", "mapped_score"))
    mapped = [""] * len(photos) if evaluation.mapped is None else [f"{number:.6g}" for number in evaluation.mapped]
    for photo, mos, score, after in zip(photos, evaluation.mos, evaluation.scores, mapped, strict=True):
        file = photo.path.relative_to(root) if photo.path.is_relative_to(root) else photo.path
        writer.writerow((file.as_posix(), f"{mos:.6g}", f"{score:.6g}", after))
    return encode_text(text.getvalue())
