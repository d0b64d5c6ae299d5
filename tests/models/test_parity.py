"""What the parity with the published formulas (test_importers) is worth: every tensor counts, gradients agree too."""

from collections.abc import Callable
from typing import Any

import published_layouts as published
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from robustiqa_core.models.importers import import_dbcnn, import_linearity, import_tres

pytestmark = pytest.mark.thorough

Case = tuple[Callable[[], Any], Callable[[Any, Tensor], Tensor], Callable[[Any], Any], tuple[int, int]]


def linearity_state() -> published.State:
    return published.random_state(published.linearity_shapes("resnet18"))


def dbcnn_state() -> published.State:
    state = published.random_state(published.dbcnn_shapes())
    state["module.fc.weight"] *= 100
    return state


# State, plain computation, import, and the smallest size of photo at which all of it is at work.
CASES: dict[str, Case] = {
    "linearity": (
        linearity_state,
        lambda state, images: published.linearity(state, images)[:, :1],
        lambda state: import_linearity({"model": state, "k": 1.0, "b": 0.0}),
        (64, 80),
    ),
    "dbcnn": (dbcnn_state, published.dbcnn, import_dbcnn, (70, 89)),
    "tres": (lambda: published.tres_state("resnet18"), published.tres, import_tres, (224, 224)),
}
# Running means and deviations cannot be differentiated; they move what the bias and the weight beside them move.
STATISTICS = ("num_batches_tracked", "running_mean", "running_var")
# The published networks carry these and do not use them for this output.
WITHOUT_INFLUENCE = {
    "linearity": (*STATISTICS, "regr6.", "regr7."),
    "dbcnn": STATISTICS,
    "tres": (*STATISTICS, "model.fc."),
}


def photo(height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    coarse = F.interpolate(torch.rand(1, 3, 5, 7, generator=generator), (height, width), mode="bilinear")
    return 0.8 * coarse + 0.2 * torch.rand(1, 3, height, width, generator=generator)


@pytest.mark.parametrize("name", CASES)
def test_every_tensor_of_the_published_layout_moves_the_score_that_is_compared(name: str) -> None:
    make, plain, _, size = CASES[name]
    state = make()
    used = {
        key: value.requires_grad_()
        for key, value in state.items()
        if not any(part in key for part in WITHOUT_INFLUENCE[name])
    }
    gradients = torch.autograd.grad(plain(state, photo(*size)).sum(), list(used.values()))
    # By how much the score moves if every value of a tensor changes by one part in ten, the signs as they fall worst.
    influence = {
        key: 0.1 * (gradient * value).abs().sum().item()
        for (key, value), gradient in zip(used.items(), gradients, strict=True)
    }
    assert min(influence.values()) > 1e-4, min(influence.items(), key=lambda item: item[1])


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_that_attacks_follow_is_that_of_the_published_formula(name: str) -> None:
    make, plain, load, size = CASES[name]
    state = make()
    double = {key: value.double() if value.is_floating_point() else value for key, value in state.items()}
    network = load(state).double()
    images = photo(*size).double().requires_grad_()
    (expected,) = torch.autograd.grad(plain(double, images).sum(), images)
    (found,) = torch.autograd.grad(network.predictions(images)[:, 0].sum(), images)
    # The reference normalises with constants in single precision, which DBCNN's steep square root makes visible.
    assert ((found - expected).norm() / expected.norm()).item() < 1e-4
