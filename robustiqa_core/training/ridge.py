"""A linear head in closed form: ridge regression of the MOS on the features before it, which are kept on disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from robustiqa_core.device import Precision
from robustiqa_core.errors import NumericalError
from robustiqa_core.metrics.correlation import srocc_to_choose
from robustiqa_core.models.dbcnn import DBCNN
from robustiqa_core.models.tres import TReS
from robustiqa_core.training.datasets import LabelledPhoto, WholePhotos
from robustiqa_core.training.last_layer import kept_inputs

PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
"""Penalties that are tried; the rows of DBCNN's features have length 1, those of TReS about 10."""
_PART = 500
"""Photos whose features are kept in one file, and lost at most when a run is killed."""
_ROWS = 1024


@dataclass(frozen=True, slots=True)
class RidgeRecord:
    """How far the first stage is.

    Args:
        photos: whose features are known.
        total: photos in all.
        seconds: spent on the features so far, interruptions left out.
        penalty: the one that was chosen, at the end.
        validation_srocc: of the head with it.
    """

    photos: int
    total: int
    seconds: float
    penalty: float | None = None
    validation_srocc: float | None = None


def fit_ridge_head(
    network: DBCNN | TReS,
    training: Sequence[LabelledPhoto],
    validation: Sequence[LabelledPhoto],
    *,
    run_dir: Path,
    precision: Precision = "float32",
) -> Iterator[RidgeRecord]:
    """Set a network's last linear layer to the ridge regression of the MOS on its inputs, in place.

    The first of DBCNN's two published stages trains this layer alone, by gradient steps; this is where they lead,
    computed at once. TReS gets a start from which its transformer, random until then, need not unlearn anything. It
    is solved in its dual form, since DBCNN's features outnumber the photos. Of `PENALTIES` the one with the best SROCC
    on the validation photos is taken. The features are kept in `run_dir`, so that a killed run resumes; they
    are those of the whole photos, without crops.

    Args:
        network: with a pretrained trunk, in any mode, which is as before afterwards.
        training: photos to fit.
        validation: photos to choose the penalty by.
        run_dir: folder of the kept features, about 80 KB a photo for DBCNN.
        precision: of the branches.

    Yields:
        A record every 500 photos, and one at the end.

    Raises:
        NumericalError: no penalty gives a head whose scores agree with the MOS at all.
    """
    photos = [*training, *validation]
    parts: list[Tensor] = []
    seconds = 0.0
    for start in range(0, len(photos), _PART):
        some = photos[start : start + _PART]
        names = [str(photo.path) for photo in some]
        part, taken = kept_inputs(network, WholePhotos(some), names, run_dir=run_dir, precision=precision)
        parts.append(part)
        seconds += taken
        yield RidgeRecord(start + len(part), len(photos), seconds)
    products = torch.cat(parts)
    del parts
    mos = torch.tensor([photo.mos for photo in photos], dtype=torch.float32)
    count = len(training)
    mean, level = products[:count].float().mean(0), mos[:count].mean()
    best, best_penalty, best_weight = 0.0, 0.0, torch.zeros(products.shape[1])
    for penalty, weight in _solutions(products[:count], mean, mos[:count] - level):
        agreement = srocc_to_choose(((products[count:].float() - mean) @ weight).numpy(), mos[count:].numpy())
        if agreement > best:
            best, best_penalty, best_weight = agreement, penalty, weight
    if best == 0.0:
        raise NumericalError("expected a head that agrees with the MOS, got none; check the data set's scores")
    with torch.no_grad():
        network.fc.weight.copy_(best_weight[None])
        network.fc.bias.copy_(level - mean @ best_weight)
    yield RidgeRecord(len(photos), len(photos), seconds, best_penalty, best)


def _solutions(products: Tensor, mean: Tensor, targets: Tensor) -> Iterator[tuple[float, Tensor]]:
    """Yield each penalty with the weights (K,) that it gives, by whichever of the two forms has fewer unknowns.

    Args:
        products: (N, K), in half precision.
        mean: (K,), which is taken off each row.
        targets: (N,).
    """
    photos, features = products.shape
    dual = features > photos
    unknowns = min(photos, features)
    gram, right = torch.zeros(unknowns, unknowns, dtype=torch.float64), targets.double()
    if dual:
        for row, rows in _centred(products, mean):
            for column, others in _centred(products, mean):
                gram[row : row + len(rows), column : column + len(others)] = (rows @ others.T).double()
    else:
        right = torch.zeros(features, dtype=torch.float64)
        for row, rows in _centred(products, mean):
            gram += rows.double().T @ rows.double()
            right += rows.double().T @ targets[row : row + len(rows)].double()
    diagonal = gram.diagonal().clone()
    for penalty in PENALTIES:
        gram.diagonal().copy_(diagonal + penalty)
        solution = torch.cholesky_solve(right[:, None], torch.linalg.cholesky(gram))[:, 0].float()
        if dual:
            parts = (rows.T @ solution[row : row + len(rows)] for row, rows in _centred(products, mean))
            solution = torch.stack(list(parts)).sum(0)
        yield penalty, solution


def _centred(products: Tensor, mean: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield the rows without their mean, a thousand at a time in single precision, each with its first row's number."""
    for start in range(0, len(products), _ROWS):
        yield start, products[start : start + _ROWS].float() - mean
