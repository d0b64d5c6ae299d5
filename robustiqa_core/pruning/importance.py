"""The importance of every filter of a network, from its weights or its activations."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from robustiqa_core.blocks import fold_blocks
from robustiqa_core.checks import check_choice
from robustiqa_core.errors import ConfigurationError, InputError, NumericalError
from robustiqa_core.pruning.criteria import CRITERIA, Evidence
from robustiqa_core.pruning.groups import ChannelGroup, channel_groups
from robustiqa_core.spectra.activations import weight_sharing_copy


def filter_importance(
    network: nn.Module,
    criterion: str,
    *,
    seed: int = 0,
    images: Iterable[Tensor] | None = None,
    mos: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return the importance (filters,) of the filters of each group, by its name, in depth order.

    Double precision, on the CPU; larger is more important. That of a filter with several channels is their mean. The
    network, which may be shared, is not touched, and works in eval mode whatever mode it is in.

    Args:
        network: of `robustiqa_core.models`, not folded: the importance by weights is that without normalisations.
        criterion: key of `CRITERIA`.
        seed: of random numbers.
        images: for a criterion that looks at photos, batches (n, 3, H, W), float, RGB in [0, 1], of any sizes. They are
            taken one after the other, so that a generator can report progress or stop.
        mos: (N,), human scores of all the photos; without them the network's own scores are what is to be kept.

    Raises:
        ConfigurationError: unknown criterion or network, or no photos for a criterion that needs them.
        InputError: too few photos, or not as many MOS as photos.
        NumericalError: an importance is not finite.
    """
    chosen = CRITERIA[check_choice("criterion", criterion, CRITERIA)]
    groups = channel_groups(network)
    activations: Mapping[str, Tensor] = {}
    responses: Tensor | None = None
    if chosen.needs_photos:
        if images is None:
            raise ConfigurationError(f"the criterion {criterion} needs activations, got no photos; pass images")
        activations, scores = pooled_activations(network, groups, images)
        responses = scores if mos is None else mos.detach().cpu().double()
        if responses.shape != scores.shape:
            raise InputError(
                f"expected one MOS per photo, got {len(responses)} for {len(scores)} photos; pass one for each"
            )
    generator = Generator().manual_seed(seed)
    found: dict[str, Tensor] = {}
    for group in groups:
        weights = _weights(network, group)
        by_channel = chosen.importance(Evidence(weights, generator, activations.get(group.name), responses))
        if not by_channel.isfinite().all():
            raise NumericalError(f"the importance of {group.name} is not finite; check the network's weights")
        found[group.name] = by_channel.view(group.filters, group.span).mean(1)
    return found


def _weights(network: nn.Module, group: ChannelGroup) -> Tensor:
    """Return the weights (C, K) of a group's producer."""
    weight = network.get_parameter(f"{group.producer}.weight")
    if weight.is_meta:
        raise InputError(f"expected weights in {group.producer}, got none; load the network first")
    return weight.detach().flatten(1).cpu().double()


@torch.no_grad()
def pooled_activations(
    network: nn.Module, groups: Sequence[ChannelGroup], images: Iterable[Tensor]
) -> tuple[dict[str, Tensor], Tensor]:
    """Return what each group's consumer gets, averaged over places, (N, C) by group, and the scores (N,).

    Both in double precision on the CPU; of a network that averages over crops, the mean over the crops.

    Args:
        network: not touched.
        groups: of the network.
        images: batches (n, 3, H, W).
    """
    # Hooks on the network itself would also run for its other users.
    watched = weight_sharing_copy(network).eval()
    fold_blocks(watched)
    seen: dict[str, list[Tensor]] = {group.name: [] for group in groups}
    scores: list[Tensor] = []
    for group in groups:
        linear = isinstance(network.get_submodule(group.consumer), nn.Linear)
        watched.get_submodule(group.consumer).register_forward_pre_hook(_keeper(seen[group.name], linear=linear))
    device = next(network.parameters()).device
    for batch in images:
        scores.append(watched(batch.to(device)).cpu().double())
        for rows in seen.values():
            # Crops of the whole batch follow one another.
            rows[-1] = rows[-1].view(-1, len(batch), rows[-1].shape[1]).mean(0)
    if not scores:
        raise InputError("expected photos, got none; pass images")
    return {name: torch.cat(rows) for name, rows in seen.items()}, torch.cat(scores)


def _keeper(rows: list[Tensor], *, linear: bool) -> Callable[[nn.Module, tuple[Any, ...]], None]:
    """Return a hook that appends a layer's input, averaged over places, (N, C)."""

    def keep(_: nn.Module, arguments: tuple[Any, ...]) -> None:
        x: Tensor = arguments[0]
        places = tuple(range(1, x.ndim - 1)) if linear else (2, 3)
        pooled = x.float().mean(places) if places else x.float()
        rows.append(pooled.cpu().double())

    return keep
