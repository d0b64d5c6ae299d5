"""What training minimises: pure functions of predictions and mean opinion scores."""

import torch
from torch import Tensor

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
