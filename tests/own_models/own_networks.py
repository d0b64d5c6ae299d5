"""Models of the user's own that the tests load: a file of networks, and photos for them."""

import torch
from torch import Tensor

from robustiqa_core import own_models
from robustiqa_core.own_models import OwnModel, OwnScorer
from robustiqa_core.scorer import ScoreRange

CPU = torch.device("cpu")
NETS = """
import torch
from torch import nn

DEVICES = []


class Net(nn.Module):
    def __init__(self, shape=(-1,)):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv, self.norm = nn.Conv2d(3, 4, 5, 2), nn.BatchNorm2d(4)
            self.dropout, self.head = nn.Dropout(0.5), nn.Linear(4, 1)
        self.shape = shape

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x))).mean((2, 3))
        return self.head(self.dropout(x)).reshape(self.shape)


def make(): return Net()
def column(): return Net((-1, 1))
def on(device, size=3): DEVICES.append(device); return Net()
def needs(depth): return Net(depth)
def pair(): return Net((-1, 1, 1))
def tuples(): return lambda x: (x.mean((1, 2, 3)),)
def detached(): return lambda x: x.detach().mean((1, 2, 3))
def constant(): return lambda x: 0.0 * x.sum((1, 2, 3)) + 1
def undefined(): return lambda x: (x - 2).mean((1, 2, 3)).sqrt()
def noisy(): return lambda x: x.mean((1, 2, 3)) + torch.rand(len(x))
def company(): return lambda x: (x - x.mean(0)).square().mean((1, 2, 3)) + x.mean((1, 2, 3))
def only_64():
    def score(x):
        if x.shape[-2:] != (64, 64):
            raise RuntimeError("size mismatch: 64 x 64 only")
        return x.mean((1, 2, 3))
    return score


class Space:
    net = Net()


number = 3
"""


def photos(count: int = 2, height: int = 90, width: int = 100) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def load(source: str, **known: object) -> OwnScorer:
    return own_models.load_own_scorer(
        OwnModel("mine", source, **({"score_range": ScoreRange(0, 1)} | known)), device=CPU
    )
