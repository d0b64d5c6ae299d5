"""Why a network of the user's own does not score a photo: what it would take instead, found by trying."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from robustiqa_core.errors import InputError

_DTYPES = (torch.float16, torch.bfloat16, torch.float64, torch.uint8)
_SIDES = (224, 256, 299, 384, 512, 128, 64, 336, 448, 518)


@dataclass(frozen=True, slots=True)
class Trial:
    """A photo that a network may take where it does not take ours.

    Args:
        photo: (1, C, h, w).
        advice: what to do if it does.
    """

    photo: Tensor
    advice: str


def advice(score: Callable[[Tensor], object], photo: Tensor) -> str:
    """Return what to do about a network that does not score `photo`.

    Args:
        score: asks the network; raises InputError where the network raises anything.
        photo: (1, 3, H, W), float32, prepared as the network gets it.
    """
    for trial in _trials(photo):
        try:
            with torch.no_grad():
                found = score(trial.photo)
        except InputError:
            continue
        if isinstance(found, Tensor) and found.numel() == 1:
            return trial.advice
    return (
        "it must take (N, 3, H, W), float32, RGB in [0, 1]; if it takes photos of one size only, list it in a file "
        "with its size"
    )


def _trials(photo: Tensor) -> Iterator[Trial]:
    for dtype in _DTYPES:
        name = str(dtype).removeprefix("torch.")
        values = (photo * 255).round() if dtype == torch.uint8 else photo
        remedy = "divide by 255 and use floats in it" if dtype == torch.uint8 else "call .float() on it before"
        yield Trial(values.to(dtype), f"it takes {name}, and photos are float32: {remedy}")
    for channels in (1, 4):
        colours = photo[:, :1] if channels == 1 else torch.cat((photo, torch.ones_like(photo[:, :1])), dim=1)
        what = "grey photos of 1 channel" if channels == 1 else f"photos of {channels} channels"
        remedy = "wrap it with x.mean(1, keepdim=True)" if channels == 1 else "wrap it so that it adds the fourth"
        yield Trial(colours, f"it takes {what}, and photos have 3, RGB: {remedy}")
    for side in _SIDES:
        smaller = F.interpolate(photo, (side, side), mode="bilinear", antialias=True, align_corners=False)
        yield Trial(
            smaller,
            f"it takes photos of one size only, {side} x {side} px: list it in a file with size = [{side}, {side}]",
        )
