"""Small networks whose scores depend on every stage."""

import torch
from torch import Tensor, nn

from robustiqa_core.models import QualityModel, build
from robustiqa_core.scorer import ScoreRange


def lively(model: str, trunk: str = "efficientnet_lite0") -> QualityModel:
    """Return a network with a score range of its own; with torch's first weights the signal dies on the way."""
    torch.manual_seed(0)
    network = build(model, {"backbone": trunk, "short_side": 96}, ScoreRange(0.0, 1.0)).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    with torch.no_grad():
        scores = network(torch.rand(8, 3, 64, 64) * torch.linspace(0.2, 1, 8).view(-1, 1, 1, 1))
    network.score_range = ScoreRange(scores.min().item(), scores.max().item())
    return network.requires_grad_(False)


class Linear(nn.Module):
    """A linear scorer that looks like a network of this package: score = k * <weight, image> + b."""

    k: Tensor
    b: Tensor
    score_range = ScoreRange(0.0, 1.0)

    def __init__(self, side: int = 8) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = nn.Parameter(torch.randn(3, side, side, generator=generator) / 100)
        self.norm = nn.BatchNorm1d(1)
        self.register_buffer("k", torch.tensor(1.0))
        self.register_buffer("b", torch.tensor(0.0))
        self.modes: list[bool] = []

    def forward(self, images: Tensor) -> Tensor:
        self.modes.append(self.training)
        scores = (images * self.weight).sum((1, 2, 3))
        # With the first statistics and weights this divides by sqrt(1 + 1e-5).
        return self.norm(scores[:, None])[:, 0] * (1 + 1e-5) ** 0.5 * self.k + self.b
