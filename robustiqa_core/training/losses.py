"""What training minimises: pure functions of predictions and mean opinion scores, and which network takes which."""

import torch
import torch.nn.functional as F
from torch import Tensor

from robustiqa_core.models import QualityModel
from robustiqa_core.models.dbcnn import DBCNN
from robustiqa_core.models.linearity import Linearity
from robustiqa_core.models.tres import TReS, TReSOutputs
from robustiqa_core.training.ranks import gather

# Of the MOS that the published TReS learns.
_PUBLISHED_SPAN = 100.0
# Keeps the norm of a constant batch away from zero.
_EPSILON = 1e-8


def norm_in_norm(predictions: Tensor, mos: Tensor) -> Tensor:
    """Return the norm-in-norm loss with p = 1 and q = 2 of each column: 0 for predictions linear in the MOS, at most 1.

    Both are centred over the batch and divided by their l_2 norm; the loss is the l_1 norm of the difference,
    divided by 2 * sqrt(N), its largest value.

    Args:
        predictions: (N, K), K outputs for each of N >= 2 photos.
        mos: (N,), mean opinion scores, larger is better.

    Returns:
        (K,), in [0, 1].

    Source: D. Li, T. Jiang, M. Jiang, ACM MM 2020, equations 6 to 8.

    Example:
        >>> mos = torch.tensor([0.1, 0.5, 0.9])
        >>> bool(norm_in_norm(3 * mos[:, None] + 1, mos) < 1e-6)
        True
    """

    def normalise(values: Tensor) -> Tensor:
        centred = values - values.mean(0)
        length: Tensor = torch.linalg.vector_norm(centred, dim=0)
        return centred / (length + _EPSILON)

    difference = normalise(predictions.float()) - normalise(mos.float()[:, None])
    loss: Tensor = difference.abs().sum(0) / (2 * len(mos) ** 0.5)
    return loss


def linearity_loss(predictions: Tensor, mos: Tensor) -> Tensor:
    """Return Linearity's training loss: norm-in-norm of the whole model and, weighted 0.1 each, of its two taps.

    Args:
        predictions: (N, 3), from `Linearity.predictions`.
        mos: (N,).

    Source: the authors' default weights of the three outputs, divided by their sum.
    """
    weights = predictions.new_tensor((1.0, 0.1, 0.1), dtype=torch.float32)
    loss: Tensor = (norm_in_norm(predictions, mos) * weights).sum() / weights.sum()
    return loss


def ranking_loss(predictions: Tensor, mos: Tensor) -> Tensor:
    """Return how far the best and the worst two of a batch are from being apart as their MOS are.

    With d(a, b) = |prediction a - prediction b| and photos sorted by MOS, 1 the worst and N the best:
    max(0, d(1, 2) - d(1, N) + mos_N - mos_2) + max(0, d(N, N-1) - d(N, 1) + mos_(N-1) - mos_1).

    Args:
        predictions: (N,), N >= 2.
        mos: (N,), larger is better.

    Source: Golestaneh et al., WACV 2022, section 3.4, with the margins of the authors' code.

    Example:
        >>> mos = torch.tensor([0.1, 0.5, 0.9])
        >>> [round(ranking_loss(factor * mos, mos).item(), 6) for factor in (1.0, -0.5)]
        [0.0, 0.4]
    """
    order = mos.argsort()
    p, m = predictions[order].float(), mos[order].float()
    span = (p[-1] - p[0]).abs()
    worst = (p[1] - p[0]).abs() - span + m[-1] - m[1]
    best = (p[-1] - p[-2]).abs() - span + m[-2] - m[0]
    return worst.clamp_min(0) + best.clamp_min(0)


def tres_loss(outputs: TReSOutputs, mirrored: TReSOutputs, mos: Tensor) -> Tensor:
    """Return TReS's training loss of a batch and of its mirror images.

    The sum of both mean absolute errors, the mean absolute differences of the transformer's and of the trunk's two
    outputs, 0.05 times both ranking losses, and half of the difference of these. (The published code adds each
    difference twice, each time with the other side held fixed: the gradient is the same.) The differences of the
    outputs are divided by 100: the published networks learn MOS from 0 to 100, where errors weigh as much more. With
    MOS from 0 to 1 they would outweigh the errors, and the transformer would learn to be the same for every photo.

    Args:
        outputs: from `TReS.outputs` of the photos.
        mirrored: from the photos flipped left to right.
        mos: (N,), N >= 2, on a scale from 0 to 1.

    Source: Golestaneh et al., WACV 2022, equation 7, with the weights of the authors' code.
    """
    straight, flipped = outputs.predictions[:, 0].float(), mirrored.predictions[:, 0].float()
    errors = F.l1_loss(straight, mos) + F.l1_loss(flipped, mos)
    consistency = F.l1_loss(outputs.attended, mirrored.attended) + F.l1_loss(outputs.deepest, mirrored.deepest)
    first, second = ranking_loss(straight, mos), ranking_loss(flipped, mos)
    loss: Tensor = errors + consistency / _PUBLISHED_SPAN + 0.5 * (first - second).abs() + 0.05 * (first + second)
    return loss


def training_loss(network: QualityModel, images: Tensor, mos: Tensor) -> Tensor:
    """Return the loss that the paper of the network's architecture trains with.

    Where several processes have a part of the batch each, it is the loss of the whole batch, in all of them.

    Args:
        network: in training mode.
        images: (N, 3, H, W), float, RGB in [0, 1].
        mos: (N,), larger is better.
    """
    whole_mos = gather(mos)
    match network:
        case Linearity():
            return linearity_loss(gather(network.predictions(images)), whole_mos)
        case DBCNN():
            return F.mse_loss(gather(network.predictions(images))[:, 0].float(), whole_mos)
        case TReS():
            outputs, mirrored = network.outputs(images), network.outputs(images.flip(3))
            return tres_loss(_gather_outputs(outputs), _gather_outputs(mirrored), whole_mos)


def _gather_outputs(outputs: TReSOutputs) -> TReSOutputs:
    parts = (outputs.predictions, outputs.attended, outputs.deepest, outputs.pooled)
    return TReSOutputs(*(gather(part) for part in parts))
