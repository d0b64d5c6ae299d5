"""Donors: other models whose weights are taken, all of them or their trunk's, which serves several architectures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from robustiqa_core.checkpoints.storage import list_cards, load_card, load_network
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.models import QualityModel
from robustiqa_core.models.card import ModelCard


@dataclass(frozen=True, slots=True, eq=False)
class Trunk:
    """Weights of a trunk, and the card of the model that they are from.

    Args:
        card: of that model.
        backbone: name of the trunk, a key of `BACKBONES`.
        weights: state of its `features`.

    Raises:
        ConfigurationError: the trunk has a block in it or lost filters, so that no other network can take it.
    """

    card: ModelCard
    backbone: str
    weights: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        if self.card.blocks or any(name.startswith("features.") for name in self.card.pruning):
            raise ConfigurationError(
                f"expected a trunk with no blocks and no pruning, got that of {self.card.stem}; "
                "name a model without either"
            )

    def put_into(self, network: QualityModel) -> None:
        """Set the weights of a network's trunk, in place.

        Raises:
            ConfigurationError: the network has another trunk.
        """
        if network.settings.backbone != self.backbone:
            raise ConfigurationError(
                f"expected a model with the trunk {network.settings.backbone}, got {self.card.stem} with the trunk "
                f"{self.backbone}; name another model"
            )
        network.features.load_state_dict(self.weights, strict=True)

    @property
    def sha256(self) -> str:
        """The checksum of the model's file."""
        return self.card.sha256

    @property
    def source(self) -> dict[str, str]:
        """Which weights are taken, for a card."""
        return {"trunk_sha256": self.sha256}

    @property
    def words(self) -> str:
        """Where it is from, for a card."""
        return f"trunk of {self.card.stem}, sha256 {self.card.sha256}"


def load_trunk(stem: str, *, root: Path | None = None) -> Trunk:
    """Return the trunk of a stored model, on the CPU.

    Args:
        stem: of its checkpoint, such as `linearity-hardened-at`.
        root: folder of the checkpoints; the usual one where None.

    Raises:
        ConfigurationError: there is no such model, or its trunk fits no other network.
        InputError: its file is damaged.
    """
    cards = {card.stem: card for card in list_cards(root)}
    if stem not in cards:
        raise ConfigurationError(
            f"expected the trunk of a stored model ({', '.join(sorted(cards))}), got {stem!r}; name one of these"
        )
    card = cards[stem]
    network = load_network(card.model, card.variant, root=root, device=torch.device("cpu"))
    return Trunk(card, network.settings.backbone, network.features.state_dict())


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """All weights of a model, or a mean of those of several, and their cards.

    Args:
        cards: of the models.
        state: the weights.
        shares: how often each counts in the mean; empty where all count once.

    Raises:
        ConfigurationError: a model has a block or lost filters, so that no other network can take its weights.

    Source of the mean: M. Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves
    accuracy without increasing inference time", ICML 2022.
    """

    cards: tuple[ModelCard, ...]
    state: Mapping[str, Tensor]
    shares: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for card in self.cards:
            if card.blocks or card.pruning:
                raise ConfigurationError(
                    f"expected a model with no blocks and no pruning, got {card.stem}; name one without either"
                )

    def put_into(self, network: QualityModel) -> None:
        """Set the weights of a network, in place.

        Raises:
            ConfigurationError: the network is another one.
        """
        try:
            network.load_state_dict(self.state, strict=True)
        except RuntimeError as error:
            raise ConfigurationError(
                f"expected the weights of a model with the same layers, got {self.words} with different ones; "
                "name another variant"
            ) from error

    @property
    def variants(self) -> str:
        """The names of the variants as a recipe has them, such as `hardened-at`, `mine+yours` or `mine:3+yours:2`."""
        shares = self.shares or [1] * len(self.cards)
        named = zip(self.cards, shares, strict=True)
        return "+".join(card.variant if share == 1 else f"{card.variant}:{share}" for card, share in named)

    @property
    def sha256(self) -> str:
        """The checksums of their files, in this order."""
        return "+".join(card.sha256 for card in self.cards)

    @property
    def source(self) -> dict[str, str]:
        """Which weights are taken, for a card."""
        return {"weights_sha256": self.sha256}

    @property
    def words(self) -> str:
        """Where they are from, for a card."""
        named = ", ".join(f"{card.stem}, sha256 {card.sha256}" for card in self.cards)
        if len(self.cards) == 1:
            return f"weights of {named}"
        told = f" ({' to '.join(map(str, self.shares))})" if len(set(self.shares)) > 1 else ""
        return f"mean{told} of the weights of {named}"


def load_weights(model: str, variants: str, *, root: Path | None = None) -> Weights:
    """Return the weights of a stored model, or a mean of those of several, on the CPU.

    Args:
        model: architecture.
        variants: as `read_variants` reads them.
        root: folder of the checkpoints; the usual one where None.

    Raises:
        ConfigurationError: there is no such model, its weights fit no other network, or a share cannot be read.
        InputError: its file is damaged.
    """
    names, shares = zip(*read_variants(variants), strict=True)
    cards = tuple(load_card(model, name, root=root) for name in names)
    states = [load_network(model, name, root=root, device=torch.device("cpu")).state_dict() for name in names]
    for card, state in zip(cards[1:], states[1:], strict=True):
        if {name: value.shape for name, value in state.items()} != {n: v.shape for n, v in states[0].items()}:
            raise ConfigurationError(
                f"expected variants with the same layers, got {cards[0].stem} and {card.stem}; leave one out"
            )
    mean = {name: _mean([state[name] for state in states], shares) for name in states[0]}
    return Weights(cards, mean, shares)


def read_variants(text: str) -> tuple[tuple[str, int], ...]:
    """Return the variants that a recipe's weights name, each with how often it counts in their mean.

    Args:
        text: a variant, or several with `+` between them; `:N` behind one that counts N times, as in `mine:3+yours:2`.

    Raises:
        ConfigurationError: a share is no whole number of at least 2. (What counts once has none.)

    Example:
        >>> read_variants("hardened-at:2+mine")
        (('hardened-at', 2), ('mine', 1))
    """
    found = []
    for part in text.split("+"):
        name, colon, share = part.partition(":")
        if colon and not (share.isascii() and share.isdigit() and int(share) > 1):
            raise ConfigurationError(
                f"expected the weight of {name!r} as a whole number of at least 2, got {share!r}; "
                "correct it, or omit it with its colon"
            )
        found.append((name, int(share) if colon else 1))
    return tuple(found)


def _mean(values: Sequence[Tensor], shares: Sequence[int]) -> Tensor:
    """Return the weighted mean of tensors of floating numbers; of others, such as counts, the first."""
    if len(values) == 1 or not values[0].is_floating_point():
        return values[0]
    if len(set(shares)) == 1:
        return torch.stack([*values]).mean(0)
    weighted = [value * (share / sum(shares)) for value, share in zip(values, shares, strict=True)]
    return torch.stack(weighted).sum(0)


@torch.no_grad()
def mix_with(network: QualityModel, start: QualityModel, share: float) -> None:
    """Set a network's weights, in place, to a mean of its own and those of its start; what the start lacks stays.

    Args:
        network: tuned from the start.
        start: not touched.
        share: of the network's own weights, in (0, 1].

    Source: M. Wortsman et al., "Robust Fine-Tuning of Zero-Shot Models", CVPR 2022.
    """
    if share == 1.0:
        # Not the same to the last bit otherwise: -0 would become 0, and what is kept under a hash be lost.
        return
    known = start.state_dict()
    for name, value in network.state_dict().items():
        if name in known and value.is_floating_point():
            value.copy_(torch.lerp(known[name], value, share))
