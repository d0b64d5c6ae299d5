"""The transformer encoder of TReS, on maps instead of words."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Published settings.
_LAYERS = 2
_HEADS = 16
_HIDDEN = 64
_DROPOUT = 0.5
# Of the position encoding: the longest wave, and what keeps 1 / size finite.
_TEMPERATURE = 10000.0
_POSITION_EPSILON = 1e-6


def position_encoding(channels: int, height: int, width: int, like: Tensor) -> Tensor:
    """Return sines and cosines of the row (first half of the channels) and column, (channels, height, width).

    Rows and columns are scaled to (0, 2 pi], so that the code spans the photo at any size of the grid.

    Args:
        channels: a multiple of 4.
        height: rows of the grid.
        width: columns of the grid.
        like: gives device and dtype.

    Source: N. Carion et al., "End-to-End Object Detection with Transformers", ECCV 2020.
    """
    half = channels // 2
    waves = _TEMPERATURE ** (torch.arange(0, half, 2, device=like.device, dtype=torch.float32) / half)

    def axis(size: int) -> Tensor:
        places = torch.arange(1, size + 1, device=like.device, dtype=torch.float32)
        angles = places / (size + _POSITION_EPSILON) * (2 * math.pi) / waves[:, None]
        return torch.stack((angles.sin(), angles.cos()), dim=1).flatten(0, 1)

    rows = axis(height)[:, :, None].expand(half, height, width)
    columns = axis(width)[:, None, :].expand(half, height, width)
    return torch.cat((rows, columns)).to(like.dtype)


class Attention(nn.Module):
    """Self-attention in plain operations: twice differentiable, and the same in every mode."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inward = nn.Linear(channels, 3 * channels)
        self.outward = nn.Linear(channels, channels)
        self.dropout = nn.Dropout(_DROPOUT)
        nn.init.zeros_(self.inward.bias)
        nn.init.zeros_(self.outward.bias)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return (N, T, C) of tokens (N, T, C); positions (T, C) enter the queries and keys, not the values."""
        batch, count, channels = x.shape
        weight, bias = self.inward.weight, self.inward.bias
        both = F.linear(x + positions, weight[: 2 * channels], bias[: 2 * channels])
        value = F.linear(x, weight[2 * channels :], bias[2 * channels :])
        query, key, value = (
            part.reshape(batch, count, _HEADS, channels // _HEADS).transpose(1, 2)
            for part in (both[..., :channels], both[..., channels:], value)
        )
        attention = (query @ key.mT / math.sqrt(channels // _HEADS)).softmax(3)
        mixed: Tensor = self.outward((self.dropout(attention) @ value).transpose(1, 2).flatten(2))
        return mixed


class EncoderLayer(nn.Module):
    """Attention and a small network, each after a layer normalisation and beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = Attention(channels)
        self.linear1, self.linear2 = nn.Linear(channels, _HIDDEN), nn.Linear(_HIDDEN, channels)
        self.dropout = nn.Dropout(_DROPOUT)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return tokens (N, T, C) from tokens (N, T, C) and positions (T, C)."""
        x = x + self.dropout(self.attention(self.norm1(x), positions))
        hidden = self.dropout(F.relu(self.linear1(self.norm2(x))))
        y: Tensor = x + self.dropout(self.linear2(hidden))
        return y


PLACES = ("before_encoder", *(f"after_encoder_layer{number}" for number in range(1, _LAYERS + 1)), "after_encoder")
"""Where a block can go, in depth order; the last normalisation lies between the last layer's place and the last."""


class Encoder(nn.Module):
    """The published transformer encoder: two layers of 16 heads and 64 hidden units, normalised at the end."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(channels) for _ in range(_LAYERS))
        self.norm = nn.LayerNorm(channels)
        # Empty sequences, which pass the map as it is and have no weights.
        self.places = nn.ModuleDict({name: nn.Sequential() for name in PLACES})
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps (N, C, h, w) in which each place has seen all others."""
        before, *after_layers, after = self.places.values()
        x = before(x)
        channels, height, width = x.shape[1:]
        positions = position_encoding(channels, height, width, x).flatten(1).mT
        for layer, place in zip(self.layers, after_layers, strict=True):
            # Maps and tokens are two views of one memory.
            x = place(layer(x.flatten(2).mT, positions).mT.reshape(x.shape))
        seen: Tensor = after(self.norm(x.flatten(2).mT).mT.reshape(x.shape))
        return seen
