"""Pruning criteria: measures of a channel's importance."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from robustiqa_core.errors import ConfigurationError
from robustiqa_core.pruning.pls import variable_importance


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The data on one group's channels.

    Args:
        weights: (C, K), the weights that make each channel: the producer's rows, without bias.
        generator: of random numbers, on the CPU.
        activations: (N, C), the consumer's input per channel, averaged over the places of each photo; None for
            a criterion that does not use photos.
        responses: (N,), the MOS or the scores of the same photos.
    """

    weights: Tensor
    generator: Generator
    activations: Tensor | None = None
    responses: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion.

    Args:
        name: key in `CRITERIA` and on the command line.
        title: name for people.
        source: where it is from.
        importance: returns (C,), at least 0, larger is more important; all tensors are in double precision on the CPU.
        needs_photos: whether it looks at activations.
    """

    name: str
    title: str
    source: str
    importance: Callable[[Evidence], Tensor]
    needs_photos: bool = False


def l1(evidence: Evidence) -> Tensor:
    """Return the sum of the absolute weights of each channel."""
    return evidence.weights.abs().sum(1)


def l2(evidence: Evidence) -> Tensor:
    """Return the Euclidean length of the weights of each channel."""
    lengths: Tensor = torch.linalg.vector_norm(evidence.weights, dim=1)
    return lengths


def random(evidence: Evidence) -> Tensor:
    """Return random numbers in [0, 1): the control that a criterion has to beat."""
    return torch.rand(len(evidence.weights), generator=evidence.generator, dtype=torch.float64)


def pls_vip(evidence: Evidence) -> Tensor:
    """Return how well each channel's activation predicts quality: VIP of a PLS regression with two components."""
    if evidence.activations is None or evidence.responses is None:
        raise ConfigurationError("pls_vip needs activations, got none; pass photos")
    return variable_importance(evidence.activations, evidence.responses)


CRITERIA: dict[str, Criterion] = {
    "l1": Criterion(
        "l1", "Sum of absolute weights", "Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017, section 3.1", l1
    ),
    "l2": Criterion(
        "l2",
        "Length of the weights",
        "He et al., Soft Filter Pruning for Accelerating Deep CNNs, IJCAI 2018, section 3.2",
        l2,
    ),
    "random": Criterion("random", "Random", "control", random),
    "pls_vip": Criterion(
        "pls_vip",
        "Importance in a PLS regression of quality",
        "Jordao et al., Pruning Deep Networks using Partial Least Squares, arXiv 1810.07610",
        pls_vip,
        needs_photos=True,
    ),
}
