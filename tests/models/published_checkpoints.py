"""Checkpoints as the three papers publish them, with random weights."""

from collections.abc import Callable
from typing import Any

import published_layouts as published
import torch
import torch.nn.functional as F
from torch import Tensor


def photos(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Return coarse and fine random patterns of falling contrast: random networks hardly tell plain noise apart."""
    generator = torch.Generator().manual_seed(seed)
    coarse = F.interpolate(torch.rand(count, 3, 5, 7, generator=generator), (height, width), mode="bilinear")
    fine = torch.rand(count, 3, height, width, generator=generator)
    return (0.8 * coarse + 0.2 * fine) / torch.arange(1.0, count + 1)[:, None, None, None]


def linearity_checkpoint(trunk: str = "resnet18") -> dict[str, Any]:
    state = published.random_state(published.linearity_shapes(trunk))
    return {"model": state, "k": [2.5, 30.0, 40.0], "b": [-1.0, 50.0, 60.0], "optimizer": {"state": {}}, "amp": {}}


def dbcnn_checkpoint() -> dict[str, Any]:
    state = published.random_state(published.dbcnn_shapes())
    # Random networks give photos much the same direction; the scores shall differ all the same.
    state["module.fc.weight"] *= 100
    return state


def tres_checkpoint() -> dict[str, Any]:
    return published.tres_state("resnet18")


CHECKPOINTS: dict[str, Callable[[], dict[str, Any]]] = {
    "linearity": linearity_checkpoint,
    "dbcnn": dbcnn_checkpoint,
    "tres": tres_checkpoint,
}


def tensors_of(name: str, checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    state: dict[str, Tensor] = checkpoint["model"] if name == "linearity" else checkpoint
    return state
