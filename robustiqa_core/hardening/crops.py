"""Crops in memory."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class KeptCrops:
    """Crops in memory, with a name that tells them from all others.

    Args:
        key: from `data.key_of`.
        pixels: (N, 3, side, side), 8-bit.
        targets: (N,), in the unit of the data; NaN without labels.
    """

    key: str
    pixels: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def first(self, count: int) -> "KeptCrops":
        """Return the first so many of them."""
        return KeptCrops(f"{self.key}-{count}", self.pixels[:count], self.targets[:count])


def to_images(pixels: Tensor, device: torch.device) -> Tensor:
    """Return 8-bit pixels (N, 3, H, W) as float images in [0, 1], on a device."""
    return (pixels.to(device).float() / 255).to(memory_format=torch.channels_last)
