"""Hints: what the baseline makes of a photo at some places, which tells a network more than a score does.

A score is one number a photo. From the scores of a few hundred crops a network learns these crops by heart; from the
maps it learns to see as the baseline sees.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from robustiqa_core.blocks import insertion_points
from robustiqa_core.hardening.cut import Cut
from robustiqa_core.models import QualityModel
from robustiqa_core.training.ranks import count


def hint_places(network: QualityModel, cut: Cut | None) -> tuple[str, ...]:
    """Return the paths of the last insertion point of each branch that a block reaches; of all without a block.

    They are the trunk's end, that of DBCNN's other branch, and that of TReS's transformer.
    """
    modules = [point.module for point in insertion_points(network)]
    reached = [module for module in modules if cut is None or not cut.is_front(f"{module}.")]
    return tuple({module.partition(".")[0]: module for module in reached}.values())


def watch(network: nn.Module, places: tuple[str, ...]) -> tuple[dict[str, Tensor], Callable[[], None]]:
    """Return a dictionary that holds the newest output of the modules at some paths, and what ends the watching."""
    newest: dict[str, Tensor] = {}

    def noting(place: str) -> Callable[..., None]:
        def note(module: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> None:
            newest[place] = output

        return note

    handles = [network.get_submodule(place).register_forward_hook(noting(place)) for place in places]

    def stop() -> None:
        for handle in handles:
            handle.remove()
        newest.clear()

    return newest, stop


class Hints:
    """What a network makes at some places, held against what the baseline makes there of the same photos.

    Source: A. Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015; here the maps have the same shape, so that
    nothing lies between, and errors are relative, so that one weight serves every place.
    """

    def __init__(self, network: QualityModel, places: tuple[str, ...], weight: float) -> None:
        """Watch a network until `close`.

        Args:
            network: what learns.
            places: from `hint_places`.
            weight: of the error in the loss.
        """
        self.weight = weight
        self.wanted: Mapping[str, Tensor] = {}
        self._made, self.close = watch(network, places)

    def error(self) -> Tensor:
        """Return the mean over the places of mean (made - wanted)^2 / mean wanted^2.

        Of the newest batch, or of its first photos where only these are wanted: what an objective adds to a batch comes
        after the photos. `wanted` must not be empty.
        """
        errors = []
        for place, wanted in self.wanted.items():
            made = self._made[place][: len(wanted)].float()
            errors.append((made - wanted).square().mean() / wanted.square().mean().clamp_min(1e-12))
        # Each of several processes has a part of the batch, and gradients are summed.
        return torch.stack(errors).mean() / count()
