"""Agreement of any Scorer with human scores: the photos scored one by one, the usual figures with their intervals."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from robustiqa_core.metrics.bootstrap import bootstrap_interval
from robustiqa_core.metrics.correlation import krocc, logistic, logistic_parameters, plcc, rmse, srocc
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
        intervals: 95 % interval (low, high) of each of the four figures, by its name.
        parameters: (high, low, middle, slope) of the fitted logistic.
        scores: (N,), in the model's unit.
        mapped: (N,), the scores after the logistic, in the unit of the MOS.
        mos: (N,).
    """

    figures: Measurement
    intervals: dict[str, tuple[float, float]]
    parameters: tuple[float, float, float, float]
    scores: Array
    mapped: Array
    mos: Array

    @property
    def lines(self) -> tuple[str, ...]:
        """One line for people a figure: its name, its value and its interval."""
        return tuple(
            f"{name.upper():<6}{getattr(self.figures, name):7.4f}  [{low:.4f}, {high:.4f}]"
            for name, (low, high) in self.intervals.items()
        )


def score_photos(
    scorer: Scorer, photos: Sequence[LabelledPhoto], *, device: torch.device, mask_corner: bool = False
) -> Iterator[float]:
    """Yield the score of each whole photo; the next one is decoded meanwhile.

    Args:
        scorer: the model, on `device`.
        photos: where the photos lie.
        device: where to compute.
        mask_corner: whether the lower left corner of each photo is covered; see `training.datasets.mask_corner`.

    Raises:
        InputError: a photo cannot be decoded or scored.
    """
    loader = DataLoader(WholePhotos(photos, mask_corner=mask_corner), batch_size=None, num_workers=1)
    for pixels, _ in loader:
        images = pixels[None].to(device).float() / 255
        with torch.inference_mode():
            yield float(scorer(images.to(memory_format=torch.channels_last)))


def evaluate_mos(scores: Sequence[float], mos: Sequence[float], *, dataset: str, command: str) -> MosEvaluation:
    """Return how well scores (N,) agree with human scores (N,).

    Args:
        scores: larger is better, four or more.
        mos: mean opinion scores, larger is better.
        dataset: name and split of the photos.
        command: that gives these figures again.

    Raises:
        InputError: fewer than four photos, or scores that are not finite.
    """
    x, y = np.asarray(scores, dtype=np.float64), np.asarray(mos, dtype=np.float64)
    parameters = logistic_parameters(x, y)
    mapped = logistic(x, *parameters)
    return MosEvaluation(
        figures=measure(x, list(mos), dataset=dataset, command=command),
        intervals={
            "srocc": bootstrap_interval(srocc, x, y),
            "plcc": bootstrap_interval(plcc, mapped, y),
            "krocc": bootstrap_interval(krocc, x, y),
            "rmse": bootstrap_interval(rmse, mapped, y),
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
    rows = zip(photos, evaluation.mos, evaluation.scores, evaluation.mapped, strict=True)
    for photo, *numbers in rows:
        file = photo.path.relative_to(root) if photo.path.is_relative_to(root) else photo.path
        writer.writerow((file.as_posix(), *(f"{number:.6g}" for number in numbers)))
    return text.getvalue().encode()
