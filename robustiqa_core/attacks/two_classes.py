"""A scorer as a classifier, for attack toolkits that support only classifiers."""

import torch
from torch import Tensor, nn


class TwoClasses(nn.Module):
    """A classifier with the logits [threshold, score]: is the photo worse or better than the threshold?

    The cross-entropy of class 0 is log(1 + exp(score - threshold)) and grows with the score, so that an attack away
    from class 0 raises the score, and one away from class 1 lowers it. Its gradient is that of the score times a
    positive factor for each image, which the sign or a normalisation cancels. A toolkit that stops once
    the class has changed needs a threshold that the score does not reach.

    Args:
        scorer: the model.
        threshold: score at which the class changes, in the model's own unit.

    Example:
        >>> class Mean(nn.Module):
        ...     def forward(self, images: Tensor) -> Tensor:
        ...         return images.mean((1, 2, 3))
        >>> TwoClasses(Mean(), threshold=0.5)(torch.full((1, 3, 8, 8), 0.75)).tolist()
        [[0.5, 0.75]]
    """

    def __init__(self, scorer: nn.Module, *, threshold: float = 0.0) -> None:
        super().__init__()
        self.scorer, self.threshold = scorer, threshold
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 2) of images (N, 3, H, W)."""
        scores: Tensor = self.scorer(images)
        return torch.stack((torch.full_like(scores, self.threshold), scores), dim=1)
