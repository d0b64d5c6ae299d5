"""The cost of a network: parameters and multiply-adds for a photo, counted without running it."""

import copy
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from robustiqa_core.checks import check_count
from robustiqa_core.models import QualityModel

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs.

    Args:
        parameters: numbers that can be learnt.
        multiply_adds: of all convolutions and matrix products, for one square photo of the network's `short_side`.
    """

    parameters: int
    multiply_adds: int

    def __post_init__(self) -> None:
        for name in ("parameters", "multiply_adds"):
            check_count(name, getattr(self, name), low=0, high=2**63 - 1)


class _MultiplyAdds(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types for it
    """Counts within its context, in this thread; torch's own counter puts hooks on the modules of all threads."""

    def __init__(self, formulas: Mapping[Any, Callable[..., int]]) -> None:
        """Start at 0, with what each of torch's operations costs."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.formulas, self.total = formulas, 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        out = func(*args, **named)
        count = self.formulas.get(func._overloadpacket)
        if count is not None:
            # Torch counts a multiplication and an addition as two.
            self.total += count(*args, **named, out_val=out) // 2
        return out


@torch.no_grad()
def network_cost(network: QualityModel) -> Cost:
    """Return the cost of a network, without running or changing it."""
    # Imported here, since it takes a moment, and loading a network does not need it.
    from torch.utils.flop_counter import flop_registry

    shape = on_meta(network).eval()
    side = network.settings.short_side
    with _MultiplyAdds(flop_registry) as counter:
        shape(torch.empty(1, 3, side, side, dtype=network.k.dtype, device="meta"))
    return Cost(sum(parameter.numel() for parameter in network.parameters()), counter.total)


def on_meta(network: Network) -> Network:
    """Return a copy without values, on the `meta` device; those of the network are not copied on the way."""
    tensors = itertools.chain(network.parameters(), network.buffers())
    return copy.deepcopy(network, {id(tensor): _without_values(tensor) for tensor in tensors})


def _without_values(tensor: Tensor) -> Tensor:
    empty = tensor.detach().to("meta")
    return nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
